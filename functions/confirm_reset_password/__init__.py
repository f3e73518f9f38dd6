"""The operation `confirm_reset_password`."""
