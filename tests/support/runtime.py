"""AWS's own Lambda runtime client, in an interpreter that sees a bundle and nothing else.

A `Runtime` is one execution environment: a server of the Lambda Runtime API on loopback, and
`awslambdaric` in a process whose path holds only the standard library, the bundle and the runtime
client (`python -I -S`), and which writes no byte code, since Lambda's folder is read-only (`-B`).
"""

import json
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryFile
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from tests.support import PATIENCE

_START = """
import runpy, sys
sys.path[:0] = sys.argv[1:3]
sys.argv = ["awslambdaric", sys.argv[3]]
runpy.run_module("awslambdaric", run_name="__main__", alter_sys=True)
"""


class RuntimeFailure(Exception):  # noqa: N818 - Lambda calls it a failure
    """The function could not be started, raised, or did not answer in time."""


class Runtime:
    """A context manager that starts one function; Lambda sends it one event at a time."""

    def __init__(
        self, bundle: Path, client: Path, handler: str, environment: Mapping[str, str]
    ) -> None:
        self._events: Queue[tuple[str, Any] | None] = Queue()
        self._answers: Queue[tuple[str, Any]] = Queue()
        self._server = _RuntimeApi(self._events, self._answers)
        self._output = TemporaryFile()  # noqa: SIM115 - closed with the runtime
        start = [sys.executable, "-I", "-S", "-B", "-c", _START]
        self._command = [*start, str(bundle), str(client), handler]
        self._environment = {
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
            "AWS_LAMBDA_FUNCTION_NAME": handler.rpartition(".")[2],
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "LAMBDA_TASK_ROOT": str(bundle),
            **environment,
        }

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            cwd=self._environment["LAMBDA_TASK_ROOT"],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._output.close()

    @property
    def printed(self) -> str:
        """Everything that the function wrote to its log so far."""
        self._output.seek(0)
        return self._output.read().decode()

    @property
    def times(self) -> list[float]:
        """When each event was handed over and its answer came, in turn, by `time.perf_counter`."""
        return self._server.times

    def wait_until_ready(self, timeout: float = PATIENCE) -> float:
        """Return when the function asked for its first event, by `time.perf_counter`."""
        if not self._server.asked.wait(timeout):
            raise RuntimeFailure(self.printed)
        return self._server.ready

    def invoke(self, event: object, timeout: float = PATIENCE) -> Any:
        """Return what the handler returns; `RuntimeFailure` has its output if it does not."""
        self._events.put((str(uuid.uuid4()), event))
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._process.poll() is None:
            with suppress(Empty):
                kind, answer = self._answers.get(timeout=0.05)
                if kind == "response":
                    return answer
                break
        raise RuntimeFailure(self.printed)


class _RuntimeApi(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(
        self, events: Queue[tuple[str, Any] | None], answers: Queue[tuple[str, Any]]
    ) -> None:
        self.events = events
        self.answers = answers
        self.times: list[float] = []
        self.asked = Event()
        self.ready = 0.0
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing, because a stopped function does not wait for its next event."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet; with Nagle's algorithm, two would cost 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _RuntimeApi

    def do_GET(self) -> None:
        """`/runtime/invocation/next`, which waits for an event."""
        if not self.server.asked.is_set():
            self.server.ready = time.perf_counter()
            self.server.asked.set()
        invocation = self.server.events.get()
        if invocation is None:
            self.close_connection = True
            return
        request_id, event = invocation
        self.server.times.append(time.perf_counter())
        trace = f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]}"
        self._send(
            200,
            json.dumps(event).encode(),
            {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": request_id,
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + PATIENCE) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": (
                    "arn:aws:lambda:us-east-1:123456789012:function:bundle:live"
                ),
                "Lambda-Runtime-Trace-Id": f"{trace};Parent={uuid.uuid4().hex[:16]};Sampled=1",
            },
        )

    def do_POST(self) -> None:
        """`/runtime/invocation/{id}/response`, or `…/error`, or `/runtime/init/error`."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.times.append(time.perf_counter())
        self.server.answers.put((self.path.rpartition("/")[2], json.loads(body or b"null")))
        self._send(202, b'{"status":"OK"}', {})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing, because the answers are the record."""
