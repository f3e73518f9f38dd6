"""The emulator behind a door that only this run's key opens; `local/emulator.py` runs this file.

The emulator trusts its callers: it takes `test`, any account ID or nothing for the key of the root
user, and verifies no signature of it. A page in any browser tab and every user of this machine can
reach its port. So the door verifies the signature of each request, and passes without one only what
AWS takes unsigned. Web pages of other origins reach only the deployed APIs, and those of
allowed origins also Cognito's unsigned actions, by which Amplify signs users in.
"""

import asyncio
import hmac
import json
import os
import re
import sys
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from local.watch import Call, Watch, end

# The packages of the emulator are imported late, because `local/stack.py` imports this file too.

NAMES: Final = ("127.0.0.1", "localhost")
"""The names of this machine. A page whose own name was bound to loopback afterwards (DNS rebinding)
still sends its own name, and no site can own one of these.
"""
API: Final = re.compile(r"/_aws/execute-api/[a-z0-9]+/[^/]+")
"""The path of deployed APIs. They judge callers and other origins by their own rules."""
CALLS: Final = "/_door/calls"
"""The path of what the door has seen."""
OWN_ROUTES: Final = ("/_ministack/", CALLS)
"""The paths by which the emulator itself is read and configured, and the door."""
POOL_DOCUMENTS: Final = re.compile(r"/[\w-]+_\w+/\.well-known/(jwks\.json|openid-configuration)")
"""The documents that a pool publishes. No bucket has a `_` in its name, so nothing else fits."""
COGNITO: Final = "AWSCognitoIdentityProviderService."
"""The prefix of the actions of user pools in `X-Amz-Target`."""
OWN_SITES: Final = {"none", "same-origin", "same-site"}
"""The values of `Sec-Fetch-Site` of requests that no foreign page sends."""

_ALLOWED: Final = b"access-control-allow-origin"

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Message, Receive, Send], Awaitable[None]]


def route_key(secret: str, path: str) -> str:
    """Return the value of the query member `key` that opens one of the emulator's own routes.

    It opens no other path and tells nothing about the secret, so it may be part of an address.
    """
    return hmac.digest(secret.encode(), path.encode(), "sha256").hex()[:32]


@dataclass(frozen=True)
class Door:
    """An ASGI application in front of another one."""

    app: App
    secret: str
    hosts: frozenset[str]
    """The values of `Host` that lead here."""
    origins: frozenset[str]
    """The origins of web pages that may use the API of this stack."""
    unsigned: frozenset[str]
    """The values of `X-Amz-Target` that Cognito takes without a signature."""
    watch: Watch

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = _join(scope["headers"])
        # A server that answers before the end of a body has to close the connection, and the client
        # loses the answer, or its next request on that connection.
        body = await _read(receive)
        if (
            body is None
            or not self._is_of_this_machine(scope, headers)
            or not self._is_known(scope, headers, body)
        ):
            await _refuse(send)
            return
        if scope["path"] == CALLS:
            await _send(send, HTTPStatus.OK, "application/json", json.dumps([*self.watch.calls]))
            return
        call = self._note(scope, headers, body)
        unread: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def ask() -> Message:
            return unread.pop() if unread else await receive()

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._correct(scope, headers, message["headers"])
                if call:
                    end(call, message["status"])
            elif call:
                self.watch.learn(call, message.get("body", b""))
            await send(message)

        await self.app(scope, ask, answer)

    def _note(self, scope: Message, headers: Mapping[str, str], body: bytes) -> Call | None:
        """Note what the page draws: posts to the API, and calls that no page makes."""
        path = scope["path"]
        if of_api := API.match(path):
            posted = scope["method"] == "POST"
            path = path[of_api.end() :]
            return self.watch.request(path, headers, body) if posted else None
        if "origin" in headers:
            return None
        key = _claimed_key(scope, headers)
        return self.watch.call(key, path, headers, body)

    def _is_of_this_machine(self, scope: Message, headers: Mapping[str, str]) -> bool:
        if headers.get("host") not in self.hosts:
            return False
        if API.match(scope["path"]) or self._signs_in(scope, headers):
            return True
        origin = headers.get("origin")
        own = origin is None or urlsplit(origin).netloc == headers["host"]
        return own and headers.get("sec-fetch-site", "none") in OWN_SITES

    def _is_known(self, scope: Message, headers: Mapping[str, str], body: bytes) -> bool:
        """Whether the caller has a key, or needs none. One that claims an AWS key needs it."""
        method, path = scope["method"], scope["path"]
        if path.startswith(OWN_ROUTES):
            key = _query(scope).get("key", [""])[0]
            return hmac.compare_digest(key.encode(), route_key(self.secret, path).encode())
        if _claimed_key(scope, headers):
            return _is_signed(scope, headers, body)
        return (
            API.match(path) is not None
            or (method == "GET" and POOL_DOCUMENTS.fullmatch(path) is not None)
            or (
                (method, path, scope["query_string"]) == ("POST", "/", b"")
                and headers.get("x-amz-target") in self.unsigned
            )
            or self._signs_in(scope, headers)
        )

    def _signs_in(self, scope: Message, headers: Mapping[str, str]) -> bool:
        """Whether a page that may use the API calls Cognito, as AWS lets every page do."""
        target = headers.get("x-amz-target")
        asks = scope["method"] == "OPTIONS" and target is None
        calls = scope["method"] == "POST" and target in self.unsigned
        at_root = (scope["path"], scope["query_string"]) == ("/", b"")
        return at_root and headers.get("origin") in self.origins and (asks or calls)

    def _correct(
        self, scope: Message, asked: Mapping[str, str], headers: Iterable[tuple[bytes, bytes]]
    ) -> list[tuple[bytes, bytes]]:
        """Answer other origins as AWS does, and add the request ID that AWS always sends."""
        of_api = API.match(scope["path"]) or self._signs_in(scope, asked)
        kept = [
            (name, self._choose(scope, asked, value) if name.lower() == _ALLOWED else value)
            for name, value in headers
            if of_api or not name.lower().startswith(b"access-control-")
        ]
        if not any(name.lower() == b"x-amzn-requestid" for name, _ in kept):
            kept.append((b"x-amzn-requestid", str(uuid.uuid4()).encode()))
        return kept

    def _choose(self, scope: Message, asked: Mapping[str, str], allowed: bytes) -> bytes:
        """Allow the origin that asks in a preflight, or that signs a user in.

        The CDK lists the first origin as the answer and the others in a template that replaces it,
        and the emulator evaluates no template of a response.
        """
        origins = {allowed.decode("latin-1"), asked.get("origin", "")}
        asks = scope["method"] == "OPTIONS" and origins <= self.origins
        if asks or self._signs_in(scope, asked):
            return asked["origin"].encode()
        return allowed


def _join(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return the headers as SigV4 signs them, with one value for each name."""
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("utf-8", "replace")
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _query(scope: Message) -> dict[str, list[str]]:
    return parse_qs(scope["query_string"].decode("utf-8", "replace"), keep_blank_values=True)


def _claimed_key(scope: Message, headers: Mapping[str, str]) -> str:
    """Return the ID of the access key for which the emulator would take this request."""
    from ministack.core.router import extract_access_key_id  # noqa: PLC0415

    key: str = extract_access_key_id(headers, _query(scope))
    return key


def _is_signed(scope: Message, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the run's key, or one that the emulator issued, signed the request's headers.

    The emulator verifies issued keys itself too, but not on each of its paths.
    """
    from ministack.core.iam_evaluator import ResolvedCredential, resolve_credential  # noqa: PLC0415
    from ministack.core.sigv4 import (  # noqa: PLC0415
        header_signature_failure,
        parse_header_signature,
        request_time_failure,
    )

    if not headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
        return False
    signature = parse_header_signature(headers)
    if isinstance(signature, tuple):
        return False
    # It gives the root user's secret for `test` and account IDs too, and nobody else has that.
    credential = resolve_credential(
        _claimed_key(scope, headers), session_token=headers.get("x-amz-security-token", "")
    )
    return (
        isinstance(credential, ResolvedCredential)
        and request_time_failure(signature) is None
        and header_signature_failure(
            signature,
            credential.secret_access_key,
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            _query(scope),
            headers,
            body,
        )
        is None
    )


async def _read(receive: Receive) -> bytes | None:
    """Return all of a request's body; None if the client went away before its end."""
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)


async def _refuse(send: Send) -> None:
    text = "Sign the request with the key in stack.json. Web pages can use only the API.\n"
    await _send(send, HTTPStatus.FORBIDDEN, "text/plain", text)


async def _send(send: Send, status: HTTPStatus, kind: str, text: str) -> None:
    body = text.encode()
    headers = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _issue_secrets(secret: str, watch: Watch) -> None:
    """Let the credentials of functions depend on the run's secret.

    The emulator derives them from the names of the function and its role, and those from the names
    in the template, so anyone who has this repository could compute them.
    """
    from ministack.core import lambda_runtime  # noqa: PLC0415

    derive = lambda_runtime.execution_credentials

    def issue(config: Mapping[str, Any]) -> dict[str, str]:
        # Only what follows the last slash is the role's name; all of it is hashed.
        issued: dict[str, str] = derive({**config, "Role": f"{secret}/{config['Role']}"})
        watch.introduce(issued["AWS_ACCESS_KEY_ID"], config["Handler"])
        return issued

    # The other modules import the name from there when the first function is created.
    lambda_runtime.execution_credentials = issue


def main() -> None:
    """Serve the emulator at the address that its own variables name, to the origins of `argv`."""
    secret, port = os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["GATEWAY_PORT"]
    watch = Watch()
    _issue_secrets(secret, watch)
    from hypercorn.asyncio import serve  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415
    from ministack.app import app  # noqa: PLC0415
    from ministack.core.iam_actions import unsigned_operations  # noqa: PLC0415

    # Servers between the functions and the emulator forward the `Host` that was signed for them.
    fronts = (url for name, url in os.environ.items() if name.startswith("AWS_ENDPOINT_URL"))
    hosts = {f"{name}:{port}" for name in NAMES} | {urlsplit(url).netloc for url in fronts}
    door = Door(
        app,
        secret=secret,
        hosts=frozenset(hosts),
        origins=frozenset(sys.argv[1:]),
        unsigned=frozenset(COGNITO + name for name in unsigned_operations("cognito-idp")),
        watch=watch,
    )
    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{port}"]
    config.keep_alive_timeout = 75
    asyncio.run(serve(door, config))


if __name__ == "__main__":
    main()
