"""Check a deployed stage, on AWS or on this machine: what `make verify` runs."""
