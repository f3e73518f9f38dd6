"""The pool's own policy and the user's context, before Cognito is asked, all rules at once."""

import hashlib
import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest

from functions.operations import Operation
from local.breaches import PASSWORDS, breached_passwords
from tests.support.contract import assert_is_problem, ids
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES, SUB, Reply
from tests.unit.conftest import Configure, Expire, Invoke, sent

CONFIRM, UPDATE = Operation.CONFIRM_RESET_PASSWORD, Operation.UPDATE_PASSWORD
changing = pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)
NOT_WEAK = "a password that is not weak"
STRICT = {
    "MinimumLength": 12,
    "RequireLowercase": True,
    "RequireNumbers": True,
    "RequireSymbols": True,
    "RequireUppercase": True,
}


def policy(cognito: CognitoFront, **rules: Any) -> None:
    cognito.answer("DescribeUserPool", body={"UserPool": {"Policies": {"PasswordPolicy": rules}}})


def choose(invoke: Invoke, operation: Operation, password: str) -> Reply:
    return invoke(operation, BODIES[operation] | {"newPassword": password})


@changing
def test_lists_every_unmet_rule_at_once(
    operation: Operation, cognito: CognitoFront, invoke: Invoke
) -> None:
    policy(cognito, **STRICT)

    reply = choose(invoke, operation, "\u00e9\u0660 ")

    assert_is_problem(reply, 400, "InvalidPasswordException")
    assert {rule for _, rule in reply.rules} == {
        *("minLength", "requireLowercase", "requireNumbers", "requireUppercase", "edgeSpace")
    }
    assert {pointer for pointer, _ in reply.rules} == {"#/newPassword"}
    assert "at least 12 characters" in reply.text
    assert sent(cognito, operation) == []


@pytest.mark.parametrize(
    ("password", "unmet"),
    [
        ("Aa1-aaaaaaaa", set()),
        ("Aa1 aaaaaaaa", set()),
        ("Aa1\\aaaaaaaa", set()),
        ("Aa1]aaaaaaaa", set()),
        ("aa1-aaaaaaaa", {"requireUppercase"}),
        ("AA1-AAAAAAAA", {"requireLowercase"}),
        ("Aaa-aaaaaaaa", {"requireNumbers"}),
        ("Aa1aaaaaaaaa", {"requireSymbols"}),
        ("Aa1\u00a7aaaaaaaa", {"requireSymbols"}),
        ("Aa1-aaaaaaa", {"minLength"}),
        (" Aa1-aaaaaaaa", {"edgeSpace"}),
        ("Aa1-aaaaaaaa\u3000", {"edgeSpace"}),
    ],
)
def test_judges_as_cognito_does(
    password: str, unmet: set[str], cognito: CognitoFront, invoke: Invoke
) -> None:
    policy(cognito, **STRICT)

    reply = choose(invoke, CONFIRM, password)

    assert (reply.status == 204) == (not unmet)
    assert not unmet or {rule for _, rule in reply.rules} == unmet


@pytest.mark.parametrize(
    ("username", "password", "refused"),
    [
        ("demo@example.com", "i am DEMO@Example.com!!", True),
        ("lovelace@example.com", "my name is Lovelace", True),
        ("andr\u00e9@example.com", "my name is andre\u0301 today", True),
        ("stra\u00dfe@example.com", "the STRASSE where I live", True),
        ("ab@example.com", "cabs are yellow here", False),
        ("ab", "cabs are yellow here", False),
    ],
)
def test_refuses_a_password_that_contains_the_user_name(
    username: str,
    password: str,
    refused: bool,
    invoke: Invoke,
) -> None:
    reply = invoke(CONFIRM, BODIES[CONFIRM] | {"username": username, "newPassword": password})

    assert (reply.status == 400) == refused
    assert not refused or reply.rules == {("#/newPassword", "containsUsername")}


def test_refuses_the_name_that_the_access_token_holds(invoke: Invoke) -> None:
    assert choose(invoke, UPDATE, f"this is {SUB}").rules == {("#/newPassword", "containsUsername")}


def test_refuses_the_old_password_as_the_new_one(cognito: CognitoFront, invoke: Invoke) -> None:
    reply = choose(invoke, UPDATE, BODIES[UPDATE]["oldPassword"])

    assert reply.rules == {("#/newPassword", "sameAsOld")}
    assert sent(cognito, UPDATE) == []


def test_answers_a_weak_password_alike_for_every_user(
    cognito: CognitoFront, invoke: Invoke
) -> None:
    known = choose(invoke, CONFIRM, "weak")
    cognito.answer("ConfirmForgotPassword", error="UserNotFoundException")

    assert choose(invoke, CONFIRM, "weak")[:3] == known[:3]


def test_reads_the_policy_again_after_five_minutes(
    cognito: CognitoFront, invoke: Invoke, expire_policies: Expire
) -> None:
    assert choose(invoke, CONFIRM, "sixteen letters!").status == 204
    policy(cognito, MinimumLength=20)
    assert choose(invoke, CONFIRM, "sixteen letters!").status == 204

    expire_policies()

    assert choose(invoke, CONFIRM, "sixteen letters!").rules == {("#/newPassword", "minLength")}


def test_keeps_the_old_policy_while_it_cannot_be_read(
    cognito: CognitoFront, invoke: Invoke, expire_policies: Expire
) -> None:
    choose(invoke, CONFIRM, "sixteen letters!")
    cognito.answer("DescribeUserPool", error="TooManyRequestsException")
    expire_policies()

    reply = choose(invoke, CONFIRM, "weak")

    assert reply.rules == {("#/newPassword", "minLength")}
    assert "PolicyUnreadable" in reply.metrics


@changing
def test_lets_cognito_judge_by_a_policy_that_was_never_readable(
    operation: Operation, cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer("DescribeUserPool", error="AccessDeniedException")
    cognito.answer(operation.action, error="InvalidPasswordException")

    reply = choose(invoke, operation, "weak")

    assert_is_problem(reply, 400, "InvalidPasswordException")
    assert len(sent(cognito, operation)) == 1
    assert reply.metrics == {"InvalidPasswordException", "PolicyUnreadable"}
    assert reply.log["degradations"] == ["PolicyUnreadable"]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with breached_passwords() as url:
        yield url


@changing
@pytest.mark.parametrize("password", PASSWORDS)
def test_refuses_a_stolen_password_and_says_why(
    operation: Operation,
    password: str,
    endpoint: str,
    cognito: CognitoFront,
    configure: Configure,
    invoke: Invoke,
) -> None:
    configure(breach_endpoint=endpoint)

    reply = choose(invoke, operation, password)

    assert_is_problem(reply, 400, "InvalidPasswordException")
    assert reply.rules == {("#/newPassword", "breached")}
    assert "data breach" in reply.text
    assert sent(cognito, operation) == []


@changing
def test_lets_a_password_pass_that_nobody_has_stolen(
    operation: Operation, endpoint: str, configure: Configure, invoke: Invoke
) -> None:
    configure(breach_endpoint=endpoint)

    assert invoke(operation).metrics == {"Success"}


def test_a_line_that_pads_is_no_breach(configure: Configure, invoke: Invoke) -> None:
    tail = hashlib.sha1(NOT_WEAK.encode()).hexdigest().upper()[5:].encode()

    assert breach_answer(configure, invoke, tail + b":0\r\n").metrics == {"Success"}
    assert breach_answer(configure, invoke, tail + b":1\r\n").status == 400


def breach_answer(
    configure: Configure, invoke: Invoke, body: bytes, status: str = "200 OK"
) -> Reply:
    """Return the reply to one request while the range API answers with this."""
    seen: list[bytes] = []

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            seen.append(connection.recv(4096))
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sendall(head.encode() + body)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, args=(listener,))
        thread.start()
        host, port = listener.getsockname()
        configure(breach_endpoint=f"http://{host}:{port}/range")
        reply = choose(invoke, CONFIRM, NOT_WEAK)
        thread.join()
    (request,) = seen
    path = request.split(b" ")[1].decode()
    assert path.startswith("/range/")
    assert len(path.removeprefix("/range/")) == 5
    assert b"add-padding: true" in request.lower()
    return reply


@pytest.mark.parametrize(
    ("status", "body", "degradations"),
    [
        ("503 Service Unavailable", b"later", {"BreachCheckFailed"}),
        ("200 OK", b"\xff\xfe<html>", set[str]()),
    ],
)
def test_passes_when_the_range_api_makes_no_sense(
    status: str, body: bytes, degradations: set[str], configure: Configure, invoke: Invoke
) -> None:
    reply = breach_answer(configure, invoke, body, status)

    assert reply.status == 204
    assert reply.metrics == {"Success"} | degradations


def test_passes_when_the_range_api_is_gone(configure: Configure, invoke: Invoke) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    configure(breach_endpoint=f"http://127.0.0.1:{port}/range")

    reply = invoke(CONFIRM)

    assert (reply.status, reply.metrics) == (204, {"Success", "BreachCheckFailed"})


@pytest.mark.parametrize("drip", [False, True], ids=["silent", "dripping"])
def test_waits_no_longer_than_a_second_for_the_range_api(
    drip: bool,
    configure: Configure,
    invoke: Invoke,
) -> None:
    def serve(listener: socket.socket, stop: list[bool]) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(0.1)
            connection.recv(4096)
            if drip:
                connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while not stop:
                try:
                    if drip:
                        connection.sendall(b"1\r\nA\r\n")
                    connection.recv(1)
                except TimeoutError:
                    continue
                except OSError:
                    return

    stop: list[bool] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=serve, args=(listener, stop))
        thread.start()
        configure(breach_endpoint=f"http://127.0.0.1:{listener.getsockname()[1]}/range")
        reply = invoke(CONFIRM)
        stop.append(True)
        thread.join()

    assert (reply.status, reply.metrics) == (204, {"Success", "BreachCheckFailed"})
    assert reply.log["duration"] < 2.5
