"""A server in front of Cognito on loopback. It plays scripted answers and forwards the rest.

AWS documents answers that no emulator gives, and failures that nobody can cause at will. Point a
client at `CognitoFront().url`, for example by AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER. `Front`
knows nothing of Cognito, so it works for any other service.
"""

import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from tests.support import PATIENCE

CLIENT_SECRET: Final = "the-client-secret-of-the-front"
"""The answer of DescribeUserPoolClient when there is no upstream."""

_JSON: Final = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": "front"}
_HOP_BY_HOP: Final = {"connection", "content-length", "transfer-encoding"}

_DELIVERY: Final = {"Destination": "a***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email"}


def make_user(
    status: str = "CONFIRMED",
    *,
    enabled: bool = True,
    changed_at: float = 0.0,
    **attributes: str,
) -> dict[str, Any]:
    """AdminGetUser's answer: a user with a verified address, unless the attributes say more."""
    sub = "6d5e1c0a-3f51-4f2b-9c0e-1b2a3c4d5e6f"
    attributes = {"sub": sub, "email": "demo@example.com", "email_verified": "true"} | attributes
    return {
        "Username": sub,
        "UserStatus": status,
        "Enabled": enabled,
        "UserLastModifiedDate": changed_at,
        "UserAttributes": [{"Name": n, "Value": v} for n, v in attributes.items()],
    }


_OFF_BY_DEFAULT: Final = {"ListUserSessions", "AdminListUserSessions"}
"""A pool tracks no sessions until somebody turns that on."""
_SENDS: Final = ("SendMessage", "SendMessageBatch")
_SUCCESSES: Final[dict[str, dict[str, Any]]] = {
    "DescribeUserPool": {"UserPool": {"Policies": {"PasswordPolicy": {"MinimumLength": 15}}}},
    "ForgotPassword": {"CodeDeliveryDetails": _DELIVERY},
    "AdminGetUser": make_user(),
    "ListUsers": {"Users": []},
    "SendEmail": {"MessageId": "a-mail"},
    "SendMessage": {"MessageId": "a-message"},
    "UpdateItem": {"Attributes": {"attempts": {"N": "1"}}},
    "GetUser": {name: make_user()[name] for name in ("Username", "UserAttributes")},
    "PutEvents": {"FailedEntryCount": 0, "Entries": [{"EventId": "an-event"}]},
}
"""The actions whose success has a body."""


@dataclass(frozen=True)
class CognitoRequest:
    """One call as it was sent; the names of `headers` are in lower case."""

    action: str
    body: dict[str, Any]
    headers: dict[str, str]


class Refusal(Exception):  # noqa: N818 - `error` is Cognito's name for it
    """An error of Cognito, which a `respond` raises instead of answering."""

    def __init__(self, error: str, message: str | None, status: int = 400, **members: Any) -> None:
        super().__init__(error, message, status)
        self.error = error
        self.message = message
        self.status = status
        self.members = members


type Respond = Callable[[str, dict[str, Any]], dict[str, Any]]
"""A function that answers an action, by its name and body, or raises a `Refusal`."""


@dataclass(frozen=True)
class _Call:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def action(self) -> str:
        """Empty for what is no action, such as a download of the pool's public keys."""
        if self.path == "/v2/email/outbound-emails":
            return "SendEmail"
        return self.headers.get("x-amz-target", "").rpartition(".")[2]


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class _Script:
    answer: _Answer | None
    delay: float
    reset: bool
    forward: bool
    times: int | None
    above: int | None


class Front:
    """A context manager; what no script answers goes on to the `upstream` URL."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._requests: list[CognitoRequest] = []
        self._scripts: dict[str, list[_Script]] = {}
        self._lock = Lock()
        self._over = Event()
        """Set when the current scripts are forgotten, which ends their delays."""
        self.respond: Respond | None = None
        self._server = _Server(self)
        self._refuses = False
        self._swallows = False
        self._passed: dict[str, list[float]] = {}

    def __enter__(self) -> Self:
        self._serve()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        if not self._refuses:
            self._close()

    @property
    def url(self) -> str:
        """The endpoint for a client; the port is free and chosen by the system."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def requests(self) -> list[CognitoRequest]:
        """The requests since the last `reset`, oldest first."""
        with self._lock:
            return list(self._requests)

    def take(self, action: str) -> list[CognitoRequest]:
        """Remove what was sent to an action from the `requests`, and return it."""
        with self._lock:
            taken = [request for request in self._requests if request.action == action]
            self._requests = [one for one in self._requests if one.action != action]
        return taken

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages to the queue since the last `reset`, in batches or not: SQS's members."""
        return _read_messages(self.requests)

    def take_messages(self) -> list[dict[str, Any]]:
        """Remove what was sent to the queue from the `requests`, and return it."""
        return _read_messages([*self.take("SendMessage"), *self.take("SendMessageBatch")])

    def fail_queue(self, **script: Any) -> None:
        """Script the next answers to whatever sends to the queue."""
        for action in _SENDS:
            self.answer(action, **script)

    def answer(
        self,
        action: str,
        *,
        error: str | None = None,
        message: str | None = "",
        status: int | None = None,
        body: bytes | dict[str, Any] | None = None,
        delay: float = 0.0,
        reset: bool = False,
        forward: bool = False,
        times: int | None = None,
        above: int | None = None,
    ) -> None:
        """Script the next answers to an action, such as `"ForgotPassword"`; `""` is what has none.

        `error` is the name of an exception (status 400) and `body` a whole answer (status 200),
        which as bytes is sent without Cognito's headers;
        with neither, the call goes on after `delay` seconds. `reset` drops the connection
        instead of answering, and `forward` lets Cognito act before it. Scripts of one action play
        in order, each `times` times; one without `times` plays until another replaces it. With
        `above`, that number of calls a second go on, and it plays for the others.
        """
        answer = None
        if error is not None:
            answer = _refuse(Refusal(error, message, status or 400))
        elif isinstance(body, bytes):
            answer = _Answer(status or 200, {}, body)
        elif body is not None:
            answer = _Answer(status or 200, _JSON, json.dumps(body).encode())
        script = _Script(answer, delay, reset, forward, times, above)
        with self._lock:
            earlier = self._scripts.get(action, [])
            self._scripts[action] = [one for one in earlier if one.times is not None] + [script]

    def lose_open(self, *, swallow: bool) -> None:
        """Let the connections that are open now die, until the next `reset`.

        A request on a dead connection never arrives. The front resets the connection or, with
        `swallow`, lets the client wait in vain.
        """
        self._server.lose_open()
        self._swallows = swallow

    def refuse(self) -> None:
        """Drop every connection and listen no more, until the next `reset`."""
        self._close()
        self._server.drop()
        self._refuses = True

    def reset(self) -> None:
        """Forget every script and every request, and end the delays."""
        with self._lock:
            self._over.set()
            self._over = Event()
            self._scripts.clear()
            self._requests.clear()
            self._passed.clear()
            self.respond = None
            self._server.find_lost()
        if self._refuses:
            self._server = _Server(self, self._server.server_port)
            self._serve()
            self._refuses = False

    def _serve(self) -> None:
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def _close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _wait_lost(self) -> None:
        """Return when the client of a dead connection shall know."""
        self._over.wait(PATIENCE if self._swallows else 0)

    def _handle(self, call: _Call) -> _Answer | None:
        """Return the answer to one call, or None to drop the connection."""
        with self._lock:
            if call.action:
                request = CognitoRequest(call.action, json.loads(call.body), call.headers)
                self._requests.append(request)
            script = self._next_script(call.action)
            over = self._over
        if script is None:
            return self._succeed(call)
        if script.forward:
            self._succeed(call)
        over.wait(script.delay)
        if script.reset:
            return None
        return script.answer or self._succeed(call)

    def _next_script(self, action: str) -> _Script | None:
        for script in self._scripts.get(action, []):
            if script.above and self._passes(action, script.above):
                return None
            if script.times is None:
                return script
            if script.times > 0:
                script.times -= 1
                return script
        return None

    def _passes(self, action: str, most: int) -> bool:
        """Whether fewer calls than that have passed in the last second."""
        now = time.monotonic()
        passed = [one for one in self._passed.get(action, []) if one > now - 1]
        fits = len(passed) < most
        self._passed[action] = [*passed, now] if fits else passed
        return fits

    def _succeed(self, call: _Call) -> _Answer:
        return _forward(self._upstream, call)


class CognitoFront(Front):
    """Without an `upstream` URL, the actions of this service just succeed.

    `respond` answers instead of an upstream, until the next `reset`.
    """

    def __init__(self, upstream: str = "") -> None:
        super().__init__(upstream)

    def _succeed(self, call: _Call) -> _Answer:
        if self._upstream:
            return super()._succeed(call)
        if self.respond is not None and call.action not in _SENDS:
            try:
                body = self.respond(call.action, json.loads(call.body))
            except Refusal as refusal:
                return _refuse(refusal)
            return _Answer(200, _JSON, json.dumps(body).encode())
        if call.action == "DescribeUserPoolClient":
            client = json.loads(call.body) | {"ClientSecret": CLIENT_SECRET}
            return _Answer(200, _JSON, json.dumps({"UserPoolClient": client}).encode())
        if call.action in _OFF_BY_DEFAULT:
            return _refuse(Refusal("OperationNotEnabledException", "Session tracking is off."))
        return _Answer(200, _JSON, json.dumps(_SUCCESSES.get(call.action, {})).encode())


def _read_messages(requests: list[CognitoRequest]) -> list[dict[str, Any]]:
    """Return the messages of both actions that send them."""
    sent = [one.body for one in requests if one.action in _SENDS]
    return [message for body in sent for message in body.get("Entries", [body])]


def _refuse(refusal: Refusal) -> _Answer:
    headers = {**_JSON, "x-amzn-ErrorType": f"{refusal.error}:"}
    body = {"__type": refusal.error, "message": refusal.message, **refusal.members}
    return _Answer(refusal.status, headers, json.dumps(body).encode())


def _forward(upstream: str, call: _Call) -> _Answer:
    connection = HTTPConnection(urlsplit(upstream).netloc, timeout=PATIENCE)
    try:
        # The client's own Host goes on, since the signature covers it.
        connection.putrequest(call.method, call.path, skip_host=True, skip_accept_encoding=True)
        for name, value in call.headers.items():
            if name not in _HOP_BY_HOP:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(call.body)))
        connection.endheaders(call.body)
        response = connection.getresponse()
        kept = {
            name: value
            for name, value in response.getheaders()
            if name.lower() not in _HOP_BY_HOP | {"date", "server"}
        }
        return _Answer(response.status, kept, response.read())
    finally:
        connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, front: Front, port: int = 0) -> None:
        self.play = front._handle  # noqa: SLF001 - the server is a part of the front
        self._wait_lost = front._wait_lost  # noqa: SLF001
        self._open: set[socket.socket] = set()
        self._lost: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        self._lost.discard(request)
        # Not shut down first: a lingering time of zero then makes the closing a reset.
        self.close_request(request)

    def lose_open(self) -> None:
        self._lost = set(self._open)

    def find_lost(self) -> None:
        self._lost = set()

    def loses(self, connection: socket.socket) -> bool:
        """Return whether a connection is dead, as soon as its client shall know."""
        if connection not in self._lost:
            return False
        self._wait_lost()
        return True

    def drop(self) -> None:
        """End the connections that are kept alive; a client would go on to use them."""
        for connection in list(self._open):
            # The other end may have closed it by now.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing, because clients give up waiting in many tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet; with Nagle's algorithm, two would cost 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        lost = self.server.loses(self.connection)
        answer = None if lost else self.server.play(_Call(self.command, self.path, headers, body))
        if answer is None:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing, because `CognitoFront.requests` is the record."""
