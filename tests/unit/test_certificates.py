"""A call to a host that no known certificate verifies."""

import logging
import os
import socket
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import SSLError

from functions.aws.actions import CHANGES
from functions.aws.clients import make_client
from tests.support.tls import TlsServer, make_certificate, resolve_to, serve


def call(server: TlsServer, roots: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Ask for a change by a client that starts with these roots, and is to ask once."""
    for name in list(os.environ):
        if name.startswith(("AWS_ENDPOINT_URL", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")):
            monkeypatch.delenv(name)
    monkeypatch.setattr(socket, "getaddrinfo", resolve_to(server))
    client = make_client(CHANGES, roots=str(roots))
    return client.forgot_password(ClientId="a-client", Username="demo@example.com")


@pytest.mark.parametrize(
    ("shows", "trusted", "connections"),
    [("a", "a", 1), ("a", "b", 2), ("", "a", 1)],
    ids=["verified", "verified by none", "no TLS"],
)
def test_all_certificates_are_tried_once_and_nothing_is_sent_to_a_host_that_none_verifies(
    shows: str,
    trusted: str,
    connections: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    pairs = {name: make_certificate(tmp_path / name) for name in "ab"}
    verified = shows == trusted

    with serve(pairs.get(shows)) as server:
        with nullcontext() if verified else pytest.raises(SSLError):
            call(server, pairs[trusted][1], monkeypatch)

        assert server.connections == connections
        assert server.requests == (["ForgotPassword"] if verified else [])
    again = [logging.WARNING] * 2 if connections == 2 else []
    assert [record.levelno for record in caplog.records] == again
