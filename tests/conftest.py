"""What holds for all tests."""

import signal


def pytest_sessionstart() -> None:
    """Let SIGTERM end the tests as Ctrl-C does, or else it would leave emulators running."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
