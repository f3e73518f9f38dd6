"""Read a deployment, and call it for a throw-away user."""

import json
import secrets
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from functions.operations import FUNCTIONS, Operation
from functions.settings import Runtime, names_read_by
from verification import srp

MARK: Final = "password-service verification"
"""The attribute `name` of throw-away users, by which `leftovers` finds those of killed runs."""
PREFIX: Final = "verification"
NOTHING: Final[Mapping[str, str]] = {}


class NotObservedError(Exception):
    """A check cannot be made. The text says why, and what would help."""


class Reply(NamedTuple):
    """The response to a caller of the API, and how long it took."""

    status: int
    headers: Mapping[str, str]
    body: dict[str, Any]
    seconds: float

    @property
    def code(self) -> str:
        """The `code` of a problem, or nothing."""
        return str(self.body.get("code", ""))

    def __str__(self) -> str:
        return f"{self.status} {self.code}".strip()


class Mailbox(NamedTuple):
    """An inbox for the throw-away user, and how to read it."""

    address: str
    read_code: Callable[[str], str]
    """Return the latest code that was mailed to an address, or nothing."""
    has_notice: Callable[[str], bool]
    """Whether a mail without a code came to an address."""


@dataclass
class Guest:
    """The throw-away user in their present state."""

    username: str
    email: str
    password: str
    reset: bool = False
    """Whether a reset of their password was accepted."""
    code: str = ""
    token: str = ""
    """An access token of a session that was opened before the password changed."""
    own: str = ""
    other: str = ""
    """Access tokens of the session that updated the password, and of another one."""


@dataclass
class Target:
    """A deployment. Leaving the context removes the throw-away user, if there is one."""

    stacks: Sequence[str]
    """The names of the stack and of those nested in it."""
    name: str
    """The path of the construct if the stack has several, or the name of the stack."""
    url: str
    resources: Mapping[str, Sequence[str]]
    """The physical IDs of the service's resources, by type."""
    client: Callable[[str], Any]
    """Return a boto3 client of a service."""
    mailbox: Mailbox | None = None
    reserved: frozenset[str] = frozenset()
    """The functions that have reserved concurrency, by the names of the service."""
    local: bool = False
    """Whether this is the stack of `make run`."""
    patience: float = 0
    """Seconds to wait for what appears late, such as a trace."""
    pause: float = 0
    """Seconds between two requests: the firewall counts those of an address."""
    clock: Callable[[], float] = time.monotonic
    """Return the seconds by which the waits of callers are measured."""
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_values: set[str] = field(default_factory=set)
    """The values that no report may contain."""
    _guest: str = ""
    _sent: float = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._guest:
            return
        try:
            with suppress(self.cognito.exceptions.UserNotFoundException):
                self.cognito.admin_delete_user(UserPoolId=self.pool["Id"], Username=self._guest)
        except (BotoCoreError, ClientError) as failure:
            sys.exit(f"The user {self._guest} could not be removed, so delete it: {failure}")

    @property
    def cognito(self) -> Any:  # noqa: ANN401 - as boto3 has it
        """The client of Cognito."""
        return self.client("cognito-idp")

    @cached_property
    def pool(self) -> dict[str, Any]:
        """The user pool, as Cognito describes it."""
        described = self.cognito.describe_user_pool(UserPoolId=self.settings.user_pool_id)
        pool: dict[str, Any] = described["UserPool"]
        return pool

    @cached_property
    def clients(self) -> list[dict[str, Any]]:
        """Every app client of the pool."""
        pool = self.settings.user_pool_id
        pages = self.cognito.get_paginator("list_user_pool_clients").paginate(UserPoolId=pool)
        found = [
            self.cognito.describe_user_pool_client(UserPoolId=pool, ClientId=one["ClientId"])
            for page in pages
            for one in page["UserPoolClients"]
        ]
        clients = [one["UserPoolClient"] for one in found]
        self.secret_values |= {one["ClientSecret"] for one in clients if one.get("ClientSecret")}
        return clients

    @property
    def service_client(self) -> dict[str, Any]:
        """The app client of the service itself."""
        wanted = self.settings.user_pool_client_id
        return next(one for one in self.clients if one["ClientId"] == wanted)

    @property
    def allowed_clients(self) -> list[dict[str, Any]]:
        """The app clients whose tokens `update_password` accepts."""
        allowed = {self.settings.user_pool_client_id, *self.settings.allowed_client_ids}
        return [one for one in self.clients if one["ClientId"] in allowed]

    @cached_property
    def functions(self) -> dict[str, dict[str, Any]]:
        """The configuration of each function, by the function's own name."""
        client = self.client("lambda")
        found = [
            client.get_function_configuration(FunctionName=name)
            for name in self.resources.get("AWS::Lambda::Function", ())
        ]
        return {function: one for one in found if (function := name_function(one))}

    @cached_property
    def settings(self) -> Runtime:
        """The settings that the functions were deployed with."""
        variables: dict[str, str] = {}
        for function in self.functions.values():
            variables |= function["Environment"]["Variables"]
        if not variables:
            raise NotObservedError("The stack has no function of the service.")
        try:
            read = Runtime.read(
                variables, {one for f in self.functions for one in names_read_by(f)}
            )
        except KeyError as missing:
            raise NotObservedError(f"Another version is deployed, without {missing}.") from None
        keys = read.pseudonym_key, read.server_secret, read.next_server_secret
        self.secret_values |= {one for one in keys if one}
        return read

    @property
    def function_logs(self) -> list[str]:
        """The names of the functions' log groups."""
        return [
            one.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{one['FunctionName']}"
            for one in self.functions.values()
        ]

    @property
    def access_group(self) -> str:
        """The name of the log group with the API's access log, or nothing."""
        arn: str = self.api_stage.get("accessLogSettings", {}).get("destinationArn", "")
        return arn.partition(":log-group:")[2].partition(":")[0]

    @cached_property
    def api_stage(self) -> dict[str, Any]:
        """The deployed stage of the API, as API Gateway describes it, and its ARN."""
        api, stage = self._id("AWS::ApiGateway::RestApi"), self._id("AWS::ApiGateway::Stage")
        described = self.client("apigateway").get_stage(restApiId=api, stageName=stage)
        function = next(iter(self.functions.values()))
        _, partition, _, region, *_ = function["FunctionArn"].split(":")
        arn = f"arn:{partition}:apigateway:{region}::/restapis/{api}/stages/{stage}"
        return {**described, "arn": arn}

    def _id(self, kind: str) -> str:
        ids = self.resources.get(kind, ())
        if len(ids) != 1:
            raise NotObservedError(f"The stack has {len(ids)} resources {kind}, and not one.")
        return ids[0]

    @cached_property
    def guest(self) -> Guest:
        """The throw-away user, with a verified address and a password."""
        pool, email, password = self.pool, self.address(), self.make_password()
        by_email = "email" in pool.get("UsernameAttributes", ())
        username = email if by_email else email.partition("@")[0]
        # Known before it is made: a signal can come in between.
        self._guest = self._guest or username
        with suppress(self.cognito.exceptions.UsernameExistsException):
            self.cognito.admin_create_user(
                UserPoolId=pool["Id"],
                Username=self._guest,
                UserAttributes=[
                    {"Name": "email", "Value": email},
                    {"Name": "email_verified", "Value": "true"},
                    {"Name": "name", "Value": MARK},
                ],
                TemporaryPassword=password,
                MessageAction="SUPPRESS",
            )
        self.cognito.admin_set_user_password(
            UserPoolId=pool["Id"], Username=self._guest, Password=password, Permanent=True
        )
        return Guest(self._guest, email, password)

    def address(self) -> str:
        """Return an address that nobody has, which reaches the mailbox if there is one."""
        mark = f"{PREFIX}-{secrets.token_hex(4)}"
        if not self.mailbox:
            return f"{mark}@example.com"
        name, _, domain = self.mailbox.address.partition("@")
        return f"{name}+{mark}@{domain}"

    def make_password(self) -> str:
        """Return a password that no policy refuses and no report contains."""
        password = f"aZ4-{secrets.token_urlsafe(24)}"
        self.secret_values.add(password)
        return password

    def sign_in(self, password: str) -> str:
        """Return an access token of the throw-away user; `NotAuthorizedException` if refused."""
        guest = self.guest
        able = [
            c
            for c in self.allowed_clients
            if "ALLOW_USER_SRP_AUTH" in c.get("ExplicitAuthFlows", ())
        ]
        if not able:
            raise NotObservedError("No app client that update accepts signs users in by SRP.")
        answer = srp.sign_in(self.cognito, able[0], guest.username, password)
        if "AuthenticationResult" not in answer:
            raise NotObservedError(f"Sign-in asks for {answer['ChallengeName']}.")
        tokens: dict[str, Any] = answer["AuthenticationResult"]
        self.secret_values |= {value for name, value in tokens.items() if name.endswith("Token")}
        token: str = tokens["AccessToken"]
        return token

    def accepts(self, password: str) -> bool:
        """Return whether the throw-away user can sign in with a password."""
        try:
            self.sign_in(password)
        except self.cognito.exceptions.NotAuthorizedException:
            return False
        return True

    def is_live(self, token: str) -> bool:
        """Return whether Cognito still accepts an access token."""
        try:
            self.cognito.get_user(AccessToken=token)
        except self.cognito.exceptions.NotAuthorizedException:
            return False
        return True

    def post(
        self,
        operation: Operation,
        body: Mapping[str, Any],
        *,
        token: str = "",
        key: str = "",
        limited: bool = False,
    ) -> Reply:
        """Send JSON, maybe with an `Idempotency-Key`.

        A 429 ends the check unless it is expected to be `limited`.
        """
        sent = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        reply = self.send(operation.method, operation.path, json.dumps(body), sent)
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS and not limited:
            raise NotObservedError("The limits refuse more attempts: try again in an hour.")
        return reply

    def send(
        self,
        method: str,
        path: str,
        content: str | None = None,
        headers: Mapping[str, str] = NOTHING,
    ) -> Reply:
        """Send one request, as it is."""
        time.sleep(max(0.0, self._sent + self.pause - time.monotonic()))
        self._sent, started = time.monotonic(), self.clock()
        answer = _http.request(
            method, self.url + path, body=content, headers={**self.headers, **headers}
        )
        seconds = self.clock() - started
        try:
            body = json.loads(answer.data)
        except ValueError:
            body = {}
        return Reply(answer.status, answer.headers, body if isinstance(body, dict) else {}, seconds)

    def wait_for[T](self, look: Callable[[], T]) -> T:
        """Wait for what appears late: see `wait_for`."""
        return wait_for(look, self.patience)

    def redact(self, text: str) -> str:
        """Replace every secret of this run."""
        for secret in sorted(self.secret_values, key=len, reverse=True):
            text = text.replace(secret, "***") if secret else text
        return text


def wait_for[T](look: Callable[[], T], patience: float) -> T:
    """Return what a look gives as soon as it gives something, or the last of it."""
    deadline = time.monotonic() + patience
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(_INTERVAL)
    return found


def name_function(described: Mapping[str, Any]) -> str:
    """Return the name of a function of the service by its handler, or nothing for another one."""
    package, *names = str(described.get("Handler", "")).split(".")
    ours = [name for name in names if name in FUNCTIONS]
    return ours[0] if package == "functions" and ours else ""


_INTERVAL: Final = 1.0
"""Seconds between two looks."""
_http: Final = urllib3.PoolManager(retries=False, timeout=300)
