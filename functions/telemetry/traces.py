"""Traces for X-Ray without its SDK, whose import costs a tenth of a cold start.

The SDK is in maintenance mode, and this service needs little of it: a subsegment is a JSON document
in one UDP packet to the daemon that Lambda runs.
"""

import atexit
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from typing import Any, Final

from aws_lambda_powertools import Tracer
from aws_lambda_powertools.tracing.base import BaseProvider, BaseSegment

from functions.records import SERVICE

HEADER = b'{"format": "json", "version": 1}\n'


@cache
def tracer() -> Tracer:
    """Return the process's tracer, with our provider."""
    return Tracer(service=SERVICE, auto_patch=False, disabled=False, provider=XRayProvider())


class Subsegment(BaseSegment):
    """A part of the work of one request, in X-Ray's format, with the parts inside it."""

    def __init__(self, name: str, **members: Any) -> None:
        id_ = os.urandom(8).hex()
        self.document: dict[str, Any] = {"name": name, "id": id_, "start_time": time.time()}
        self.document |= members

    def put_annotation(self, key: str, value: Any) -> None:
        """Add a value that X-Ray indexes, so that traces can be found by it."""
        self.document.setdefault("annotations", {})[key] = value

    def put_metadata(self, key: str, value: Any, namespace: str = "default") -> None:
        """Add a value that is not indexed."""
        self.document.setdefault("metadata", {}).setdefault(namespace, {})[key] = value

    def add_exception(self, exception: BaseException, stack: Any, remote: bool = False) -> None:
        """Add only the exception's type, because its message may hold what was sent."""
        cause = {"id": os.urandom(8).hex(), "type": type(exception).__name__, "remote": remote}
        self.document |= {"fault": True, "cause": {"exceptions": [cause]}}

    def close(self, end_time: float | None = None) -> None:
        """End it at a time in seconds since the epoch, which is now by default."""
        self.document["end_time"] = end_time or time.time()

    def add_subsegment(self, subsegment: Any) -> None:
        """Add a subsegment."""
        self.document.setdefault("subsegments", []).append(subsegment.document)

    def remove_subsegment(self, subsegment: Any) -> None:
        """Discard it."""
        self.document["subsegments"].remove(subsegment.document)


class Unsampled(BaseSegment):
    """The segment of every request whose trace is not sampled."""

    def close(self, *_: Any, **__: Any) -> None:
        """Do nothing."""

    add_subsegment = remove_subsegment = close
    put_annotation = put_metadata = add_exception = close


_UNSAMPLED: Final = Unsampled()
_innermost: Final[ContextVar[BaseSegment | None]] = ContextVar("innermost", default=None)
"""The open subsegment. Threads that run at the same time have one each, in the same parent."""


class XRayProvider(BaseProvider):
    """Send sampled traces to Lambda's X-Ray daemon, in one packet per request."""

    @contextmanager
    def in_subsegment(self, name: str = "", **members: Any) -> Iterator[BaseSegment]:
        """Open a subsegment of the surrounding one, or of Lambda's; a `namespace` marks a call."""
        outer, trace = _innermost.get(), read_trace()
        sampled = isinstance(outer, Subsegment) if outer else trace.get("Sampled") == "1"
        subsegment = Subsegment(name, **members) if sampled else _UNSAMPLED
        if outer:
            outer.add_subsegment(subsegment)
        token = _innermost.set(subsegment)
        try:
            yield subsegment
        except Exception as error:
            subsegment.add_exception(error, [])
            raise
        finally:
            _innermost.reset(token)
            subsegment.close()
            if not outer and isinstance(subsegment, Subsegment):
                _send(subsegment.document, trace)

    in_subsegment_async = in_subsegment  # type: ignore[assignment]  # nothing here is asynchronous

    def put_annotation(self, key: str, value: Any) -> None:
        """Add it to the innermost subsegment."""
        if innermost := _innermost.get():
            innermost.put_annotation(key, value)

    def put_metadata(self, key: str, value: Any, namespace: str = "default") -> None:
        """Add it to the innermost subsegment."""
        if innermost := _innermost.get():
            innermost.put_metadata(key, value, namespace)

    def patch(self, modules: Any = ()) -> None:
        """Patch nothing: each call that matters is already in a subsegment."""

    patch_all = patch


def read_trace() -> dict[str, str]:
    """Return the members of this request's trace header; none outside Lambda."""
    fields = filter(None, os.environ.get("_X_AMZN_TRACE_ID", "").split(";"))
    return dict(field.partition("=")[::2] for field in fields)


def _send(document: dict[str, Any], trace: dict[str, str]) -> None:
    ids = {"trace_id": trace.get("Root", ""), "parent_id": trace.get("Parent", "")}
    document |= {"type": "subsegment", **ids}
    address = os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000")
    host, _, port = address.partition(":")
    # Tracing must never fail a request.
    with suppress(OSError, OverflowError, ValueError):
        _socket().sendto(HEADER + json.dumps(document).encode(), (host, int(port)))


@cache
def _socket() -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    atexit.register(made.close)
    return made
