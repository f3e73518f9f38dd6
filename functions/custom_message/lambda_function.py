"""The module that Lambda loads to start the function, which needs no client of AWS."""

import os

from functions.custom_message.handler import build
from functions.operations import CUSTOM_MESSAGE
from functions.settings import Runtime, names_read_by

handler = build(Runtime.read(os.environ, names_read_by(CUSTOM_MESSAGE)))
