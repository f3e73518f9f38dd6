"""`python -m local`: what `make run`, `make invoke`, `make code` and `make token` call."""

import signal

# The imports take a moment, and Ctrl-C during them should end the process without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)
# The Makefile blocks it where it can: one that came before now ends the process here.
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

from local.commands import main  # noqa: E402

main()
