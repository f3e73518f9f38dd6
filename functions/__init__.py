"""The Lambda functions: a folder with a `handler.py` is an operation."""
