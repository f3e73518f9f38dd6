"""What a caller meets: Lambda's share of a processor, and services that take their time.

The packaged functions run with everything that `prod` switches on, and each request has a new
`Idempotency-Key`. As on AWS, a start has a whole processor, and everything after it a share.
"""

import json
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.execution import Figures, Process
from benchmarks.share import limited, processor_time
from benchmarks.stub import REFUSED
from benchmarks.variants import Variant
from infra.settings import Deployment
from tests.support.runtime import RuntimeFailure

DELAYS: Final = {
    "cognito-idp": 0.030,
    "dynamodb": 0.005,
    "sqs": 0.010,
    "events": 0.010,
    "breaches": 0.040,
}
"""Seconds that each service takes, more than over loopback."""
MEMORIES: Final = (128, 256, 512, 1024)
"""MB."""
DEFAULT: Final = Deployment.of_stage("prod").memory_size
"""MB of a function that nobody has configured."""
WARM_CALLS: Final = 5
GROWTH: Final = 100
"""Calls whose processor time is compared: the first ones and the last ones of `GROWN`."""
GROWN: Final = 5000

_REFUSABLE: Final = ("confirmationCode", "oldPassword", "username")
"""The member of a body for which Cognito refuses it, if it has several of them the first."""


def meet(variant: Variant, runtime_client: Path, memory: int) -> Figures:
    """Measure one fresh process from its start, and its calls by what their answers are."""
    with Process(variant, runtime_client) as process:
        ready = process.wait_until_ready()
        with limited(process.pid, memory):
            for _ in range(1 + WARM_CALLS):
                process.ask(variant.event)
            for event in _failing(variant) if memory == DEFAULT else ():
                for _ in range(2):
                    process.invoke(event)
        first, *later = _spans(process.times)
        init = (ready - process.started) * 1e3
    figures = {"init_ms": init, "first_ms": first, "warm_ms": median(later[:WARM_CALLS])}
    if failed := later[WARM_CALLS:]:
        figures |= {"refused_ms": median(failed[:2]), "malformed_ms": median(failed[2:])}
    return figures


def _spans(times: list[float]) -> list[float]:
    """Milliseconds from each event to its answer."""
    pairs = zip(times[::2], times[1::2], strict=True)
    return [(answered - handed_over) * 1e3 for handed_over, answered in pairs]


def _failing(variant: Variant) -> list[dict[str, Any]]:
    """Return a request that Cognito refuses, and one that nothing can read."""
    event = variant.event
    if not (variant.keyed and event["body"]):
        return []
    body = json.loads(event["body"])
    member = next(name for name in _REFUSABLE if name in body)
    refused = body | {member: f"{REFUSED}@example.com"}
    return [event | {"body": json.dumps(refused)}, event | {"body": "{"}]


def grow(variant: Variant, runtime_client: Path) -> Figures:
    """Compare what the first and the last of thousands of calls cost a process."""
    with Process(variant, runtime_client) as process:
        process.wait_until_ready()
        marks = []
        for number in range(GROWN):
            if number in (0, GROWTH, GROWN - GROWTH):
                marks.append((processor_time(process.pid), process.resident_bytes))
            answer = process.invoke(variant.event)
            if answer["statusCode"] not in (200, 204):
                raise RuntimeFailure(process.printed)
        marks.append((processor_time(process.pid), process.resident_bytes))
    (begun, _), (early, early_bytes), (later, _), (late, late_bytes) = marks
    return {
        "early_ms": (early - begun) / GROWTH * 1e3,
        "late_ms": (late - later) / GROWTH * 1e3,
        "early_mb": early_bytes / 1e6,
        "late_mb": late_bytes / 1e6,
    }
