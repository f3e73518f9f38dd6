"""Start the emulator of AWS, and make every client use it."""

import os
import secrets
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import boto3
import urllib3

from local.door import route_key
from local.processes import ROOT, Child, Processes

ACCOUNT: Final = "000000000000"
REGION: Final = "us-east-1"
HOST: Final = "127.0.0.1"
PORT: Final = 4566
"""The default port of `make run`."""

_PYTHON: Final = ROOT / ".local" / "emulator" / "bin" / "python"
_START_UP: Final = 300.0
"""Seconds. A first start on a cold disk takes several, and a busy machine takes longer."""


class Key(NamedTuple):
    """The access key of the emulated account's root user."""

    id: str
    secret: str

    @classmethod
    def new(cls) -> Self:
        """Return a key that nobody can guess."""
        return cls(f"AKIA{secrets.token_hex(8).upper()}", secrets.token_hex(20))


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
        return port


def check_port(port: int, setting: str = "PORT") -> None:
    """Exit unless a server could listen there; the sentence names the setting of the port."""
    with socket.socket() as caller:
        if caller.connect_ex((HOST, port)) == 0:
            sys.exit(
                f"Port {port} is in use by another program: "
                f"stop it, or choose another port with {setting}=."
            )
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            because = error.strerror
            sys.exit(
                f"Port {port} cannot be used ({because}): choose another port with {setting}=."
            )


def environment(endpoint: str = "", key: Key | None = None) -> dict[str, str]:
    """Return the environment of a program that uses this endpoint instead of AWS, by this key.

    Nothing of the user's own AWS settings is left in it: a profile, an endpoint or a CA bundle
    would lead to a real account. The rest is kept, since pip needs the user's index, proxy and
    certificates.
    """
    foreign = ("AWS_", "CDK_", "POWERTOOLS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    direct = ",".join(filter(None, [kept.get("no_proxy", kept.get("NO_PROXY")), HOST]))
    return (
        kept
        | {
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": REGION,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": direct,
            "no_proxy": direct,
        }
        | ({"AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_S3": endpoint} if endpoint else {})
        | (_variables(key) if key else {})
    )


def _variables(key: Key) -> dict[str, str]:
    return {"AWS_ACCESS_KEY_ID": key.id, "AWS_SECRET_ACCESS_KEY": key.secret}


def isolate(endpoint: str = "", key: Key | None = None) -> None:
    """Give this process, too, the environment that leads to no real account."""
    variables = environment(endpoint, key)
    os.environ.clear()
    os.environ.update(variables)


@cache
def client(endpoint: str, key: Key, service: str) -> Any:  # noqa: ANN401 - as boto3 has it
    """A boto3 client that acts as the root user of the emulated account."""
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=key.id,
        aws_secret_access_key=key.secret,
    )


def start(
    processes: Processes,
    *,
    port: int,
    folder: Path,
    key: Key,
    origins: Sequence[str],
    functions: Mapping[str, str],
) -> tuple[str, Child]:
    """Start the emulator; `functions` is added to the environment of the Lambda functions.

    Web pages of these `origins` may use the API. Returns the endpoint before it answers: see
    `wait`.
    """
    if not _PYTHON.exists():
        sys.exit("The emulator is not installed: start through make, which sets it up.")
    temporary = folder / "emulator"
    temporary.mkdir()
    child = processes.start(
        "the emulator",
        _PYTHON,
        *("-m", "local.door"),
        *origins,
        environment={
            "AUTH": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "BIND_HOST": HOST,
            # It would remove containers of another emulator of its kind.
            "DOCKER_HOST": f"unix://{temporary}/none",
            "GATEWAY_PORT": str(port),
            "HOME": str(temporary),
            "IOT_MTLS_ENABLED": "0",
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(temporary),
            "TMPDIR": str(temporary),
            **_variables(key),
            **functions,
        },
    )
    return f"http://{HOST}:{port}", child


def wait(endpoint: str, key: Key, child: Child) -> None:
    """Return when the emulator answers, or exit with what it said."""
    deadline = time.monotonic() + _START_UP
    # Another program may answer, if two start on one port at the same moment.
    while f"Running on {endpoint} " not in child.log.read_text() or not answers(endpoint, key):
        if child.ended:
            check_port(int(endpoint.rpartition(":")[2]))
        if child.ended or time.monotonic() > deadline:
            child.fail()
        time.sleep(0.05)


def answers(endpoint: str, key: Key) -> bool:
    """Whether the emulator that has this key is alive there."""
    health = own_route(endpoint, key, "/_ministack/health")
    try:
        response = urllib3.request("GET", health, retries=False, timeout=30)
    except urllib3.exceptions.HTTPError:
        return False
    return response.status == HTTPStatus.OK


def own_route(endpoint: str, key: Key, path: str) -> str:
    """Return the address of one of the emulator's own routes, with what opens it."""
    return f"{endpoint}{path}?key={route_key(key.secret, path)}"
