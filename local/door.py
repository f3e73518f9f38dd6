"""The emulator behind a door that no web page can open; `local/emulator.py` runs this file.

The emulator trusts anyone who can reach it, and a page in any browser tab can reach a port of this
machine. So the door passes requests for a loopback name only, which ends DNS rebinding, and from
other origins only those to the API's own path.
"""

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}
API: Final = "/_aws/execute-api/"
"""The path of deployed APIs. They answer other origins by their own rules."""
OWN_SITES: Final = {"none", "same-origin", "same-site"}
"""The values of `Sec-Fetch-Site` of requests that no foreign page sends."""

type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type App = Callable[[Message, Receive, Send], Awaitable[None]]


def guard(app: App) -> App:
    """Return an ASGI application that passes only what this machine's owner sends."""

    async def door(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): v.decode("latin-1") for name, v in scope["headers"]}
        if scope["type"] != "http" or not _may_enter(scope["path"], headers):
            await _refuse(send, websocket=scope["type"] == "websocket")
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _correct(scope["path"], message["headers"])
            await send(message)

        await app(scope, receive, answer)

    return door


def _may_enter(path: str, headers: dict[str, str]) -> bool:
    if urlsplit(f"//{headers.get('host', '')}").hostname not in LOOPBACK:
        return False
    if path.startswith(API):
        return True
    origin = headers.get("origin")
    own = origin is None or urlsplit(origin).netloc == headers["host"]
    return own and headers.get("sec-fetch-site", "none") in OWN_SITES


def _correct(path: str, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Let no other origin read a response of AWS, and add the request ID that AWS always sends."""
    kept = [
        (name, value)
        for name, value in headers
        if path.startswith(API) or not name.lower().startswith(b"access-control-")
    ]
    if not any(name.lower() == b"x-amzn-requestid" for name, _ in kept):
        kept.append((b"x-amzn-requestid", str(uuid.uuid4()).encode()))
    return kept


async def _refuse(send: Send, *, websocket: bool) -> None:
    if websocket:
        await send({"type": "websocket.close", "code": 1008})
        return
    text = b"This address is for programs of this machine's owner, not for web pages.\n"
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(text)).encode())]
    status = HTTPStatus.FORBIDDEN.value
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def main() -> None:
    """Serve the emulator at the address that its own variables name."""
    # They are the emulator's, whose environment has nothing else of this project.
    from hypercorn.asyncio import serve  # noqa: PLC0415
    from hypercorn.config import Config  # noqa: PLC0415
    from ministack.app import app  # noqa: PLC0415

    config = Config()
    config.bind = [f"{os.environ['BIND_HOST']}:{os.environ['GATEWAY_PORT']}"]
    config.keep_alive_timeout = 75
    asyncio.run(serve(guard(app), config))


if __name__ == "__main__":
    main()
