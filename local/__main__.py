"""`python -m local`: what `make run`, `make invoke`, `make code` and `make token` call."""

import signal

# The imports take a moment, and Ctrl-C during them should end the process without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from local.commands import main  # noqa: E402

main()
