"""Measure what a caller waits for, with Lambda's share of a processor and slow AWS services.

Lambda gives a function `memory / 1769` of one processor, in periods of 20 ms, and a whole one while
it starts. To do so without privileges, a thread reads the process's clock, stops the process with
SIGSTOP when it has used its share, and continues it in the next period.
"""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from threading import Event, Thread
from typing import Final

from benchmarks.execution import Figures, Process
from benchmarks.variants import Variant
from infra.settings import Deployment

DELAYS: Final = {
    "AWSCognitoIdentityProviderService": 0.030,
    "DynamoDB_20120810": 0.005,
    "AmazonSQS": 0.010,
    "AWSEvents": 0.010,
    "breaches": 0.040,
}
"""Seconds that each service takes longer than the stub."""
MEMORIES: Final = (128, 256, 512, 1024)
"""Memory sizes in MB."""
DEFAULT: Final = Deployment.of_stage("prod").memory_size
"""The default memory size in MB."""
WARM_CALLS: Final = 5
PERIOD: Final = 0.020
"""Seconds."""
WHOLE: Final = 1769
"""The MB with which a function gets a whole processor."""


def meet(variant: Variant, runtime_client: Path, memory: int) -> Figures:
    """Measure the start, the first call and the warm calls of a fresh process."""
    with Process(variant, runtime_client) as process:
        ready = process.wait_until_ready()
        with _limited(process.pid, memory):
            for _ in range(1 + WARM_CALLS):
                process.ask(variant.event)
        pairs = zip(process.times[::2], process.times[1::2], strict=True)
        first, *warm = ((answered - handed_over) * 1e3 for handed_over, answered in pairs)
    start = (ready - process.started) * 1e3
    return {"start_ms": start, "first_ms": first, "warm_ms": median(warm)}


@contextmanager
def _limited(pid: int, memory: int) -> Iterator[None]:
    """Limit a process to the processor share of a function with this much memory."""
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
        allowed = _processor_time(pid)
        while not ended.is_set():
            used, now = _processor_time(pid), time.perf_counter()
            if now >= due:
                # Unused time expires, and overused time is deducted from the next period.
                allowed = min(allowed, used) + quota
                due += PERIOD * ((now - due) // PERIOD + 1)
                os.kill(pid, signal.SIGCONT)
            if used < allowed:
                # One thread cannot use up the rest in less time.
                time.sleep(min(allowed - used, due - now))
            else:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(due - now)
        os.kill(pid, signal.SIGCONT)


def _processor_time(pid: int) -> float:
    """Return the processor seconds of a process, by the clock that Linux has for each."""
    return time.clock_gettime((~pid << 3) | 2)
