"""The module that Lambda loads to start the function."""

from functions.start import start

handler = start("reset_password")
