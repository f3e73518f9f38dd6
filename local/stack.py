"""The deployed local stack, as tools see it: its addresses, its users and their mail."""

import hmac
import json
import re
import sys
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from html import unescape
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from functions.operations import Operation
from local import emulator
from local.door import CALLS
from local.runs import RUNS
from local.watch import Call

_FILE: Final = "stack.json"
"""The name of the file where `make run` describes its stack, in the folder of its port."""


class User(NamedTuple):
    """A user of the pool who signs in with an email address."""

    username: str
    password: str


class Mail(NamedTuple):
    """A mail in the emulator's mailbox."""

    id: str
    to: str
    subject: str
    text: str
    code: str | None
    time: float
    """Seconds since the epoch."""


class ChallengeError(Exception):
    """The password is right, but Cognito asks for another step."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Cognito asks for another step first ({name}).")


DEMO: Final = tuple(
    User(f"{name}@example.com", "first-quiet-harbour-41") for name in ("demo", "ada", "grace")
)
"""Several, so that visitors do not use up each other's attempts."""


@dataclass(frozen=True)
class Stack:
    """A running stack, as `.local/runs/<port>/stack.json` describes it."""

    url: str
    endpoint: str
    key: emulator.Key = field(repr=False)
    user_pool_id: str
    user_pool_client_id: str
    public_client_id: str
    """The ID of the app client without a secret, by which Amplify signs users in."""
    region: str = emulator.REGION
    demo_users: tuple[User, ...] = DEMO
    lookups: Iterable[Call] = field(default=(), repr=False)
    """The latest requests to the list of breached passwords, which go past the door."""
    patience: float = 60.0
    """Seconds to wait for the worker and the mailbox. A cold worker on a busy machine needs ten."""

    @property
    def demo_user(self) -> User:
        """The one whom commands use."""
        return self.demo_users[0]

    @property
    def mailbox(self) -> str:
        """The address of a JSON document with every mail so far. It opens nothing else."""
        return emulator.own_route(self.endpoint, self.key, "/_ministack/ses/messages")

    @property
    def port(self) -> int:
        """The emulator's port."""
        return int(self.endpoint.rpartition(":")[2])

    @classmethod
    def running(cls, port: int | None = None) -> Self | None:
        """Return the stack of `make run` on this port, if it is alive.

        Without a port, it is the only one there is, or that on the default port.
        """
        if port:
            return cls._load(RUNS / str(port) / _FILE)
        stacks = {s.port: s for file in RUNS.glob(f"*/{_FILE}") if (s := cls._load(file))}
        if len(stacks) > 1 and emulator.PORT not in stacks:
            choice = " or ".join(f"PORT={port}" for port in sorted(stacks))
            sys.exit(f"Several local stacks are running: choose one with {choice}.")
        return stacks.get(emulator.PORT) or next(iter(stacks.values()), None)

    @classmethod
    def _load(cls, file: Path) -> Self | None:
        try:
            document = json.loads(file.read_text())
            endpoint = f"http://{emulator.HOST}:{file.parent.name}"
            key = emulator.Key(document["accessKeyId"], document["secretAccessKey"])
            if not emulator.answers(endpoint, key):
                return None
            stack = cls(
                url=document["url"],
                endpoint=endpoint,
                key=key,
                region=document["region"],
                user_pool_id=document["userPoolId"],
                user_pool_client_id=document["userPoolClientId"],
                public_client_id=document["publicClientId"],
                demo_users=tuple(User(**one) for one in document["demoUsers"]),
            )
            stack.client("cognito-idp").describe_user_pool(UserPoolId=stack.user_pool_id)
        except (OSError, ValueError, KeyError, TypeError, BotoCoreError, ClientError):
            return None
        return stack

    def save(self) -> None:
        """Write the file atomically, so that only its owner can ever read it."""
        document = {
            "url": self.url,
            "endpoint": self.endpoint,
            "region": self.region,
            "accessKeyId": self.key.id,
            "secretAccessKey": self.key.secret,
            "userPoolId": self.user_pool_id,
            "userPoolClientId": self.user_pool_client_id,
            "publicClientId": self.public_client_id,
            "demoUsers": [one._asdict() for one in self.demo_users],
            "mailbox": self.mailbox,
        }
        file = RUNS / str(self.port) / _FILE
        draft = file.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(document, indent=2) + "\n")
        draft.replace(file)

    def client(self, service: str) -> Any:  # noqa: ANN401 - as boto3 has it
        """A boto3 client with every right in the emulated account."""
        return emulator.client(self.endpoint, self.key, service)

    def create(self, user: User) -> None:
        """Add a user with a verified address; one that exists gets this password again."""
        cognito = self.client("cognito-idp")
        with suppress(cognito.exceptions.UsernameExistsException):
            cognito.admin_create_user(
                UserPoolId=self.user_pool_id,
                Username=user.username,
                UserAttributes=[
                    {"Name": "email", "Value": user.username},
                    {"Name": "email_verified", "Value": "true"},
                ],
                TemporaryPassword=user.password,
                MessageAction="SUPPRESS",
            )
        cognito.admin_set_user_password(
            UserPoolId=self.user_pool_id,
            Username=user.username,
            Password=user.password,
            Permanent=True,
        )

    def restart(self) -> None:
        """Give the demo users their first passwords, and forget attempts, keys and pauses."""
        self.settle()
        dynamodb = self.client("dynamodb")
        for name in dynamodb.list_tables()["TableNames"]:
            for page in dynamodb.get_paginator("scan").paginate(TableName=name):
                for item in page["Items"]:
                    dynamodb.delete_item(TableName=name, Key={"id": item["id"]})
        for user in self.demo_users:
            self.create(user)

    def sign_in(self, user: User) -> dict[str, str]:
        """Return the user's tokens: `AccessToken`, `IdToken` and `RefreshToken`.

        Raise `ChallengeError` if Cognito asks for something else before it gives any.
        """
        answer = self.client("cognito-idp").admin_initiate_auth(
            UserPoolId=self.user_pool_id,
            ClientId=self.user_pool_client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={
                "USERNAME": user.username,
                "PASSWORD": user.password,
                "SECRET_HASH": self.secret_hash(user.username),
            },
        )
        if "ChallengeName" in answer:
            raise ChallengeError(answer["ChallengeName"])
        tokens: dict[str, str] = answer["AuthenticationResult"]
        return tokens

    def secret_hash(self, username: str) -> str:
        """Return the hash that proves to Cognito that our app client is calling."""
        return secret_hash(self._app_client, username)

    def request_code(self, username: str) -> str:
        """Let Cognito mail a code, and read the mail."""
        self.client("cognito-idp").forgot_password(
            ClientId=self.user_pool_client_id,
            Username=username,
            SecretHash=self.secret_hash(username),
        )
        return self.code(username) or sys.exit(f"No code was mailed to {username}.")

    @contextmanager
    def throttled(self, operation: Operation, *, rate: float, burst: int) -> Iterator[None]:
        """Throttle an operation, because the emulator takes no throttle from a template."""
        api, stage = self.url.rsplit("/", 2)[1:]
        method = f"/{operation.path.replace('/', '~1')}/{operation.method}"

        def patch(*operations: dict[str, str]) -> None:
            self.client("apigateway").update_stage(
                restApiId=api, stageName=stage, patchOperations=operations
            )

        patch(
            {"op": "replace", "path": f"{method}/throttling/rateLimit", "value": f"{rate}"},
            {"op": "replace", "path": f"{method}/throttling/burstLimit", "value": f"{burst}"},
        )
        try:
            yield
        finally:
            patch({"op": "remove", "path": method})

    def mails(self) -> list[Mail]:
        """Every mail so far, oldest first."""
        answer = urllib3.request("GET", self.mailbox, retries=False, timeout=self.patience).json()
        return [
            Mail(
                id=mail["MessageId"],
                to=", ".join(mail["To"]),
                subject=mail["Subject"],
                text=(text := mail["BodyText"] or _text(mail["BodyHtml"])),
                code=_code(text),
                time=mail["Timestamp"],
            )
            for mails in answer["messages"].values()
            for mail in mails
        ]

    def calls(self) -> list[Call]:
        """The latest requests to the API, and the calls of the functions that followed."""
        address = emulator.own_route(self.endpoint, self.key, CALLS)
        seen = urllib3.request("GET", address, retries=False, timeout=self.patience).json()
        return sorted((*seen, *self.lookups), key=lambda call: call["time"])

    @cached_property
    def _app_client(self) -> Mapping[str, Any]:
        """The functions' client, with its secret."""
        described = self.client("cognito-idp").describe_user_pool_client(
            UserPoolId=self.user_pool_id, ClientId=self.user_pool_client_id
        )
        client: Mapping[str, Any] = described["UserPoolClient"]
        return client

    @cached_property
    def mapping(self) -> Mapping[str, str]:
        """The mapping that calls the worker for the functions' own queue."""
        found = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        mappings: list[Mapping[str, str]] = [
            one for one in found if "Support" not in one["EventSourceArn"]
        ]
        (mapping,) = mappings
        return mapping

    @cached_property
    def queue(self) -> str:
        """The URL of the queue to which the functions send."""
        name = self.mapping["EventSourceArn"].rpartition(":")[2]
        url: str = self.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]
        return url

    def settle(self) -> bool:
        """Return whether the worker does everything that is queued before patience runs out."""
        deadline = time.monotonic() + self.patience
        while not (idle := self.is_idle) and time.monotonic() < deadline:
            time.sleep(0.1)
        return idle

    @property
    def is_idle(self) -> bool:
        """Whether the queue is empty, and the worker has nothing in hand."""
        names = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
        counts = self.client("sqs").get_queue_attributes(QueueUrl=self.queue, AttributeNames=names)[
            "Attributes"
        ]
        return not any(int(counts[name]) for name in names)

    def code(self, username: str) -> str | None:
        """The latest code that was mailed to a user, once the worker has done what was queued."""
        self.settle()
        codes = [mail.code for mail in self.mails() if mail.to == username and mail.code]
        return codes[-1] if codes else None


def secret_hash(client: Mapping[str, Any], username: str) -> str:
    """Return the proof that Cognito wants from an app client with a secret."""
    text = username + client["ClientId"]
    return b64encode(hmac.digest(client["ClientSecret"].encode(), text.encode(), "sha256")).decode()


def _text(html: str) -> str:
    """Return the paragraphs of a mail that is HTML only, as Cognito sends those of a trigger."""
    found = re.findall(r"<p[^>]*>(.*?)</p>", html, re.DOTALL)
    return "\n\n".join(unescape(re.sub(r"<[^>]*>", "", one)) for one in found) + "\n"


def _code(text: str) -> str | None:
    found = re.search(r"\b\d{6}\b", text)
    return found[0] if found else None
