"""Any sequence of requests, sign-ins and hours, against a model of Cognito and of its rules."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from functions.api.caller import read_claims
from functions.operations import Operation
from tests.support.contract import assert_is_problem
from tests.support.front import CLIENT_SECRET, CognitoFront
from tests.support.invocation import Reply, make_claims, make_token
from tests.support.model import HOUR, CognitoModel, Kind, User
from tests.unit.conftest import Invoke, Service

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
# All names look the same when they are masked, so that all answers must be the same.
ORDINARY = ["a0@example.com", "a1@example.com"]
ODD = {f"a{n}@example.com": kind for n, kind in enumerate(Kind, 2) if kind is not Kind.ORDINARY}
NAMES = [*ORDINARY, *ODD, "a9@example.com"]
PASSWORDS = [f"the canary of password {n}" for n in range(5)]
WEAK = "canary-weak"
CODE_OF_NOBODY = "code-of-nobody"
TOKEN_OF_NOBODY = make_token(make_claims() | {"jti": "jti-of-nobody"})

names = st.sampled_from(ORDINARY) | st.sampled_from(NAMES)
passwords = st.sampled_from([*PASSWORDS, WEAK])
# The code or token, counted from the latest; bundles would leave most of the rules unused.
back = st.integers(0, 3)


class Sequences(RuleBasedStateMachine):
    """It knows codes, sessions and passwords only from the rules that it ran."""

    def __init__(self, front: CognitoFront, invoke: Invoke, service: Service) -> None:
        super().__init__()
        self.service = service
        self.front = front
        self.invoke = invoke
        self.passwords = dict.fromkeys([*ORDINARY, *ODD], PASSWORDS[0])
        self.codes = [("", CODE_OF_NOBODY)]
        self.valid: dict[str, tuple[str, float]] = {}
        self.tokens = [TOKEN_OF_NOBODY]
        self.sessions: dict[str, tuple[str, float]] = {}
        self.secrets = {*PASSWORDS, WEAK, CLIENT_SECRET, CODE_OF_NOBODY, TOKEN_OF_NOBODY}
        self.answers: dict[str, Reply] = {}

    @initialize(
        prevent=st.booleans(), recoveries=st.sampled_from([2, 20]), changes=st.sampled_from([1, 5])
    )
    def open_the_pool(self, prevent: bool, recoveries: int, changes: int) -> None:
        """Half of the limits are low, to be met often; there are sessions and a code to end."""
        self.model = CognitoModel(
            prevent_user_existence_errors=prevent,
            recoveries_per_hour=recoveries,
            changes_per_hour=changes,
            users={
                name: User(password, ODD.get(name, Kind.ORDINARY))
                for name, password in self.passwords.items()
            },
        )
        self.front.respond = self.model.respond
        for name in ORDINARY:
            self.sign_in(name)
        self.ask_for_a_code(ORDINARY[0])

    @rule(seconds=st.sampled_from([1.0, 59.0, HOUR / 4, HOUR - 60]))
    def wait(self, seconds: float) -> None:
        self.model.now += seconds

    @rule(name=st.sampled_from(ORDINARY))
    def sign_in(self, name: str) -> None:
        token = self.model.sign_in(name, self.passwords[name])
        self.sessions[token] = (name, self.model.now + HOUR)
        self.tokens.append(token)
        self.secrets.add(token)

    @rule(back=back)
    def sign_out(self, back: int) -> None:
        token = look_back(self.tokens, back)
        if name := self.signed_in(token):
            self.model.respond("GlobalSignOut", {"AccessToken": token})
            self.forget_sessions(name)

    @rule(name=names)
    def ask_for_a_code(self, name: str) -> None:
        allowed = not self.is_limited(name)

        reply = self.send(RESET, {"username": name})
        work = self.service.work()

        assert reply.status == 200
        assert [secret for secret in self.secrets if secret in work.printed] == []
        self.assert_tells_nothing("code requested", reply)
        if name in ORDINARY and allowed:
            code = self.model.users[name].code
            self.codes.append((name, code))
            self.valid[name] = (code, self.model.now + HOUR)
            self.secrets.add(code)

    @rule(back=back, name=st.none() | names, password=passwords)
    def confirm(self, back: int, name: str | None, password: str) -> None:
        """Confirm a reset; without a `name`, that of the code's owner."""
        owner, code = look_back(self.codes, back)
        name = name or owner or ORDINARY[0]
        valid, expires = self.valid.get(name, ("", 0.0))
        right = code == valid and self.model.now < expires and not self.is_limited(name)

        reply = self.send(
            CONFIRM, {"username": name, "confirmationCode": code, "newPassword": password}
        )

        if password == WEAK:
            assert_is_problem(reply, 400, "InvalidPasswordException")
            self.assert_tells_nothing("password refused", reply)
        elif not right:
            assert_is_problem(reply, 400, "CodeMismatchException")
            self.assert_tells_nothing("code refused", reply)
        else:
            assert reply.status == 204
            self.passwords[name] = password
            del self.valid[name]
            self.forget_sessions(name)

    @rule(back=back, old=st.none() | passwords, new=passwords, everywhere=st.booleans())
    def update(self, back: int, old: str | None, new: str, everywhere: bool) -> None:
        """Update a password; without an `old` one, the right one is sent."""
        token = look_back(self.tokens, back)
        name = self.signed_in(token)
        password = self.passwords.get(name, PASSWORDS[0])
        old = old or password
        limited = name and self.are_enough(
            self.model.users[name].changes, self.model.changes_per_hour
        )

        reply = self.send(
            UPDATE,
            {"oldPassword": old, "newPassword": new, "options": {"globalSignOut": everywhere}},
            token,
        )

        if new in {WEAK, old}:
            assert_is_problem(reply, 400, "InvalidPasswordException")
        elif not name:
            assert_is_problem(reply, 401, "NotAuthorizedException")
        elif limited:
            assert_is_problem(reply, 429, "LimitExceededException")
        elif old != password:
            assert_is_problem(reply, 403, "NotAuthorizedException")
        else:
            assert reply.status == 204
            self.passwords[name] = new
            if everywhere:
                self.forget_sessions(name)

    @invariant()
    def no_password_changed_otherwise(self) -> None:
        assert {name: user.password for name, user in self.model.users.items()} == self.passwords

    @invariant()
    def no_session_ended_otherwise(self) -> None:
        assert self.model.live_tokens == {t for t in self.sessions if self.signed_in(t)}

    def send(self, operation: Operation, body: dict[str, Any], token: str = "") -> Reply:
        reply = self.invoke(operation, body, claims=read_claims(token))
        assert reply.log["operation"] == operation.id
        for output in (reply.text, str(reply.headers), reply.printed):
            assert [secret for secret in self.secrets if secret in output] == []
        return reply

    def assert_tells_nothing(self, what: str, reply: Reply) -> None:
        """All accounts get one answer, apart from what is printed."""
        assert reply[:3] == self.answers.setdefault(what, reply)[:3]

    def signed_in(self, token: str) -> str:
        name, expires = self.sessions.get(token, ("", 0.0))
        return name if self.model.now < expires else ""

    def forget_sessions(self, name: str) -> None:
        self.sessions = {token: one for token, one in self.sessions.items() if one[0] != name}

    def is_limited(self, name: str) -> bool:
        user = self.model.users.get(name)
        return user is not None and self.are_enough(user.recoveries, self.model.recoveries_per_hour)

    def are_enough(self, attempts: list[float], limit: int) -> bool:
        return sum(attempt > self.model.now - HOUR for attempt in attempts) >= limit


def look_back[T](items: list[T], back: int) -> T:
    return items[max(-1 - back, -len(items))]


def test_any_sequence_keeps_the_rules(
    cognito: CognitoFront, invoke: Invoke, service: Service
) -> None:
    run_state_machine_as_test(
        # Its documentation allows any callable.
        lambda: Sequences(cognito, invoke, service),  # type: ignore[arg-type]
        settings=settings(max_examples=40, stateful_step_count=30, derandomize=True),
    )
