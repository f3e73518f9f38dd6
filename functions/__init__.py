"""The Lambda functions: a folder is an operation, a module is shared."""

import gc
import os

# In Lambda, whatever a start makes stays, and looking through it for garbage takes a tenth of the
# time. The last import of a function, `endpoint`, ends this.
(gc.disable if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else gc.enable)()
