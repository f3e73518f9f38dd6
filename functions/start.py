"""How Lambda starts a function: the name of its handler is `functions.start.<function>`.

Lambda gets the handler by this module's `__getattr__`. So importing a module starts nothing, and
whatever a start does happens here, in Lambda's initialisation phase, while it provides a full vCPU.
"""

import gc
import time
from importlib import import_module
from typing import TYPE_CHECKING, Final

from functions.operations import FUNCTIONS

if TYPE_CHECKING:
    from functions.api.endpoint import Endpoint
    from functions.requests import Request
    from functions.worker.handler import Worker

START_TIME: Final = 3.0
"""Seconds in which a start tries again what failed; Lambda gives up after ten."""


def __getattr__(name: str) -> "Endpoint[Request] | Worker":
    if name in FUNCTIONS:
        return start(name)
    raise AttributeError(name)


def start(name: str) -> "Endpoint[Request] | Worker":
    """Return a function's handler, ready for its first event."""
    # Everything that a start makes is kept, and searching it for garbage takes a tenth of the time.
    gc.disable()
    # Imported after that, and before the handler imports Powertools, which slows down each session
    # that is made later.
    clients = import_module("functions.aws.clients")
    clients.session()
    clients.deadline.set(time.monotonic() + START_TIME)
    handler: Endpoint[Request] | Worker = import_module(f"functions.{name}.handler").handler
    handler.start()
    gc.freeze()
    gc.enable()
    return handler
