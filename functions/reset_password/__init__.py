"""The operation `reset_password`."""
