"""The only module that calls Cognito."""

import hmac
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Sequence
from math import inf
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from botocore import xform_name
from botocore.exceptions import (
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's own name
    HTTPClientError,
    SSLError,
)
from botocore.parsers import ResponseParserError

from functions import problems, times
from functions.aws import clients
from functions.problems import MEANINGS, Failure, Problem
from functions.records import Cause, Degradation, Record
from functions.requests import Request
from functions.settings import Settings
from functions.telemetry.traces import tracer

if TYPE_CHECKING:
    from mypy_boto3_cognito_idp import CognitoIdentityProviderClient

POLICY_LIFETIME: Final = 300
"""Seconds."""
POLICY_PAUSE: Final = 3
"""Seconds after a failure during which the policy is not read, so that throttling can end."""
INVITED: Final = "FORCE_CHANGE_PASSWORD"
FEDERATED: Final = "EXTERNAL_PROVIDER"
"""Cognito's statuses of users who have no password of their own."""
_ALIASES: Final = ("email", "phone_number", "preferred_username")
"""The attributes that users can sign in with, besides the username."""


class Pool(NamedTuple):
    """The properties of a user pool that the service reads."""

    policy: dict[str, Any]
    username_attributes: Sequence[str]
    """The attributes that users sign in with, if they have no other username."""


class User(NamedTuple):
    """The properties of a user that the service reads."""

    username: str
    status: str
    enabled: bool
    changed_at: float
    """When the account was last changed, in seconds since the epoch."""
    attributes: dict[str, str]

    @property
    def verified_email(self) -> str:
        """The user's verified email address, or an empty string."""
        verified = self.attributes.get("email_verified") == "true"
        return self.attributes.get("email", "") if verified else ""

    @property
    def locale(self) -> str:
        """The user's language, possibly with a region."""
        return self.attributes.get("locale", "")

    @property
    def recoverable(self) -> bool:
        """Whether Cognito has a verified address to send a code to."""
        return "true" in map(self.attributes.get, ("email_verified", "phone_number_verified"))


class Cache[V]:
    """Keep what was read about each app client, for a number of seconds.

    They are seconds of wall-clock time, because SnapStart restores snapshots that are hours old.
    After a failure, nothing is read for the seconds of `pause`.
    """

    def __init__(self, read: Callable[[Settings], V], seconds: float, pause: float = 0) -> None:
        self._read = read
        self._seconds = seconds
        self._pause = pause
        self._values: dict[tuple[str, str], tuple[V, float]] = {}
        self._failures: dict[tuple[str, str], tuple[Problem, str, float]] = {}

    def get(self, settings: Settings) -> V:
        """Return the value, refreshed if it is too old; raise a `Failure` if that fails."""
        key, now = self._key(settings), times.current().clock.time()
        value, read_at = self._values.get(key, (None, -inf))
        if value is not None and 0 <= now - read_at < self._seconds:
            return value
        problem, cause, failed_at = self._failures.get(key, (problems.INTERNAL_ERROR, "", -inf))
        if 0 <= now - failed_at < self._pause:
            raise Failure(problem, cause=cause)
        try:
            value = self._read(settings)
        except Failure as failure:
            self._failures[key] = failure.problem, failure.cause, times.current().clock.time()
            raise
        self._values[key] = value, times.current().clock.time()
        return value

    def last(self, settings: Settings) -> V | None:
        """Return the last value, even if it is too old."""
        value, _ = self._values.get(self._key(settings), (None, -inf))
        return value

    def forget(self, settings: Settings) -> None:
        """Discard the value, so that the next access reads it again."""
        self._values.pop(self._key(settings), None)

    @staticmethod
    def _key(settings: Settings) -> tuple[str, str]:
        return settings.user_pool_id, settings.user_pool_client_id


def prepare(settings: Settings, actions: Collection[str]) -> None:
    """Create the clients for these actions, and read the secret or policy that they need."""
    for action in actions:
        _client(action)
    if "DescribeUserPoolClient" in actions:
        client_secrets.get(settings)
    if "DescribeUserPool" in actions:
        _pools.get(settings)


def call(action: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - as boto3 has it
    """Return Cognito's response to an action, or raise the `Failure` that its error stands for."""
    client = _client(action)
    with tracer().provider.in_subsegment(name=action) as subsegment:
        try:
            response: dict[str, Any] = getattr(client, xform_name(action))(**parameters)
        except clients.ERRORS as error:
            failure = _failure(error, action, parameters)
            subsegment.put_annotation("cause", failure.cause)
        else:
            return response
    # Outside the subsegment, which would record Cognito's text, and outside the exception's
    # handler, which would chain the exception to this one.
    raise failure


def call_as_client(
    settings: Settings,
    action: str,
    username: str,
    source_ip: str,
    **parameters: Any,  # noqa: ANN401 - as boto3 has it
) -> dict[str, Any]:
    """Call an action for a user who is not signed in, with proof that our app client is calling.

    Cognito checks the secret hash before it acts. So if the hash is wrong, the secret was probably
    rotated, and is read again, once.
    """
    if settings.threat_protection and source_ip:
        # Otherwise Cognito would rate the risk of Lambda's own address.
        parameters["UserContextData"] = {"IpAddress": source_ip}
    try:
        return call(action, **_identity(settings, username), **parameters)
    except Failure as failure:
        if failure.cause != Cause.WRONG_SECRET_HASH:
            raise
    client_secrets.forget(settings)
    return call(action, **_identity(settings, username), **parameters)


def sign_out(settings: Settings, username: str) -> None:
    """Revoke every token of a user whose password changed, because Cognito leaves them valid."""
    call(
        "AdminUserGlobalSignOut",
        UserPoolId=settings.user_pool_id,
        Username=cognito_username(settings, username),
    )


def find_user(settings: Settings, username: str) -> User | None:
    """Return the user with this sign-in name, or None."""
    name = cognito_username(settings, username)
    try:
        user = call("AdminGetUser", UserPoolId=settings.user_pool_id, Username=name)
    except Failure as failure:
        if failure.cause != "UserNotFoundException":
            raise
        return None
    return _read_user(user, user.get("UserAttributes", ()))


def find_users(settings: Settings, email: str) -> list[User]:
    """Return the users who have an address, whether or not they can sign in by it.

    The address must be a plain one, because it becomes part of a filter.
    """
    found = call(
        "ListUsers", UserPoolId=settings.user_pool_id, Filter=f'email = "{email}"', Limit=10
    )
    return [_read_user(user, user.get("Attributes", ())) for user in found["Users"]]


def invite(settings: Settings, user: User, username: str) -> None:
    """Resend a user's invitation, with a new temporary password.

    A pool whose users have no names of their own wants the one that the user typed.
    """
    nameless = user.username == user.attributes.get("sub")
    try:
        call(
            "AdminCreateUser",
            UserPoolId=settings.user_pool_id,
            Username=cognito_username(settings, username) if nameless else user.username,
            MessageAction="RESEND",
            # Without this, Cognito would send a text message.
            DesiredDeliveryMediums=["EMAIL" if "email" in user.attributes else "SMS"],
        )
    except Failure as failure:
        if failure.problem is not problems.OUTCOME_UNKNOWN:
            raise
        # A second invitation does no harm, and none leaves the user waiting.
        raise Failure(problems.CODE_NOT_DELIVERED, cause=failure.cause) from None


def describe_pool(settings: Settings, record: Record) -> Pool | None:
    """Return what was read of the pool, at most five minutes ago unless Cognito fails.

    Return None if it never could be read.
    """
    try:
        return _pools.get(settings)
    except Failure:
        record.degrade(Degradation.POLICY_UNREADABLE)
        return _pools.last(settings)


def sign_in_names(request: Request) -> list[str]:
    """Return every name that the signed-in user may sign in by.

    The username in an access token is not enough: in a pool whose users sign in by email address,
    it is the `sub`.
    """
    try:
        user = call("GetUser", AccessToken=request.caller.access_token)
    except Failure as failure:
        if failure.problem is problems.NOT_SIGNED_IN:
            raise
        if not failure.account_dependent:  # which ChangePassword reports
            request.record.degrade(Degradation.NAMES_UNREADABLE)
        return [request.caller.username]
    values = {one["Name"]: one["Value"] for one in user["UserAttributes"]}
    return [user["Username"], *(values[name] for name in _ALIASES if name in values)]


def cognito_username(settings: Settings, username: str) -> str:
    """Return the username as a pool that ignores case compares it; any other pool's as typed."""
    return username.lower() if settings.lower_case_usernames and "@" in username else username


def _read_user(user: dict[str, Any], attributes: Iterable[dict[str, str]]) -> User:
    return User(
        user.get("Username", ""),
        user.get("UserStatus", ""),
        user.get("Enabled", True),
        user["UserLastModifiedDate"].timestamp(),
        {one["Name"]: one["Value"] for one in attributes},
    )


def _client(action: str) -> "CognitoIdentityProviderClient":
    return _CLIENTS.get(action, clients.changes)()


def _identity(settings: Settings, username: str) -> dict[str, str]:
    username = cognito_username(settings, username)
    client_id, secret = settings.user_pool_client_id, client_secrets.get(settings)
    identity = {"ClientId": client_id, "Username": username}
    if secret:
        digest = hmac.digest(secret.encode(), (username + client_id).encode(), "sha256")
        identity["SecretHash"] = b64encode(digest).decode()
    return identity


def _read_pool(settings: Settings) -> Pool:
    pool = call("DescribeUserPool", UserPoolId=settings.user_pool_id)["UserPool"]
    policy: dict[str, Any] = pool.get("Policies", {}).get("PasswordPolicy", {})
    return Pool(policy, pool.get("UsernameAttributes", ()))


def _read_client_secret(settings: Settings) -> str:
    action = "DescribeUserPoolClient"
    pool_id, client_id = settings.user_pool_id, settings.user_pool_client_id
    try:
        response = call(action, UserPoolId=pool_id, ClientId=client_id)
    except Failure as failure:
        # Nothing was changed: throttled, unreachable, or a faulty deployment.
        raise Failure(
            problems.SERVICE_UNAVAILABLE
            if failure.problem in _TRANSIENT
            else problems.INTERNAL_ERROR,
            cause=f"{action}.{failure.cause}",
            note=failure.note,
        ) from None
    secret: str = response["UserPoolClient"].get("ClientSecret", "")
    return secret


_TRANSIENT: Final = (
    problems.OUTCOME_UNKNOWN,
    problems.SERVICE_UNAVAILABLE,
    problems.TOO_MANY_REQUESTS,
)

client_secrets = Cache(_read_client_secret, inf)
"""The client secret, empty for a public client. Read from Cognito to keep it out of templates."""
_pools = Cache(_read_pool, POLICY_LIFETIME, pause=POLICY_PAUSE)

_CLIENTS: Final = {
    **dict.fromkeys(("ForgotPassword", "AdminCreateUser"), clients.codes),
    **dict.fromkeys(
        (
            *("DescribeUserPool", "DescribeUserPoolClient", "AdminGetUser"),
            *("ListUsers", "GetUser", "AdminUserGlobalSignOut", "GlobalSignOut"),
        ),
        clients.cognito,
    ),
}
"""The actions that may run twice. All others get one attempt."""

_TRANSPORT_PROBLEMS: Final[dict[type[Exception], Problem]] = {
    # TLS can break after the request was sent.
    SSLError: problems.OUTCOME_UNKNOWN,
    ConnectionError: problems.SERVICE_UNAVAILABLE,
    # The request was sent, and its outcome is unknown.
    HTTPClientError: problems.OUTCOME_UNKNOWN,
    clients.ForeignAnswerError: problems.OUTCOME_UNKNOWN,
    clients.OutOfTimeError: problems.SERVICE_UNAVAILABLE,
    ResponseParserError: problems.OUTCOME_UNKNOWN,
    Exception: problems.INTERNAL_ERROR,
}
"""The failures without an answer of Cognito. The first kind that matches wins."""


def _failure(error: Exception, action: str, parameters: dict[str, Any]) -> Failure:
    note = _redact(str(error), parameters)
    account_dependent = False
    if isinstance(error, ClientError):
        cause, problem = _meaning(error, signed_in="AccessToken" in parameters)
        no_account = cause in problems.ACCOUNT_INDEPENDENT or problem is problems.OUTCOME_UNKNOWN
        account_dependent = not no_account
    else:
        cause = type(error).__name__
        problem = next(
            problem for kind, problem in _TRANSPORT_PROBLEMS.items() if isinstance(error, kind)
        )
    return Failure(
        problem, cause=cause, note=note, action=action, account_dependent=account_dependent
    )


def _redact(text: str, parameters: dict[str, Any]) -> str:
    """Remove every value that was sent, because Cognito's messages can echo them."""
    sent: set[str] = set()
    for value in parameters.values():
        if isinstance(value, dict):
            sent |= set(value.values())
        elif isinstance(value, str):
            sent.add(value)
    for value in sorted(sent, key=len, reverse=True):
        text = text.replace(value, "***") if value else text
    return text


def _meaning(error: ClientError, *, signed_in: bool) -> tuple[str, Problem]:
    code, text = error.response["Error"]["Code"], error.response["Error"].get("Message", "").lower()
    for exception, part, cause, problem in MEANINGS:
        if exception == code and part in text:
            return cause, problem
    if code == "NotAuthorizedException":
        unknown = problems.NOT_SIGNED_IN if signed_in else problems.ACCOUNT_NOT_ALLOWED
        return Cause.UNKNOWN_MEANING, unknown
    # If Cognito named no exception, botocore puts the HTTP status here.
    fallback = problems.OUTCOME_UNKNOWN if code.startswith("5") else problems.INTERNAL_ERROR
    return code, problems.COGNITO.get(code, fallback)
