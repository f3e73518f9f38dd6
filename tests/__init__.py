"""The tests: `python -m tests` runs what `make test` runs."""
