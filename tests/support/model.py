"""A model of the Cognito that AWS documents, with a clock that tests can move.

Serve it by `CognitoFront(respond=CognitoModel().respond)`. Where AWS documents several
behaviours or none, it does what tells an attacker more.
"""

import hmac
import random
from base64 import b64encode
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from tests.support.front import CLIENT_SECRET, Refusal
from tests.support.invocation import make_claims, make_token

HOUR: Final = 3600.0
"""The life of a code and of an access token, and the window of the limits, in seconds."""

_DELIVERY: Final = {"Destination": "z***@z***", "DeliveryMedium": "SMS", "AttributeName": "phone"}
_UNKNOWN: Final = ("UserNotFoundException", "Username/client id combination not found.")
_WRONG_CODE: Final = ("CodeMismatchException", "Invalid verification code provided.")
_WRONG_STATE: Final = ("NotAuthorizedException", "User password cannot be reset in current state.")


class Kind(Enum):
    """The state of an account; an unknown user has none."""

    ORDINARY = auto()
    DISABLED = auto()
    UNCONFIRMED = auto()
    UNVERIFIED = auto()
    FORCE_CHANGE_PASSWORD = auto()
    FEDERATED = auto()


_NO_CODE: Final = {
    Kind.DISABLED: ("NotAuthorizedException", "User is disabled."),
    Kind.UNCONFIRMED: ("UserNotConfirmedException", "User is not confirmed."),
    Kind.UNVERIFIED: ("InvalidParameterException", "There is no verified email or phone_number"),
    Kind.FORCE_CHANGE_PASSWORD: _WRONG_STATE,
    Kind.FEDERATED: _WRONG_STATE,
}


@dataclass
class User:
    """An account of the pool; its code is empty when there is none, or when it was used."""

    password: str
    kind: Kind = Kind.ORDINARY
    code: str = ""
    code_expires: float = 0.0
    recoveries: list[float] = field(default_factory=list)
    changes: list[float] = field(default_factory=list)


@dataclass
class _Session:
    user: User
    expires: float
    revoked: bool = False


@dataclass
class CognitoModel:
    """One user pool with one app client, which has a secret."""

    prevent_user_existence_errors: bool = True
    minimum_length: int = 15
    recoveries_per_hour: int = 20
    """Requests and confirmations for each user: AWS lets 5 to 20 pass, as it rates the risk."""
    changes_per_hour: int = 5
    users: dict[str, User] = field(default_factory=dict)
    now: float = 0.0
    _sessions: dict[str, _Session] = field(default_factory=dict)

    def respond(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """Cognito's answer; a `Refusal` echoes what was sent, as Cognito's messages can."""
        try:
            return self._act(action, body)
        except Refusal as refusal:
            refusal.message = f"{refusal.message} You sent {', '.join(map(str, body.values()))}."
            raise

    @property
    def live_tokens(self) -> set[str]:
        """The access tokens that neither a sign-out nor time has ended."""
        sessions = self._sessions.items()
        return {token for token, one in sessions if not one.revoked and self.now < one.expires}

    def sign_in(self, username: str, password: str) -> str:
        """Return an access token."""
        user = self.users[username]
        if user.kind is not Kind.ORDINARY or user.password != password:
            raise Refusal("NotAuthorizedException", "Incorrect username or password.")
        token = make_token(make_claims() | {"jti": _random("jti")})
        self._sessions[token] = _Session(user, self.now + HOUR)
        return token

    def _act(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        match action:
            case "DescribeUserPool":
                rules = {"MinimumLength": self.minimum_length}
                return {"UserPool": {"Policies": {"PasswordPolicy": rules}}}
            case "DescribeUserPoolClient":
                return {"UserPoolClient": body | {"ClientSecret": CLIENT_SECRET}}
            case "ForgotPassword":
                return self._send_code(self._user(body))
            case "ConfirmForgotPassword":
                self._confirm(self._user(body), body["ConfirmationCode"], body["Password"])
            case "ChangePassword":
                user = self._session(body["AccessToken"]).user
                self._change(user, body["PreviousPassword"], body["ProposedPassword"])
            case "GetUser":
                user = self._session(body["AccessToken"]).user
                (name,) = (name for name, one in self.users.items() if one is user)
                email = {"Name": "email", "Value": name}
                return {"Username": f"sub-of-{name}", "UserAttributes": [email]}
            case "GlobalSignOut":
                self._end_sessions(self._session(body["AccessToken"]).user)
            case "AdminGetUser" | "AdminUserGlobalSignOut":
                return self._administer(action, body["Username"])
            case _:
                raise Refusal("UnknownOperationException", action)
        return {}

    def _administer(self, action: str, username: str) -> dict[str, Any]:
        if username not in self.users:
            raise Refusal(*_UNKNOWN)
        if action == "AdminUserGlobalSignOut":
            self._end_sessions(self.users[username])
        address = {"email": username, "email_verified": "true"}
        attributes = [{"Name": name, "Value": value} for name, value in address.items()]
        return {"Username": username, "UserAttributes": attributes}

    def _send_code(self, user: User | None) -> dict[str, Any]:
        if user:
            self._count(user.recoveries, self.recoveries_per_hour)
            if user.kind is Kind.ORDINARY:
                user.code, user.code_expires = _random("code"), self.now + HOUR
                return {"CodeDeliveryDetails": _DELIVERY}
        # For most kinds AWS says that it alternates between the error and a simulated answer.
        alternates = user and user.kind is not Kind.DISABLED and len(user.recoveries) % 2
        if self.prevent_user_existence_errors and not alternates:
            return {"CodeDeliveryDetails": _DELIVERY}
        raise Refusal(*(_NO_CODE[user.kind] if user else _UNKNOWN))

    def _confirm(self, user: User | None, code: str, password: str) -> None:
        if not user or user.kind is Kind.DISABLED:
            raise Refusal(*(_WRONG_CODE if self.prevent_user_existence_errors else _UNKNOWN))
        self._count(user.recoveries, self.recoveries_per_hour)
        if user.kind is Kind.UNCONFIRMED:
            raise Refusal(*_NO_CODE[user.kind])
        if not user.code or user.code_expires <= self.now:
            raise Refusal("ExpiredCodeException", "Invalid code provided, please request again.")
        if user.code != code:
            raise Refusal(*_WRONG_CODE)
        self._choose(user, password)
        user.code = ""

    def _change(self, user: User, old: str, new: str) -> None:
        self._count(user.changes, self.changes_per_hour)
        if user.password != old:
            raise Refusal("NotAuthorizedException", "Incorrect username or password.")
        self._choose(user, new)

    def _choose(self, user: User, password: str) -> None:
        if len(password) < self.minimum_length:
            raise Refusal("InvalidPasswordException", "Password not long enough")
        user.password = password

    def _count(self, attempts: list[float], limit: int) -> None:
        attempts[:] = [attempt for attempt in attempts if attempt > self.now - HOUR]
        if len(attempts) >= limit:
            raise Refusal("LimitExceededException", "Attempt limit exceeded.")
        attempts.append(self.now)

    def _user(self, body: dict[str, Any]) -> User | None:
        message = (body["Username"] + body["ClientId"]).encode()
        digest = hmac.digest(CLIENT_SECRET.encode(), message, "sha256")
        if body.get("SecretHash") != b64encode(digest).decode():
            raise Refusal("NotAuthorizedException", "Unable to verify secret hash for client.")
        return self.users.get(body["Username"])

    def _session(self, token: str) -> _Session:
        session = self._sessions.get(token)
        if session is None:
            raise Refusal("NotAuthorizedException", "Could not verify signature for Access Token")
        if session.revoked:
            raise Refusal("NotAuthorizedException", "Access Token has been revoked")
        if session.expires <= self.now:
            raise Refusal("NotAuthorizedException", "Access Token has expired")
        return session

    def _end_sessions(self, user: User) -> None:
        for session in self._sessions.values():
            session.revoked |= session.user is user


def _random(kind: str) -> str:
    """Nothing else contains it, so that a leak can be searched for."""
    return f"{kind}-{random.getrandbits(64):016x}"
