"""The Lambda functions. Each folder with a `handler.py` is one function."""
