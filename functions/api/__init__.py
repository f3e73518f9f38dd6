"""Turn a Python function into an HTTP operation."""
