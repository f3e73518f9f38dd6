"""Change the signed-in user's password."""

import re
from functools import partial
from typing import Final

from functions import outcomes
from functions.api.changes import Change
from functions.api.endpoint import Endpoint
from functions.aws.calls import call
from functions.aws.cognito import User
from functions.aws.events import EventType
from functions.fields import Flag, NewPassword, Password
from functions.operations import Operation
from functions.problems import REQUEST_RULES, UPDATE_PASSWORD_MISSING, Failure, FieldError
from functions.requests import Request
from functions.settings import Runtime
from functions.threads import run_both
from functions.times import DEFAULT, Times, now
from functions.work.scope import Scope

FIRST_PASSWORD_AGE: Final = 300
"""Seconds after a sign-in within which a user who has no password can choose one.

Anyone who holds a stolen token could otherwise choose it for them.
"""
_HELD: Final = re.compile(r"[^ \t\n\x0b\f\r]+[^\n\r\u0085\u2028\u2029]*[^ \t\n\x0b\f\r]+")
"""The passwords that Cognito can hold: its own pattern, as Java reads it."""


class UpdatePassword(Request):
    """Amplify's `UpdatePasswordInput`, and whether to end every session of the user.

    A user who has no password leaves out the old one.
    """

    operation = Operation.UPDATE_PASSWORD
    old_password = Password(empty=UPDATE_PASSWORD_MISSING, may_be_absent=True)
    new_password = NewPassword(empty=UPDATE_PASSWORD_MISSING)
    global_sign_out = Flag(default=False)


def check(scope: Scope, request: UpdatePassword) -> None:
    """Check when the user signed in, and the password by every rule.

    The username in the token is the only name that is known so far.
    """
    first = FIRST_PASSWORD_AGE if request.old_password is None else 0
    ages = [age for age in (first, scope.settings.max_sign_in_age) if age]
    if ages and not 0 <= now() - scope.caller.signed_in_at <= min(ages):
        raise _too_old(min(ages))
    names = [scope.caller.username]
    scope.passwords.check_rules(request.new_password, names, old=request.old_password)


def _too_old(most: int) -> Failure:
    """Return the failure that tells how old a sign-in may be (RFC 9470 §3)."""
    outcome, detail = outcomes.SIGN_IN_TOO_OLD, REQUEST_RULES["maxSignInAge"].format(maximum=most)
    error = FieldError("Authorization", "maxSignInAge", detail, {"maximum": most})
    challenge = f"{outcome.problem.challenge}, max_age={most}"
    return Failure(outcome.problem._replace(challenge=challenge), [error], outcome=outcome)


def check_names(scope: Scope, request: UpdatePassword) -> User | None:
    """Check the password by the user's other names, and return the user if Cognito tells them.

    Where users sign in by their email address, the username in a token is only the `sub`.
    """
    owner = scope.cognito.find_owner()
    if owner:
        old = request.old_password
        scope.passwords.check_rules(request.new_password, owner.names, old=old)
    return owner


def update_password(scope: Scope, request: UpdatePassword) -> None:
    """Change the password, end the sessions if asked to, and announce the change."""
    signs_out = request.global_sign_out or scope.settings.force_global_sign_out
    read = partial(run_both, partial(check_names, scope, request), scope.cognito.find_sessions)
    check_breaches = partial(scope.passwords.check_breaches, request.new_password)
    (owner, sessions), _ = run_both(read, check_breaches)
    change = Change(
        scope,
        EventType.UPDATED,
        scope.caller.username,
        owner,
        scope.cognito.find_owner,
        signs_out=signs_out,
        sessions=sessions,
    )
    with change.attempt():
        _change(scope, request)
    change.complete()


def _change(scope: Scope, request: UpdatePassword) -> None:
    """Have Cognito change the password, or raise a `Failure` that names the field."""
    old = request.old_password
    if old is not None and not _HELD.fullmatch(old):
        raise outcomes.WRONG_PASSWORD.failure()
    previous = {} if old is None else {"PreviousPassword": old}
    try:
        call(
            request.operation.action,
            AccessToken=scope.caller.access_token,
            ProposedPassword=request.new_password,
            **previous,
        )
    except Failure as failure:
        # AWS does not say how Cognito refuses a user who has a password and left it out.
        asked = outcomes.WRONG_PASSWORD.problem, outcomes.INVALID_PARAMETER.problem
        if old is not None or (failure.outcome.is_known and failure.problem not in asked):
            raise
        missing = UpdatePassword.fields["#", "oldPassword"].error("required")
        raise Failure(UPDATE_PASSWORD_MISSING, [missing], outcome=failure.outcome) from None


def build(settings: Runtime, time_limits: Times = DEFAULT) -> Endpoint[UpdatePassword]:
    """Return the handler of a deployment."""
    return Endpoint(UpdatePassword, update_password, settings, time_limits, check=check)
