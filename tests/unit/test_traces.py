"""Subsegments as X-Ray documents them, in the daemon's UDP format, received by a real socket."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from threading import Barrier
from typing import Any

import pytest

from functions.operations import Operation
from functions.telemetry.traces import Subsegment, XRayProvider
from functions.threads import run_all
from tests.support import PATIENCE
from tests.unit.conftest import Service, mock_table

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
PARENT = "53995c3f42cd8ad8"
# From the documentation of segment documents: the fields of any subsegment, and those that one has
# which is sent by itself.
REQUIRED = {"name", "id", "start_time", "end_time"}
INDEPENDENT = {"type", "trace_id", "parent_id"}
OPTIONAL = {"annotations", "metadata", "fault", "cause", "subsegments", "namespace", "aws"}


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as received:
        received.bind(("127.0.0.1", 0))
        received.settimeout(PATIENCE)
        host, port = received.getsockname()
        monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", f"{host}:{port}")
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={PARENT};Sampled=1;Lineage=a:0")
        yield received


def receive(daemon: socket.socket) -> dict[str, Any]:
    header, _, body = daemon.recv(64 * 1024).partition(b"\n")
    assert json.loads(header) == {"format": "json", "version": 1}
    document: dict[str, Any] = json.loads(body)
    assert document["type"] == "subsegment"
    assert re.fullmatch("1-[0-9a-f]{8}-[0-9a-f]{24}", document["trace_id"])
    check({key: value for key, value in document.items() if key not in INDEPENDENT})
    return document


def check(document: dict[str, Any]) -> None:
    assert REQUIRED <= document.keys() <= REQUIRED | OPTIONAL
    assert re.fullmatch(r"[\w\s.:/%&#=+\\\-@]{1,200}", document["name"])
    assert re.fullmatch("[0-9a-f]{16}", document["id"])
    assert document["start_time"] <= document["end_time"] <= time.time()
    for key, value in document.get("annotations", {}).items():
        assert re.fullmatch(r"\w+", key)
        assert isinstance(value, str | int | float | bool)
    for inner in document.get("subsegments", []):
        check(inner)
        assert document["start_time"] <= inner["start_time"] <= inner["end_time"]
        assert inner["end_time"] <= document["end_time"]


def assert_nothing_more(daemon: socket.socket) -> None:
    daemon.setblocking(False)
    with pytest.raises(BlockingIOError):
        daemon.recv(1)


def test_subsegments_are_sent_once_with_those_within_and_belong_to_the_trace_of_lambda(
    daemon: socket.socket,
) -> None:
    provider = XRayProvider()
    with provider.in_subsegment("## handler") as outer:
        outer.put_annotation("ColdStart", True)
        with provider.in_subsegment("ForgotPassword"):
            provider.put_annotation("cause", "Throttled")
            provider.put_metadata("attempt", 1, namespace="tests")
        with provider.in_subsegment("AdminUserGlobalSignOut"):
            pass
        with provider.in_subsegment("not wanted") as unwanted:
            pass
        outer.remove_subsegment(unwanted)

    document = receive(daemon)
    assert (document["trace_id"], document["parent_id"]) == (ROOT, PARENT)
    assert (document["name"], document["annotations"]) == ("## handler", {"ColdStart": True})
    first, second = document["subsegments"]
    assert (first["name"], second["name"]) == ("ForgotPassword", "AdminUserGlobalSignOut")
    assert first["annotations"] == {"cause": "Throttled"}
    assert first["metadata"] == {"tests": {"attempt": 1}}
    assert_nothing_more(daemon)


def flatten(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield document
    for inner in document.get("subsegments", []):
        yield from flatten(inner)


def test_every_call_of_a_confirmation_is_a_call_to_another_service(
    daemon: socket.socket, service: Service
) -> None:
    """X-Ray draws a service for each subsegment that has a namespace."""
    service.configure(
        limits=True,
        event_bus_name="the-bus",
        mail_from="no-reply@example.com",
        breach_endpoint="http://127.0.0.1:9/range",
    )
    with mock_table():
        service.invoke(Operation.CONFIRM_RESET_PASSWORD, headers={"Idempotency-Key": "key"})
        front = receive(daemon)
        service.work()
    parts = [*flatten(front), *flatten(receive(daemon))]

    calls = {
        (one["namespace"], one["name"], one.get("aws", {}).get("operation"))
        for one in parts
        if "namespace" in one
    }
    assert calls >= {
        ("aws", "cognito-idp", "AdminGetUser"),
        ("aws", "cognito-idp", "ConfirmForgotPassword"),
        ("aws", "cognito-idp", "AdminUserGlobalSignOut"),
        ("aws", "dynamodb", "PutItem"),
        ("aws", "dynamodb", "UpdateItem"),
        ("aws", "events", "PutEvents"),
        ("aws", "sesv2", "SendEmail"),
        ("aws", "sqs", "SendMessageBatch"),
        ("remote", "127.0.0.1:9", None),
    }
    assert [
        one["name"] for one in parts if "namespace" not in one and one["name"][:2] != "##"
    ] == []


def test_an_attempt_above_a_limit_is_no_fault_of_the_table(
    daemon: socket.socket, service: Service
) -> None:
    service.configure(limits=True, reset_password_attempts=1)
    with mock_table():
        for _ in range(2):
            service.invoke(Operation.RESET_PASSWORD)
    parts = [one for _ in range(2) for one in flatten(receive(daemon))]

    assert "ConditionalCheckFailedException" not in json.dumps(parts)
    assert [one["name"] for one in parts if one.get("fault")] == []


def test_what_runs_at_the_same_time_is_inside_the_same_subsegment(daemon: socket.socket) -> None:
    provider, together = XRayProvider(), Barrier(3)

    def call(name: str) -> None:
        with provider.in_subsegment(name):
            together.wait(PATIENCE)
            provider.put_annotation("name", name)
            together.wait(PATIENCE)

    with provider.in_subsegment("## handler"):
        run_all(*(partial(call, name) for name in "abc"))

    inner = receive(daemon)["subsegments"]
    assert sorted(one["name"] for one in inner) == ["a", "b", "c"]
    assert all(one["annotations"] == {"name": one["name"]} for one in inner)
    assert_nothing_more(daemon)


def test_an_exception_is_a_fault_without_its_message(daemon: socket.socket) -> None:
    with pytest.raises(ValueError, match="hunter2"), XRayProvider().in_subsegment("ForgotPassword"):
        raise ValueError("hunter2")

    document = receive(daemon)
    (exception,) = document["cause"]["exceptions"]
    assert document["fault"] is True
    assert (exception["type"], exception["remote"]) == ("ValueError", False)
    assert re.fullmatch("[0-9a-f]{16}", exception["id"])
    assert "hunter2" not in json.dumps(document)


UNSAMPLED = [f"Root={ROOT};Parent={PARENT};Sampled=0", f"Root={ROOT};Sampled=?", "", "nonsense"]


@pytest.mark.parametrize("header", UNSAMPLED)
def test_what_is_not_sampled_is_neither_made_nor_sent(
    header: str, daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    provider = XRayProvider()

    with suppress(ValueError), provider.in_subsegment("outer") as outer:
        # Whether a trace is sampled is decided once, for all parts of a request.
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={PARENT};Sampled=1")
        provider.put_annotation("outcome", "Success")
        provider.put_metadata("attempt", 1)
        with provider.in_subsegment("ForgotPassword") as inner:
            outer.remove_subsegment(inner)
            raise ValueError("hunter2")

    assert [part for part in (outer, inner) if isinstance(part, Subsegment)] == []
    assert_nothing_more(daemon)


def test_each_request_is_sampled_by_itself_and_keeps_nothing_of_what_is_outside(
    daemon: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = XRayProvider()
    provider.patch(["botocore"])
    provider.patch_all()
    for sampled in (0, 1, 0, 1):
        monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={ROOT};Parent={PARENT};Sampled={sampled}")
        provider.put_annotation("outcome", "Success")
        provider.put_metadata("attempt", 1)
        with provider.in_subsegment(f"sampled {sampled}"):
            pass

    for _ in range(2):
        document = receive(daemon)
        assert (document["name"], document.keys() & OPTIONAL) == ("sampled 1", set())


@pytest.mark.parametrize("address", ["nonsense", "127.0.0.1:99999", "127.0.0.1:9", "[::1]:2000"])
@pytest.mark.usefixtures("daemon")
def test_a_daemon_that_cannot_be_reached_stops_nothing(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_XRAY_DAEMON_ADDRESS", address)

    with XRayProvider().in_subsegment("ForgotPassword") as subsegment:
        subsegment.put_annotation("outcome", "Success")
