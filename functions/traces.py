"""Traces for X-Ray without its SDK, whose import costs a tenth of a cold start.

The SDK is in maintenance, and what it does here is small: a subsegment is a JSON document in one
UDP packet for the daemon that Lambda runs. The bundle can be built with the SDK instead.
"""

import atexit
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.tracing.base import BaseProvider, BaseSegment

from functions.metrics import SERVICE

HEADER = b'{"format": "json", "version": 1}\n'


def make_tracer() -> Tracer:
    """The one way to a tracer: with our provider, unless the function was deployed with the SDK."""
    if os.environ.get("XRAY_SDK") == "true":
        return Tracer(service=SERVICE, auto_patch=False)
    return Tracer(service=SERVICE, auto_patch=False, disabled=False, provider=Daemon())


class Subsegment(BaseSegment):
    """A part of the work of one request, as X-Ray documents it, with the parts within it."""

    def __init__(self, name: str) -> None:
        self.document: dict[str, Any] = {
            "name": name,
            "id": os.urandom(8).hex(),
            "start_time": time.time(),
        }

    def put_annotation(self, key: str, value: Any) -> None:
        """Indexed by X-Ray: a trace can be found by it."""
        self.document.setdefault("annotations", {})[key] = value

    def put_metadata(self, key: str, value: Any, namespace: str = "default") -> None:
        """Not indexed."""
        self.document.setdefault("metadata", {}).setdefault(namespace, {})[key] = value

    def add_exception(self, exception: BaseException, stack: Any, remote: bool = False) -> None:
        """By its type alone: a message can hold what was sent."""
        cause = {"id": os.urandom(8).hex(), "type": type(exception).__name__, "remote": remote}
        self.document |= {"fault": True, "cause": {"exceptions": [cause]}}

    def close(self, end_time: float | None = None) -> None:
        """Seconds since the epoch."""
        self.document["end_time"] = end_time or time.time()

    def add_subsegment(self, subsegment: Any) -> None:
        """It is sent within this one."""
        self.document.setdefault("subsegments", []).append(subsegment.document)

    def remove_subsegment(self, subsegment: Any) -> None:
        """Send it neither within this one nor by itself."""
        self.document["subsegments"].remove(subsegment.document)


class Daemon(BaseProvider):
    """Sends to the daemon what belongs to a sampled trace: one packet a request."""

    def __init__(self) -> None:
        self._open: list[Subsegment] = []

    @contextmanager
    def in_subsegment(self, name: str = "", **_: Any) -> Iterator[Subsegment]:
        """A subsegment of the one around it, or of Lambda's own segment."""
        subsegment = Subsegment(name)
        if self._open:
            self._open[-1].add_subsegment(subsegment)
        self._open.append(subsegment)
        try:
            yield subsegment
        except Exception as error:
            subsegment.add_exception(error, [])
            raise
        finally:
            self._open.pop()
            subsegment.close()
            if not self._open:
                _send(subsegment.document)

    in_subsegment_async = in_subsegment  # type: ignore[assignment]  # nothing here is asynchronous

    def put_annotation(self, key: str, value: Any) -> None:
        """Of the innermost subsegment."""
        if self._open:
            self._open[-1].put_annotation(key, value)

    def put_metadata(self, key: str, value: Any, namespace: str = "default") -> None:
        """Of the innermost subsegment."""
        if self._open:
            self._open[-1].put_metadata(key, value, namespace)

    def patch(self, modules: Any) -> None:
        """Patch nothing: each call of interest is in a subsegment already."""

    def patch_all(self) -> None:
        """Patch nothing: each call of interest is in a subsegment already."""


def read_trace() -> dict[str, str]:
    """The trace header of this request, by the names of its members; empty outside Lambda."""
    fields = filter(None, os.environ.get("_X_AMZN_TRACE_ID", "").split(";"))
    return dict(field.partition("=")[::2] for field in fields)


def _send(document: dict[str, Any]) -> None:
    trace = read_trace()
    if trace.get("Sampled") != "1":
        return
    document |= {
        "type": "subsegment",
        "trace_id": trace.get("Root", ""),
        "parent_id": trace.get("Parent", ""),
    }
    address = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000")
    host, _, port = address.partition(":")
    # A trace is never worth an answer.
    with suppress(OSError, OverflowError, ValueError):
        _socket().sendto(HEADER + json.dumps(document).encode(), (host, int(port)))


@cache
def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    atexit.register(made.close)
    return made
