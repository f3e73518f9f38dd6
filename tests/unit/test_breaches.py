"""The range API of breached passwords: what it is sent, what it decides, how long it may take."""

import hashlib
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import patch

import pytest

from functions.operations import Operation
from functions.protection.breaches import make_context
from functions.times import Times
from local.breaches import PASSWORDS, breached_passwords
from tests.support import PATIENCE
from tests.support.contract import assert_is_problem
from tests.support.front import make_user
from tests.support.invocation import TIMES, Reply
from tests.support.tls import HOST, make_certificate, resolve_to, serve
from tests.unit.conftest import Configure, Service, sent
from tests.unit.test_passwords import changing, choose

CONFIRM, UPDATE = Operation.CONFIRM_RESET_PASSWORD, Operation.UPDATE_PASSWORD
NOT_WEAK = "a password that is not weak"

type Play = Callable[[socket.socket, Event], object]
"""A server's behaviour on one connection, until the event is set."""


@contextmanager
def range_api(
    configure: Configure, play: Play, times: Times = TIMES, host: str = "127.0.0.1"
) -> Iterator[None]:
    """Serve connections one after the other, and let the functions ask there."""

    def serve() -> None:
        with suppress(OSError):  # the listener was shut down
            while True:
                connection, _ = listener.accept()
                sockets.append(connection)
                with connection, suppress(OSError):
                    play(connection, ended)

    ended = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sockets = [listener]
        thread = Thread(target=serve)
        thread.start()
        url = f"http://{host}:{listener.getsockname()[1]}/range"
        configure(times=times, breach_endpoint=url)
        try:
            yield
        finally:
            ended.set()
            for one in sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            thread.join()


def answer(connection: socket.socket, body: bytes, status: str = "200 OK") -> bytes:
    """Answer one request and return it; empty if there was none."""
    request = connection.recv(4096)
    if request:
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
    return request


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with breached_passwords() as url:
        yield url


@changing
@pytest.mark.parametrize("password", PASSWORDS)
def test_refuses_a_stolen_password_and_says_why(
    operation: Operation, password: str, endpoint: str, service: Service
) -> None:
    service.configure(breach_endpoint=endpoint)

    reply = choose(service.invoke, operation, password)

    assert_is_problem(reply, 400, "InvalidPasswordException")
    assert reply.rules == {("#/newPassword", "breached")}
    assert "data breach" in reply.text
    assert sent(service.cognito, operation) == []


@changing
@pytest.mark.usefixtures("dynamodb")
def test_a_look_up_is_an_attempt(operation: Operation, endpoint: str, service: Service) -> None:
    """Otherwise anyone could ask the range API through this service, as often as they like."""
    service.configure(breach_endpoint=endpoint, limits=True)

    statuses = [choose(service.invoke, operation, PASSWORDS[0]).status for _ in range(11)]

    assert statuses == [400] * 10 + [429]


@pytest.mark.parametrize(
    ("status", "count", "metrics"),
    [
        ("200 OK", b":1", {"InvalidPasswordException"}),
        ("200 OK", b":0", {"Success"}),
        *(("200 OK", count, {"Success"}) for count in (b":", b":x", b":-1", b":\t0")),
        ("200 OK", b"\xff\xfe<html>", {"Success"}),
        ("503 Service Unavailable", b":1", {"Success", "BreachCheckFailed"}),
    ],
    ids=["known", "a line that pads", *["no count"] * 4, "no sense", "down"],
)
def test_sends_five_characters_of_a_hash_and_believes_only_a_count(
    status: str, count: bytes, metrics: set[str], service: Service
) -> None:
    tail = hashlib.sha1(NOT_WEAK.encode()).hexdigest().upper()[5:].encode()
    seen: list[bytes] = []

    with range_api(
        service.configure, lambda one, _: seen.append(answer(one, tail + count, status))
    ):
        assert choose(service.invoke, CONFIRM, NOT_WEAK).metrics == metrics

    (request,) = seen
    path = request.split(b" ")[1].decode()
    assert path.startswith("/range/")
    assert len(path.removeprefix("/range/")) == 5
    assert b"add-padding: true" in request.lower()


def test_knows_a_hash_in_small_letters(service: Service) -> None:
    tail = hashlib.sha1(NOT_WEAK.encode()).hexdigest()[5:].encode()

    with range_api(service.configure, lambda one, _: answer(one, tail + b":7")):
        assert choose(service.invoke, CONFIRM, NOT_WEAK).status == 400


def test_asks_again_if_a_kept_connection_ends_while_it_is_used(service: Service) -> None:
    tail = hashlib.sha1(NOT_WEAK.encode()).hexdigest().upper()[5:].encode()
    seen: list[bytes] = []

    def play(connection: socket.socket, _: Event) -> None:
        seen.append(answer(connection, tail + b":7" if seen else b""))
        if len(seen) == 1:
            connection.recv(4096)  # the next request, which gets no answer

    with range_api(service.configure, play):
        first = choose(service.invoke, CONFIRM, "another password that is fine")
        second = choose(service.invoke, CONFIRM, NOT_WEAK)

    assert (first.status, second.status, len(seen)) == (204, 400, 2)


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, Path]]:
    """The only certificate that a lookup trusts, and its key."""
    made = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made[1]))
    make_context.cache_clear()
    yield made
    make_context.cache_clear()


def test_lookups_use_the_connection_of_the_start_after_tls_has_sent_its_tickets(
    certificate: tuple[Path, Path], service: Service
) -> None:
    with serve(certificate) as server, patch("socket.getaddrinfo", resolve_to(server)):
        service.configure(breach_endpoint=f"https://{HOST}/range")
        service.deployment.handler(CONFIRM).start()
        assert server.connections == 1
        replies = [choose(service.invoke, CONFIRM, NOT_WEAK) for _ in range(2)]

    assert [reply.metrics for reply in replies] == [{"Success"}] * 2
    assert server.connections == 1


def test_a_server_that_closes_each_connection_is_asked_by_a_new_one(service: Service) -> None:
    connections: list[socket.socket] = []

    def play(connection: socket.socket, _: Event) -> None:
        connections.append(connection)
        if connection.recv(4096):
            connection.sendall(OK + b"Connection: close\r\n" + END)

    with range_api(service.configure, play):
        replies = [choose(service.invoke, CONFIRM, NOT_WEAK) for _ in range(2)]

    assert [reply.metrics for reply in replies] == [{"Success"}] * 2
    assert len(connections) == 2


@pytest.mark.parametrize("host", ["127.0.0.1:1", "a..b"])
def test_a_start_survives_a_server_that_is_down(host: str, service: Service) -> None:
    service.configure(breach_endpoint=f"http://{host}/range")

    service.deployment.handler(CONFIRM).start()

    assert_given_up(service.invoke(CONFIRM))


def test_a_start_waits_only_for_the_time_of_a_lookup(service: Service) -> None:
    started, late = Event(), Event()
    service.configure(times=SHORT, breach_endpoint="http://range.example/range")

    with patch("socket.getaddrinfo", hang_until(started, late)):
        service.deployment.handler(CONFIRM).start()
        started.set()

    assert not late.is_set()


def hang_until(event: Event, late: Event) -> Callable[..., object]:
    """Return a `getaddrinfo` that finds `range.example` after the event, or when it is too late."""
    look_up = socket.getaddrinfo

    def hang(host: str, *arguments: Any, **options: Any) -> object:
        if host == "range.example":
            host = "127.0.0.1"
            if not event.wait(PATIENCE):
                late.set()
        return look_up(host, *arguments, **options)

    return hang


OK = b"HTTP/1.1 200 OK\r\n"
END = b"Content-Length: 0\r\n\r\n"
SHORT = TIMES._replace(breaches=0.05)


def drip(head: bytes, piece: bytes, tail: bytes) -> Play:
    """Send pieces quickly, so that no time-out of a socket ends the waiting, and at last the tail.

    A caller that waits for the tail finds that nobody has stolen the password.
    """

    def play(connection: socket.socket, ended: Event) -> None:
        connection.sendall(head)
        for _ in range(int(PATIENCE / 0.005)):
            if ended.wait(0.005):
                return
            connection.sendall(piece)
        connection.sendall(tail)

    return play


SILENCE = drip(b"", b"", OK + END)


@pytest.mark.parametrize(
    "play",
    [
        drip(OK, b"A", b": a\r\n" + END),
        drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nA\r\n", b"0\r\n\r\n"),
        SILENCE,
    ],
    ids=["headers", "body", "silence"],
)
def test_waits_only_for_its_time_for_any_part_of_an_answer(play: Play, service: Service) -> None:
    """Then it closes the connection, as who sends nothing does not see."""
    closed = Event()

    def watched(connection: socket.socket, ended: Event) -> None:
        try:
            play(connection, ended)
        except OSError:
            closed.set()

    with range_api(service.configure, watched, SHORT):
        assert_given_up(service.invoke(CONFIRM))
        assert play is SILENCE or closed.wait(PATIENCE)


def assert_given_up(reply: Reply) -> None:
    assert (reply.status, reply.metrics) == (204, {"Success", "BreachCheckFailed"})


def test_waits_only_for_its_time_for_a_name_server_and_asks_nothing_after_that(
    service: Service,
) -> None:
    given_up, closed, late = Event(), Event(), Event()

    def play(connection: socket.socket, _: Event) -> None:
        while connection.recv(4096):
            pass
        closed.set()

    name_server = patch("socket.getaddrinfo", hang_until(given_up, late))
    with range_api(service.configure, play, SHORT, "range.example"), name_server:
        assert_given_up(service.invoke(CONFIRM))
        given_up.set()
        assert closed.wait(PATIENCE)

    assert not late.is_set()


@pytest.mark.parametrize(
    ("seconds", "served"),
    [(0.0, [2]), (1.0, [2]), (3.0, [1, 1]), (-1.0, [1, 1])],
    ids=["at once", "young", "idle", "the clock was put back"],
)
def test_a_connection_is_used_again_while_it_is_young(
    seconds: float, served: list[int], service: Service
) -> None:
    """One that was idle swallows what is sent, as networks do that have forgotten it."""
    counts = list[int]()

    def play(connection: socket.socket, _: Event) -> None:
        counts.append(0)
        while answer(connection, b""):
            counts[-1] += 1
            if len(counts) < len(served):
                connection.recv(4096)  # swallowed

    with range_api(service.configure, play):
        first = service.invoke(CONFIRM)
        service.clock.now += seconds
        second = service.invoke(CONFIRM)

    assert [first.metrics, second.metrics] == [{"Success"}, {"Success"}]
    assert counts == served


def test_a_connection_that_the_other_end_has_closed_is_not_used_again(service: Service) -> None:
    closed = Event()

    def play(connection: socket.socket, _: Event) -> None:
        answer(connection, b"")
        connection.close()
        closed.set()

    with range_api(service.configure, play):
        first = service.invoke(CONFIRM)
        assert closed.wait(PATIENCE)
        second = service.invoke(CONFIRM)

    assert [first.metrics, second.metrics] == [{"Success"}, {"Success"}]


@changing
def test_the_user_is_read_while_the_password_is_looked_up(
    operation: Operation, service: Service
) -> None:
    asked, read = Event(), Event()

    def respond(action: str, _: object) -> dict[str, Any]:
        if action in {"AdminGetUser", "GetUser"}:
            read.set()
            assert asked.wait(PATIENCE)
        return {"UserPool": {}, "UserPoolClient": {}, **make_user()}

    def play(connection: socket.socket, _: Event) -> None:
        request = connection.recv(4096)
        asked.set()
        assert not request or read.wait(PATIENCE)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with range_api(service.configure, play):
        service.cognito.respond = respond

        reply = choose(service.invoke, operation, NOT_WEAK)

    assert (reply.status, reply.metrics) == (204, {"Success"})


@pytest.mark.parametrize("cognito_takes", [0.25, 1.75])
@pytest.mark.parametrize(
    ("password", "user", "status"),
    [(PASSWORDS[0], make_user(), 400), (NOT_WEAK, {"UserAttributes": [{}]}, 500)],
    ids=["stolen", "crash"],
)
def test_no_failure_tells_how_long_cognito_looked_for_the_user(
    cognito_takes: float,
    password: str,
    user: dict[str, Any],
    status: int,
    endpoint: str,
    service: Service,
) -> None:
    service.configure(breach_endpoint=endpoint, response_interval=2.0)

    def respond(action: str, _: object) -> dict[str, Any]:
        if action == "AdminGetUser":
            service.clock.sleep(cognito_takes)
        return {"UserPool": {}, "UserPoolClient": {}, **user}

    service.cognito.respond = respond
    began = service.clock.now

    reply = choose(service.invoke, CONFIRM, password)

    assert (reply.status, service.clock.now - began) == (status, 2.0)
