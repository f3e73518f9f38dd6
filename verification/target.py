"""The deployment that is checked, and the throw-away user with whom it is tried."""

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
from functions.settings import Settings, names_read_by
from verification import srp

MARK: Final = "password-service verification"
"""The attribute `name` of throw-away users, by which one that a killed run left is found."""
PREFIX: Final = "verification"
NOTHING: Final[Mapping[str, str]] = {}

# The IAM actions behind the properties below.
STACK: Final = ("cloudformation:DescribeStacks", "cloudformation:ListStackResources")
POOL: Final = ("cognito-idp:DescribeUserPool",)
CLIENTS: Final = ("cognito-idp:ListUserPoolClients", "cognito-idp:DescribeUserPoolClient")
SETTINGS: Final = ("lambda:GetFunctionConfiguration",)
STAGE: Final = ("apigateway:GET",)
GUEST: Final = (
    *POOL,
    *CLIENTS,
    *SETTINGS,
    "cognito-idp:AdminCreateUser",
    "cognito-idp:AdminSetUserPassword",
    "cognito-idp:AdminDeleteUser",
)


class NotObservedError(Exception):
    """A check cannot be made; the text says why, and what would help."""


class Reply(NamedTuple):
    """What a caller of the API gets, and after how many seconds."""

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
    """Where the throw-away user's mail goes, and how it is read."""

    address: str
    read_code: Callable[[str], str]
    """Return the latest code that was mailed to an address, or nothing."""
    has_notice: Callable[[str], bool]
    """Whether a mail without a code came to an address."""


@dataclass
class Guest:
    """The throw-away user, and what is known of them at this moment."""

    username: str
    email: str
    password: str
    code: str = ""
    token: str = ""
    """An access token of a session that was opened before the password changed."""


@dataclass
class Target:
    """A context manager: the throw-away user, if one was made, is removed in the end."""

    stage: str
    url: str
    outputs: Mapping[str, str]
    resources: Mapping[str, Sequence[str]]
    """The physical IDs of the stack's resources, by type."""
    client: Callable[[str], Any]
    """Return a boto3 client of a service."""
    mailbox: Mailbox | None = None
    patience: float = 0
    """Seconds to wait for what appears late, such as a trace."""
    pause: float = 0
    """Seconds between two requests: the firewall counts those of an address."""
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_values: set[str] = field(default_factory=set)
    """What no report may contain."""
    waits: dict[Operation, list[float]] = field(default_factory=dict)
    """The seconds of every request so far that was not refused by a limit."""
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
        described = self.cognito.describe_user_pool(UserPoolId=self.outputs["UserPoolId"])
        pool: dict[str, Any] = described["UserPool"]
        return pool

    @cached_property
    def clients(self) -> list[dict[str, Any]]:
        """Every app client of the pool."""
        pool = self.outputs["UserPoolId"]
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
        wanted = self.outputs["UserPoolClientId"]
        return next(one for one in self.clients if one["ClientId"] == wanted)

    @property
    def allowed_clients(self) -> list[dict[str, Any]]:
        """The app clients whose tokens `update_password` accepts."""
        allowed = {self.outputs["UserPoolClientId"], *self.settings.allowed_client_ids}
        return [one for one in self.clients if one["ClientId"] in allowed]

    @cached_property
    def functions(self) -> dict[str, dict[str, Any]]:
        """The configuration of each function, by the function's own name."""
        client = self.client("lambda")
        found = [
            client.get_function_configuration(FunctionName=name)
            for name in self.resources.get("AWS::Lambda::Function", ())
        ]
        ours = [one for one in found if one.get("Handler", "").startswith("functions.start.")]
        return {one["Handler"].rpartition(".")[2]: one for one in ours}

    @cached_property
    def settings(self) -> Settings:
        """The settings that the functions were deployed with."""
        variables: dict[str, str] = {}
        for function in self.functions.values():
            variables |= function["Environment"]["Variables"]
        if not variables:
            raise NotObservedError("The stack has no function of the service.")
        try:
            read = Settings.read(variables, {one for f in FUNCTIONS for one in names_read_by(f)})
        except KeyError as missing:
            raise NotObservedError(f"Another version is deployed, without {missing}.") from None
        self.secret_values.add(read.pseudonym_key)
        return read

    @cached_property
    def api_stage(self) -> dict[str, Any]:
        """The deployed stage of the API, as API Gateway describes it, and its ARN."""
        api, stage = self._id("AWS::ApiGateway::RestApi"), self._id("AWS::ApiGateway::Stage")
        described = self.client("apigateway").get_stage(restApiId=api, stageName=stage)
        _, partition, _, region, *_ = self.pool["Arn"].split(":")
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
        able = [c for c in self.allowed_clients if "ALLOW_USER_SRP_AUTH" in _flows(c)]
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
        """Whether the throw-away user can sign in with a password."""
        try:
            self.sign_in(password)
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
        if reply.status != HTTPStatus.TOO_MANY_REQUESTS:
            self.waits.setdefault(operation, []).append(reply.seconds)
        elif not limited:
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
        started = self._sent = time.monotonic()
        answer = _http.request(
            method, self.url + path, body=content, headers={**self.headers, **headers}
        )
        seconds = time.monotonic() - started
        try:
            body = json.loads(answer.data)
        except ValueError:
            body = {}
        return Reply(answer.status, answer.headers, body if isinstance(body, dict) else {}, seconds)

    def wait_for[T](self, look: Callable[[], T]) -> T:
        """Return what a look gives as soon as it gives something, or the last of it."""
        deadline = time.monotonic() + self.patience
        while not (found := look()) and time.monotonic() < deadline:
            time.sleep(min(3.0, self.patience))
        return found

    def redact(self, text: str) -> str:
        """Replace every secret of this run."""
        for secret in sorted(self.secret_values, key=len, reverse=True):
            text = text.replace(secret, "***") if secret else text
        return text


_http: Final = urllib3.PoolManager(retries=False, timeout=30)


def _flows(client: Mapping[str, Any]) -> Sequence[str]:
    flows: Sequence[str] = client.get("ExplicitAuthFlows", ())
    return flows
