"""The operation `update_password`."""
