"""The Lambda functions: a folder is an operation, a module is shared."""
