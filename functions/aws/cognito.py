"""Ask Cognito about users and pools, and have it act for them."""

import hmac
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from math import inf
from typing import Any, Final, NamedTuple

from functions import outcomes, problems
from functions.aws.cache import Cache
from functions.aws.calls import call
from functions.problems import Failure, Outcome
from functions.records import Degradation, Record
from functions.requests import Caller
from functions.settings import Runtime

POLICY_LIFETIME: Final = 300
"""Seconds."""
POLICY_PAUSE: Final = 3
"""Seconds after a failure during which the policy is not read, so that throttling can end."""
MAX_PAGES: Final = 10
"""The most pages of users with one address. AWS may return several in a row that are empty."""
LIST_LAG: Final = 30
"""Seconds after which the list of sessions has every one that began before."""
INVITED: Final = "FORCE_CHANGE_PASSWORD"
FEDERATED: Final = "EXTERNAL_PROVIDER"
UNCONFIRMED: Final = "UNCONFIRMED"
"""Cognito's statuses of users who cannot get a code."""
_ALIASES: Final = ("email", "phone_number", "preferred_username")
"""The attributes that users can sign in with, besides the username."""


class Pool(NamedTuple):
    """The properties of a user pool that the service reads."""

    policy: dict[str, Any]
    remembers_devices: bool
    """A device can sign in without the second factor."""


class User(NamedTuple):
    """The properties of a user that the service reads."""

    username: str
    status: str
    enabled: bool
    changed_at: float
    """When the account was last changed, in seconds since the epoch."""
    attributes: dict[str, str]

    @property
    def sub(self) -> str:
        """The ID that the user has for ever, and no other user gets."""
        return self.attributes.get("sub", "")

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
    def has_username(self) -> bool:
        """Whether the user has a name of their own, which is not the pool's."""
        return self.username != self.sub

    @property
    def recoverable(self) -> bool:
        """Whether Cognito has a verified address to send a code to."""
        return "true" in map(self.attributes.get, ("email_verified", "phone_number_verified"))

    @property
    def names(self) -> list[str]:
        """Every name that the user may sign in by."""
        values = map(self.attributes.get, _ALIASES)
        return [self.username, *(value for value in values if value)]


class Session(NamedTuple):
    """A session of a user, which the pool tracks."""

    id: str
    is_sso: bool
    """A session of managed login, which gives tokens to apps. The others have the tokens."""
    began_at: float
    is_current: bool
    """The caller's own."""
    origin: str
    """The SSO session that it came from, if any."""


class Cognito:
    """Cognito, as one request or message uses it."""

    def __init__(self, settings: Runtime, record: Record, caller: Caller) -> None:
        self._settings = settings
        self._record = record
        self._caller = caller
        self.was_reached = False
        """Cognito was asked about a user, so this is an attempt."""

    def read_client_secret(self) -> None:
        """Read what proves that our app client calls, and keep it, or raise a `Failure`."""
        _client_secrets.get(self._settings)

    def call_as_client(self, action: str, username: str, **parameters: Any) -> dict[str, Any]:
        """Call an action for a user who is not signed in, with proof that our app client calls.

        Cognito checks the secret hash before it acts. So if the hash is wrong, the secret was
        probably rotated, and is read again, once.
        """
        if self._settings.threat_protection and self._caller.source_ip:
            # Otherwise Cognito would rate the risk of Lambda's own address.
            parameters["UserContextData"] = {"IpAddress": self._caller.source_ip}
        parameters["ClientMetadata"] = self._locale | parameters.get("ClientMetadata", {})
        try:
            return self._ask(action, **self._identify(username), **parameters)
        except Failure as failure:
            if failure.outcome is not outcomes.WRONG_SECRET_HASH:
                raise
        _client_secrets.forget(self._settings)
        return self._ask(action, **self._identify(username), **parameters)

    def end_sessions(self, username: str) -> None:
        """Revoke every token of a user whose password changed, because Cognito leaves them valid.

        A caller's own token allows that. Otherwise, it is an administrator's action.
        """
        if self._caller.access_token:
            call("GlobalSignOut", AccessToken=self._caller.access_token)
        else:
            self._call_for("AdminUserGlobalSignOut", username)

    def list_sessions(self, username: str = "") -> list[Session] | None:
        """Return the sessions of a user, or else of the caller; None if the pool tracks none.

        New ones are in the list a few seconds later.
        """
        if username:
            ask = partial(self._call_for, "AdminListUserSessions", username)
        else:
            ask = partial(self._ask, "ListUserSessions", AccessToken=self._caller.access_token)
        try:
            sessions = _read_pages(ask, "NextToken", "Sessions")
            # AWS's model requires no member.
            return [_read_session(one) for one in sessions if one.get("SessionId")]
        except Failure as failure:
            # A place that does not know an unsigned action may refuse it by any name.
            is_known = failure.outcome.is_known or username
            if failure.outcome not in outcomes.NOT_OFFERED and is_known:
                raise
            return None

    def find_sessions(self, username: str = "") -> list[Session] | None:
        """Return the same for a change, or nothing yet if Cognito fails."""
        try:
            return self.list_sessions(username)
        except Failure as failure:
            if not failure.outcome.final:  # the action itself reports the others
                self._record.degrade(Degradation.SESSIONS_UNREADABLE)
            return []

    def revoke_session(self, session: Session, username: str = "") -> None:
        """Revoke a session of a user, or else of the caller, and the tokens that it gave to apps.

        Cognito never revokes the caller's own one by the caller's token.
        """
        given = {"SessionId": session.id}
        if session.is_sso:
            given["RevokeAssociatedSessions"] = "LINKED"
        try:
            if username:
                self._call_for("AdminRevokeUserSession", username, **given)
            else:
                self._ask("RevokeUserSession", AccessToken=self._caller.access_token, **given)
        except Failure as failure:
            if failure.outcome is not outcomes.NOT_FOUND:  # it has ended meanwhile
                raise

    def require_reset(self, username: str) -> None:
        """Have Cognito refuse a user's password from now on, and send a code for a new one."""
        self._call_for("AdminResetUserPassword", username)

    def forget_devices(self, username: str) -> None:
        """Forget the devices of a user, so that each needs the second factor again."""
        ask = partial(self._call_for, "AdminListDevices", username, Limit=60)
        for device in _read_pages(ask, "PaginationToken", "Devices"):
            self._call_for("AdminForgetDevice", username, DeviceKey=device["DeviceKey"])

    def find_user(self, username: str) -> User | None:
        """Return the user with this sign-in name, or None."""
        try:
            user = self._call_for("AdminGetUser", username)
        except Failure as failure:
            if failure.outcome is not outcomes.USER_NOT_FOUND:
                raise
            return None
        return _read_user(user, user.get("UserAttributes", ()))

    def find_users(self, email: str) -> list[User]:
        """Return the users who have an address, whether or not they can sign in by it.

        The address must be a plain one, because it becomes part of a filter.
        """
        pool, filter_ = self._settings.user_pool_id, f'email = "{self._spell(email)}"'
        search = {"UserPoolId": pool, "Filter": filter_}
        found: list[User] = []
        for _ in range(MAX_PAGES):
            page = call("ListUsers", **search)
            found += (_read_user(user, user.get("Attributes", ())) for user in page["Users"])
            if not (token := page.get("PaginationToken")):
                break
            search["PaginationToken"] = token
        return found

    def invite(self, user: User, username: str) -> None:
        """Resend a user's invitation, with a new temporary password.

        A pool whose users have no names of their own wants the one that the user typed.
        """
        self._call_for(
            "AdminCreateUser",
            user.username if user.has_username else username,
            MessageAction="RESEND",
            ClientMetadata=self._locale,
            # Without this, Cognito would send a text message.
            DesiredDeliveryMediums=["EMAIL" if "email" in user.attributes else "SMS"],
        )

    def describe_pool(self) -> Pool | None:
        """Return what was read of the pool, at most five minutes ago unless Cognito fails.

        Return None if it never could be read.
        """
        try:
            return _pools.get(self._settings)
        except Failure:
            self._record.degrade(Degradation.POLICY_UNREADABLE)
            return _pools.last(self._settings)

    def find_owner(self, username: str = "") -> User | None:
        """Return a user, or else the caller, before a change; None if Cognito fails or has none.

        Anyone may have typed the name, so the response must not depend on the result. Raise a
        `Failure` only for a caller's dead token.
        """
        try:
            if username:
                return self.find_user(username)
            user = self._ask("GetUser", AccessToken=self._caller.access_token)
        except Failure as failure:
            if not username and failure.problem in (problems.NOT_SIGNED_IN, problems.SCOPE_MISSING):
                raise
            if not failure.outcome.final:  # the action itself reports the others
                self._record.degrade(Degradation.NAMES_UNREADABLE)
            return None
        return _read_user(user, user.get("UserAttributes", ()))

    @property
    def _locale(self) -> dict[str, str]:
        """The metadata that tells the pool's triggers the language of the request."""
        return {"locale": self._caller.language} if self._caller.language else {}

    def _call_for(self, action: str, username: str, **parameters: Any) -> dict[str, Any]:
        """Call an action of an administrator about a user."""
        pool, name = self._settings.user_pool_id, self._spell(username)
        return self._ask(action, UserPoolId=pool, Username=name, **parameters)

    def _ask(self, action: str, **parameters: Any) -> dict[str, Any]:
        """Call an action about a user, and note whether Cognito was reached."""
        try:
            answer = call(action, **parameters)
        except Failure as failure:
            if failure.problem is not problems.SERVICE_UNAVAILABLE:
                self.was_reached = True  # and never unset, because others ask at the same time
            raise
        self.was_reached = True
        return answer

    def _spell(self, username: str) -> str:
        """Return the username as a pool that ignores case compares it; any other's as typed."""
        lower = self._settings.lower_case_usernames and "@" in username
        return username.lower() if lower else username

    def _identify(self, username: str) -> dict[str, str]:
        username, client_id = self._spell(username), self._settings.user_pool_client_id
        secret = _client_secrets.get(self._settings)
        identity = {"ClientId": client_id, "Username": username}
        if secret:
            digest = hmac.digest(secret.encode(), (username + client_id).encode(), "sha256")
            identity["SecretHash"] = b64encode(digest).decode()
        return identity


def _read_user(user: Mapping[str, Any], attributes: Iterable[dict[str, str]]) -> User:
    changed = user.get("UserLastModifiedDate")  # which GetUser does not tell
    return User(
        user.get("Username", ""),
        user.get("UserStatus", ""),
        user.get("Enabled", True),
        changed.timestamp() if changed else 0.0,
        {one["Name"]: one.get("Value", "") for one in attributes},
    )


def _read_pages(ask: Callable[..., dict[str, Any]], token: str, members: str) -> list[Any]:
    """Return the members of every page. To act on one may change the next."""
    pages = [ask()]
    while more := pages[-1].get(token):
        pages.append(ask(**{token: more}))
    return [member for page in pages for member in page.get(members, ())]


def _read_session(session: Mapping[str, Any]) -> Session:
    began = session.get("CreateDate")
    return Session(
        session["SessionId"],
        session.get("SessionType") == "SSO",
        began.timestamp() if began else 0.0,
        session.get("IsCurrentSession", False),
        session.get("OriginSessionId") or "",
    )


def _read_pool(settings: Runtime) -> Pool:
    pool = call("DescribeUserPool", UserPoolId=settings.user_pool_id)["UserPool"]
    policy: dict[str, Any] = pool.get("Policies", {}).get("PasswordPolicy", {})
    return Pool(policy, remembers_devices=bool(pool.get("DeviceConfiguration")))


def _read_client_secret(settings: Runtime) -> str:
    action = "DescribeUserPoolClient"
    pool_id, client_id = settings.user_pool_id, settings.user_pool_client_id
    try:
        response = call(action, UserPoolId=pool_id, ClientId=client_id)
    except Failure as failure:
        # Nothing was changed: throttled, unreachable, or a faulty deployment.
        busy = problems.TOO_MANY_REQUESTS, problems.SERVICE_UNAVAILABLE, problems.OUTCOME_UNKNOWN
        is_busy = failure.problem in busy
        problem = problems.SERVICE_UNAVAILABLE if is_busy else problems.INTERNAL_ERROR
        outcome = Outcome(f"{action}.{failure.outcome.cause}", problem, frees_name=True)
        raise outcome.failure(failure.note) from None
    secret: str = response["UserPoolClient"].get("ClientSecret", "")
    return secret


_client_secrets: Final = Cache(_read_client_secret, inf)
"""The client secret, empty for a public client. Read from Cognito to keep it out of templates."""
_pools: Final = Cache(_read_pool, POLICY_LIFETIME, pause=POLICY_PAUSE)


def list_reads(settings: Runtime, actions: Collection[str]) -> list[Callable[[], object]]:
    """Return what reads the secret and the policy that these actions are for, and keeps them."""
    reads: dict[str, Callable[[], object]] = {
        "DescribeUserPoolClient": partial(_client_secrets.get, settings),
        "DescribeUserPool": partial(_pools.get, settings),
    }
    return [read for action, read in reads.items() if action in actions]
