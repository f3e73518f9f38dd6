"""Wrap a handler to measure its warm calls inside the function's own process.

It is installed next to AWS's runtime client, outside the bundles, so all functions are treated the
same. It imports late, so that the function's own modules can be counted first.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_module, _, _name = os.environ["PROBED_HANDLER"].rpartition(".")
_handler = getattr(import_module(_module), _name)

REPEATS = 5
"""The shortest one counts, because other work on the machine can only add time."""


def handler(event: dict[str, Any], context: object) -> object:
    """Answer as the function does, or measure what the `probe` of the event asks for."""
    if "probe" not in event:
        return _handler(event, context)
    # Without this module.
    modules = len(sys.modules) - 1
    probe = event["probe"]

    def call() -> None:
        answer = _handler(probe["event"], context)
        failed = answer.get("statusCode", 200) not in (200, 204)
        if failed or answer.get("batchItemFailures"):
            raise RuntimeError(answer)

    measured = {"modules": modules, "warm_tls_us": _processor_time(call, probe["calls"])}
    if "botocore.client" in sys.modules:
        _stub_http(probe["answers"])
        measured["warm_us"] = _processor_time(call, probe["calls"])
        measured["warm_unsampled_us"] = _processor_time(call, probe["calls"], sampled=0)
    return measured


def _processor_time(call: "Callable[[], object]", calls: int, sampled: int = 1) -> float:
    """Return the microseconds of processor time of a call whose trace is sampled, or not."""
    import time  # noqa: PLC0415

    def once() -> float:
        started = time.process_time()
        for number in range(calls):
            # As the runtime client does for each event; the X-Ray SDK keeps what has one trace.
            os.environ["_X_AMZN_TRACE_ID"] = (
                f"Root=1-65f0c8a5-{number:024x};Parent=53995c3f42cd8ad8;Sampled={sampled}"
            )
            call()
        return (time.process_time() - started) / calls * 1e6

    return min(once() for _ in range(REPEATS))


def _stub_http(answers: dict[str, str]) -> None:
    """Answer every request of every client where botocore would send it."""
    import gc  # noqa: PLC0415
    import io  # noqa: PLC0415

    from botocore.awsrequest import AWSResponse  # noqa: PLC0415
    from botocore.client import BaseClient  # noqa: PLC0415
    from botocore.compat import HTTPHeaders  # noqa: PLC0415

    class Body(io.BytesIO):
        def stream(self) -> "Iterator[bytes]":
            yield self.read()

    def answer(request: Any, **_: object) -> Any:  # noqa: ANN401 - botocore's
        target = request.headers["X-Amz-Target"]
        action = (target.decode() if isinstance(target, bytes) else target).rpartition(".")[2]
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "x-amzn-RequestId": "4a0f3e55-6c1b-4f0e-9a38-2d7c5b8e1f60",
        }
        status = 400 if "__type" in answers[action] else 200
        return AWSResponse(
            request.url, status, HTTPHeaders.from_dict(headers), Body(answers[action].encode())
        )

    frozen = gc.get_freeze_count()
    gc.unfreeze()  # what is frozen is not listed
    for client in gc.get_objects():
        if isinstance(client, BaseClient):
            client.meta.events.register("before-send", answer)
    if frozen:
        gc.freeze()
