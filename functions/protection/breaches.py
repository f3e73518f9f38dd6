"""Whether a password appeared in a data breach, by the range API of Have I Been Pwned.

Only five characters of the password's SHA-1 are sent (k-anonymity), and padding hides how many
passwords share them. NIST SP 800-63B-4 §3.1.1.2 requires such a check.
"""

import hashlib
import socket
import ssl
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPSConnection
from threading import Thread
from typing import Final
from urllib.parse import urlsplit

from functions import times
from functions.telemetry.traces import tracer

_PREFIX: Final = 5


def contain(endpoint: str, password: str) -> bool | None:
    """Return whether the password is known, or None if the API does not respond in time."""
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    with tracer().provider.in_subsegment(urlsplit(endpoint).netloc, namespace="remote"):
        body = _read(endpoint, digest[:_PREFIX])
    if body is None:
        return None
    lines = f"\n{body.decode('ascii', 'replace').upper()}"
    _, _, rest = lines.partition(f"\n{digest[_PREFIX:]}:")
    count = rest.partition("\n")[0].strip()
    return count.isdecimal() and bool(count.strip("0"))  # padding lines have a count of 0


def connect(endpoint: str) -> None:
    """Open the connection of the first lookup. The caller decides how long to wait."""
    with suppress(Exception):
        connection, now = _take_connection(endpoint), times.now()
        connection.connect()
        _kept.append((endpoint, connection, now))


@cache
def make_context() -> ssl.SSLContext:
    """Return the process's one context: reading the certificates takes tens of milliseconds."""
    return ssl.create_default_context()


class _Lookup(Thread):
    """One request. A thread of its own, because nothing else can stop waiting for a name server.

    Time-outs of a socket do not bound a response either: they begin again with each byte.
    """

    def __init__(self, endpoint: str, prefix: str) -> None:
        super().__init__(daemon=True)
        self.connection = _take_connection(endpoint)
        self.path = f"{urlsplit(endpoint).path}/{prefix}"
        self.body: bytes | None = None
        self._given_up = False

    def run(self) -> None:
        """Set the body if a response arrives. After any failure, the password is accepted."""
        was_kept = self.connection.sock is not None
        with suppress(Exception):
            try:
                self._ask()
            except (ConnectionError, ssl.SSLError):
                # The other end may close a connection just when it is used again.
                if not was_kept or self._given_up:
                    raise
                self.connection.close()
                self._ask()
        if self.body is None or self._given_up:
            self.connection.close()

    def _ask(self) -> None:
        headers = {"Add-Padding": "true", "User-Agent": "password-service"}
        self.connection.request("GET", self.path, headers=headers)
        if not self._given_up:
            response = self.connection.getresponse()
            body = response.read()
            if response.status == 200:  # noqa: PLR2004 - HTTP's own number
                self.body = body

    def give_up(self) -> None:
        """Stop the thread's waiting. Before it has connected, it stops by itself.

        It may take the part that it has read for a whole body.
        """
        self._given_up = True
        if sock := self.connection.sock:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


_kept: list[tuple[str, HTTPConnection, float]] = []
"""Connections that no thread uses, rarely more than one: the endpoint, and the time of use."""


def _read(endpoint: str, prefix: str) -> bytes | None:
    time_limits = times.current()
    lookup = _Lookup(endpoint, prefix)
    lookup.start()
    lookup.join(time_limits.breaches)
    body = lookup.body
    if body is None:
        lookup.give_up()
    else:
        _kept.append((endpoint, lookup.connection, times.now()))
    return body


def _take_connection(endpoint: str) -> HTTPConnection:
    time_limits = times.current()
    while _kept:
        whose, connection, used = _kept.pop()
        young = 0 <= times.now() - used <= time_limits.idle
        if whose == endpoint and young and _is_open(connection):
            return connection
        connection.close()
    url = urlsplit(endpoint)
    if url.scheme == "https":
        return HTTPSConnection(url.netloc, timeout=time_limits.breaches, context=make_context())
    return HTTPConnection(url.netloc, timeout=time_limits.breaches)


def _is_open(connection: HTTPConnection) -> bool:
    """Return whether the other end has kept it open, and has sent nothing but records of TLS."""
    sock = connection.sock
    if not sock:
        return False
    sock.settimeout(0)
    with suppress(OSError):
        try:
            sock.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            sock.settimeout(connection.timeout)
            return True
    return False
