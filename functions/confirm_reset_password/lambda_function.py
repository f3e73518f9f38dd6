"""What Lambda loads when it starts the function."""

from functions.start import start

handler = start("confirm_reset_password")
