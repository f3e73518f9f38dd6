"""The CDK stack: one construct a file, wired in `stack.py`."""
