"""How Lambda starts a function: the name of its handler is `functions.start.<operation>`.

Lambda gets the handler by this module's `__getattr__`. So importing a module starts nothing, and
whatever a start does happens here, in Lambda's initialisation phase, while it provides a full vCPU.
"""

import gc
from importlib import import_module
from typing import TYPE_CHECKING

from functions.operations import Operation

if TYPE_CHECKING:
    from functions.api.endpoint import Endpoint
    from functions.requests import Request


def __getattr__(name: str) -> "Endpoint[Request]":
    for operation in Operation:
        if operation.id == name:
            return start(operation)
    raise AttributeError(name)


def start(operation: Operation) -> "Endpoint[Request]":
    """Return an operation's handler, ready for its first request."""
    # Everything that a start makes is kept, and searching it for garbage takes a tenth of the time.
    gc.disable()
    # Imported after that, and before the handler imports Powertools, which slows down each session
    # that is made later.
    import_module("functions.aws.clients").session()
    handler: Endpoint[Request] = import_module(f"functions.{operation.id}.handler").handler
    handler.start()
    gc.freeze()
    gc.enable()
    return handler
