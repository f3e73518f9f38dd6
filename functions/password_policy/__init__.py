"""The operation `password_policy`."""
