"""The Lambda functions: a folder is an operation, a module is shared."""

import gc

# Whatever a start makes stays; looking through it for garbage takes a tenth of the time. The
# last import of a function, `endpoint`, ends this.
gc.disable()
