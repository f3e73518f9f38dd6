"""A server that calls for its users names their addresses, if it proves that it may."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from functions.operations import Operation
from functions.protection.limits import ADDRESSES_BY_SERVERS
from tests.support import PATIENCE, ROOT
from tests.support.contract import WITH_BODY, assert_is_problem, ids
from tests.support.invocation import BODIES
from tests.unit.conftest import Configure, Service

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
SECRETS = ("the-secret-in-use", "the-secret-that-comes-next")
GIVEN = {"server_secret": SECRETS[0], "next_server_secret": SECRETS[1]}
USER = "198.51.100.7"


pytestmark = pytest.mark.usefixtures("servers")


@pytest.fixture
def servers(configure: Configure) -> None:
    configure(**GIVEN)


def named(address: str, secret: str = SECRETS[0]) -> dict[str, str]:
    return {"Caller-Secret": secret, "Caller-Address": address}


@pytest.mark.parametrize("operation", WITH_BODY, ids=ids)
@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("address", [USER, "2001:db8::7"])
def test_the_address_that_a_server_names_is_the_callers(
    operation: Operation, secret: str, address: str, service: Service
) -> None:
    service.configure(**GIVEN, event_bus_name="the-bus", mail_from="a@example.com")
    reply = service.invoke(operation, headers=named(address, secret))

    assert reply.status < 300
    assert (reply.log["source_ip"], reply.log["by_server"]) == (address, True)
    told = service.cognito.messages
    messages = [json.loads(one["MessageBody"]) for one in told]
    assert {one["source_ip"] for one in messages} <= {address}
    assert not any(secret in one for one in (reply.text, reply.printed, str(told)))


@pytest.mark.parametrize(
    "headers",
    [
        {"Caller-Secret": "wrong", "Caller-Address": USER},
        {"Caller-Secret": "", "Caller-Address": USER},
        {"Caller-Address": USER},
        {"Caller-Secret": SECRETS[0].upper(), "Caller-Address": USER},
        {"Caller-Secret": "\u00e9", "Caller-Address": "no address"},
    ],
)
def test_a_wrong_secret_or_none_names_nobody_and_is_counted(
    headers: dict[str, str], service: Service
) -> None:
    plain = service.invoke(RESET)
    reply = service.invoke(RESET, headers=headers)

    assert reply[:3] == plain[:3]
    assert reply.log["source_ip"] == plain.log["source_ip"]
    assert reply.metrics == {"Success", "WrongServerSecret"}


def test_a_secret_that_was_sent_twice_names_nobody(service: Service) -> None:
    twice = {"Caller-Secret": list(SECRETS), "Caller-Address": [USER]}

    reply = service.invoke(RESET, multiValueHeaders=twice)

    assert reply.metrics == {"Success", "WrongServerSecret"}
    assert reply.log["source_ip"] != USER


@pytest.mark.parametrize(
    "address",
    [
        *("", "example.com", f"{USER}, 192.0.2.1", f"{USER}:443", "198.51.100.0/24", "1"),
        *(f" {USER}", f"{USER}\n", "2001:db8::7%eth0", "2001:db8::7%<b>any text", "[2001:db8::7]"),
    ],
)
def test_a_server_names_exactly_one_literal_address(address: str, service: Service) -> None:
    connection = service.invoke(RESET).log["source_ip"]
    for headers in (named(address), {"Caller-Secret": SECRETS[0]}):
        reply = service.invoke(RESET, headers=headers)

        assert_is_problem(reply, 400, "InvalidParameterException")
        assert reply.rules == {("Caller-Address", "ipAddress")}
        # The operator finds the server that has the mistake.
        assert reply.log["source_ip"] == connection


def test_a_server_does_not_name_two_addresses(service: Service) -> None:
    secret = {"Caller-Secret": [SECRETS[0]]}
    for addresses in ([USER, "2001:db8::7%a"], [USER, USER]):
        sent = secret | {"Caller-Address": addresses}

        reply = service.invoke(RESET, multiValueHeaders=sent)

        assert reply.rules == {("Caller-Address", "ipAddress")}


def test_without_secrets_the_headers_mean_nothing(service: Service) -> None:
    service.configure()

    reply = service.invoke(RESET, headers=named("no address"))

    assert (reply.status, reply.metrics) == (200, {"Success"})


@pytest.mark.usefixtures("dynamodb")
def test_limits_count_the_users_behind_a_server_apart_and_each_over_all_addresses(
    service: Service,
) -> None:
    service.configure(**GIVEN, limits=True, attempts_per_address=2)

    others = [
        service.invoke(RESET, {"username": f"ada{n}"}, headers=named(f"198.51.100.{n}")).status
        for n in range(5)
    ]
    statuses = [
        service.invoke(CONFIRM, headers=named(f"203.0.113.{n}")).status
        for n in range(ADDRESSES_BY_SERVERS * 10 + 1)
    ]

    assert others == [200] * 5
    assert statuses == [204] * (ADDRESSES_BY_SERVERS * 10) + [429]
    # From the user's own connection, nobody has used up anything.
    assert service.invoke(CONFIRM).status == 204


class Seen(BaseHTTPRequestHandler):
    requests: list[tuple[dict[str, str], dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"isPasswordReset": false}')

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def seen() -> Iterator[tuple[str, list[tuple[dict[str, str], dict[str, Any]]]]]:
    handler = type("Handler", (Seen,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", handler.requests  # type: ignore[attr-defined]
        server.shutdown()


@pytest.mark.parametrize(
    "command",
    [
        (
            *("node", "--input-type=module", "--eval"),
            """import { resetPassword } from './reset-password.mjs';
            console.log(JSON.stringify(await resetPassword('ada', '198.51.100.7')));""",
        ),
        (
            *(sys.executable, "-c"),
            """import json
from reset_password import reset_password
print(json.dumps(reset_password('ada', '198.51.100.7')))""",
        ),
    ],
    ids=["node", "python"],
)
def test_an_example_sends_what_the_service_reads(
    command: tuple[str, ...], seen: tuple[str, list[Any]], service: Service
) -> None:
    url, requests = seen
    environment = {"PASSWORD_SERVICE_URL": url, "CALLER_SECRET": SECRETS[1]}
    answer = subprocess.run(
        command,
        cwd=ROOT / "examples" / "server",
        env={"PATH": os.environ["PATH"]} | environment,
        capture_output=True,
        check=True,
        timeout=PATIENCE,
    )

    assert json.loads(answer.stdout) == {"isPasswordReset": False}
    ((headers, body),) = requests
    reply = service.invoke(RESET, body, headers=headers | {"content-type": "application/json"})
    assert (reply.status, reply.log["source_ip"]) == (200, USER)
    assert BODIES[RESET].keys() >= body.keys()
