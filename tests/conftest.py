"""Configuration of all tests."""

import os
import signal

from tests.support import ROOT

# As in the Makefile: neither Node, Chromium nor pre-commit writes into the home folder.
os.environ.setdefault("JSII_NODE", str(ROOT / "local/jsii-node"))
os.environ.setdefault("XDG_CACHE_HOME", str(ROOT / ".local/cache"))


def pytest_sessionstart() -> None:
    """Let SIGTERM end the tests as Ctrl-C does. Otherwise emulators would be left running."""
    # SIGINT too: a shell lets its background jobs ignore it, and so would all that they start.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
