"""How Lambda starts a function: the name of its handler is `functions.start.<function>`.

Lambda gets the handler by this module's `__getattr__`. So importing a module starts nothing, and
whatever a start does happens here, in Lambda's initialisation phase, while it provides a full vCPU.
"""

import gc
from importlib import import_module
from typing import TYPE_CHECKING

from functions.operations import FUNCTIONS
from functions.times import Times

if TYPE_CHECKING:
    from functions.api.endpoint import Endpoint
    from functions.requests import Request
    from functions.worker.handler import Worker


def __getattr__(name: str) -> "Endpoint[Request] | Worker":
    if name in FUNCTIONS:
        return start(name)
    raise AttributeError(name)


def start(name: str, times: Times | None = None) -> "Endpoint[Request] | Worker":
    """Return a function's handler, ready for its first event."""
    # Everything that a start makes is kept, and searching it for garbage takes a tenth of the time.
    gc.disable()
    # Imported after that, and before the handler imports Powertools, which slows down each session
    # that is made later.
    import_module("functions.aws.clients").session()
    handler: Endpoint[Request] | Worker = import_module(f"functions.{name}.handler").handler
    handler.times = times or handler.times
    handler.start()
    gc.freeze()
    gc.enable()
    return handler
