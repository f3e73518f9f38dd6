"""Lambda's share of a processor, without privileges: stop a process that has used its time.

Lambda gives a function `memory / 1769` of one processor, in periods of 20 ms, and a whole one while
it starts. Here a thread reads the process's clock and sends SIGSTOP and SIGCONT.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Final

PERIOD: Final = 0.020
"""Seconds."""
WHOLE: Final = 1769
"""MB with which a function has a whole processor."""


def processor_time(pid: int) -> float:
    """Return the seconds that a process has computed, by the clock that Linux has for each."""
    return time.clock_gettime((~pid << 3) | 2)


@contextmanager
def limited(pid: int, memory: int) -> Iterator[None]:
    """Let a process compute as much as a function with so many MB."""
    ended = Event()
    controller = Thread(target=_control, args=(pid, PERIOD * memory / WHOLE, ended))
    controller.start()
    try:
        yield
    finally:
        ended.set()
        controller.join()


def _control(pid: int, quota: float, ended: Event) -> None:
    with suppress(ProcessLookupError):
        due = time.perf_counter()
        allowed = processor_time(pid)
        while not ended.is_set():
            used, now = processor_time(pid), time.perf_counter()
            if now >= due:
                # What was not used is lost, and what was used too much is owed.
                allowed = min(allowed, used) + quota
                due += PERIOD * ((now - due) // PERIOD + 1)
                os.kill(pid, signal.SIGCONT)
            if used < allowed:
                # In so much time, one thread uses no more.
                time.sleep(min(allowed - used, due - now))
            else:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(due - now)
        os.kill(pid, signal.SIGCONT)


def measure_error(memory: int, seconds: float = 1.0) -> float:
    """Return what a busy loop gets more than its share, as a part of the share."""
    command = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    with subprocess.Popen(command) as process:
        with limited(process.pid, memory):
            time.sleep(5 * PERIOD)
            used, started = processor_time(process.pid), time.perf_counter()
            time.sleep(seconds)
            used = processor_time(process.pid) - used
            elapsed = time.perf_counter() - started
        process.kill()
    return used / elapsed * WHOLE / memory - 1
