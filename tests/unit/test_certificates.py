"""What happens to a call whose host no known certificate verifies."""

import logging
import os
import socket
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


def test_all_certificates_are_tried_once_and_nothing_is_sent_to_a_host_that_none_verifies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "other").mkdir()
    _, other = make_certificate(tmp_path / "other")

    with serve(make_certificate(tmp_path)) as server:
        with pytest.raises(SSLError):
            call(server, other, monkeypatch)

        assert server.connections == 2
        assert server.requests == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2


def test_a_host_that_the_roots_verify_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key, certificate = make_certificate(tmp_path)

    with serve((key, certificate)) as server:
        call(server, certificate, monkeypatch)

        assert (server.connections, server.requests) == (1, ["ForgotPassword"])
    assert caplog.records == []


def test_what_is_not_about_certificates_is_not_retried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, certificate = make_certificate(tmp_path)

    with serve(None) as server:
        with pytest.raises(SSLError):
            call(server, certificate, monkeypatch)

        assert server.connections == 1
    assert caplog.records == []
