"""A small range API of breached passwords, so that nothing leaves this machine."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Final

from local.servers import serve

PASSWORDS: Final = ("passwordpassword", "correct horse battery staple", "123456789012345")
"""Long enough for the pool's policy."""


@contextmanager
def breached_passwords(
    passwords: Iterable[str] = PASSWORDS, note: Callable[[str], None] = lambda _: None
) -> Iterator[str]:
    """Serve the range protocol of Have I Been Pwned on loopback; gives the endpoint's URL.

    `note` gets the path of each request.
    """
    hashes = {
        hashlib.sha1(p.encode(), usedforsecurity=False).hexdigest().upper() for p in passwords
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            prefix = self.path.rpartition("/")[2]
            found = [f"{known[5:]}:3" for known in hashes if known.startswith(prefix)]
            padding = hashlib.sha1(prefix.encode(), usedforsecurity=False).hexdigest().upper()[5:]
            body = "\r\n".join([*found, f"{padding}:0"]).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            note(self.path)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Log nothing, because a prefix is part of a password's hash."""

    with serve(Handler) as address:
        yield f"{address}/range"
