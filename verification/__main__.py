"""`python -m verification STAGE`, which is what `make verify` calls."""

import signal

# The imports take a moment, and Ctrl-C during them should end the process without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)

from verification.commands import main  # noqa: E402

main()
