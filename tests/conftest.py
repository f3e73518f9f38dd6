"""What holds for all tests."""

import os
import signal

from tests.support import ROOT

# The CDK starts Node through this file, and so writes nothing into the home folder.
os.environ.setdefault("JSII_NODE", str(ROOT / "local/jsii-node"))


def pytest_sessionstart() -> None:
    """Let SIGTERM end the tests as Ctrl-C does. Otherwise emulators would be left running."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
