"""The tests: `python -m tests` runs `make test`, and `python -m tests all` runs `make test-all`."""
