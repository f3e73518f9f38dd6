"""Checks that protect the operations before Cognito is called."""
