"""How each `lambda_function` module starts its function, in Lambda's initialisation phase.

Lambda provides a full vCPU meanwhile, so that whatever the first event would wait for happens here.
"""

import gc
import os
from importlib import import_module
from typing import TYPE_CHECKING

from functions.settings import Runtime, names_read_by

if TYPE_CHECKING:
    from functions.work.lambda_handler import LambdaHandler


def start(name: str) -> "LambdaHandler":
    """Return a function's handler, ready for its first event."""
    # Everything that a start makes is kept, and searching it for garbage takes a tenth of the time.
    gc.disable()
    # Imported after that, and before the handler imports Powertools, which slows down each session
    # that is made later.
    import_module("functions.aws.clients").session()
    settings = Runtime.read(os.environ, names_read_by(name))
    handler: LambdaHandler = import_module(f"functions.{name}.handler").build(settings)
    handler.start()
    gc.freeze()
    gc.enable()
    return handler
