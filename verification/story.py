"""Reset, confirm and update as a user does. Each check needs what those before it left behind."""

import re
import secrets
from contextlib import suppress
from typing import Final

from botocore.exceptions import ClientError

from functions.operations import Operation
from functions.records import Degradation
from verification.runner import Check, Finding, check, holds, judge, not_observed, weakness
from verification.target import NotObservedError, Reply, Target

RESET: Final = Operation.RESET_PASSWORD
CONFIRM: Final = Operation.CONFIRM_RESET_PASSWORD
UPDATE: Final = Operation.UPDATE_PASSWORD
POLICY: Final = Operation.PASSWORD_POLICY
BREACHED: Final = "passwordpassword"
"""A password on every list of breached ones, long enough for most policies."""

CHECKS: Final[list[Check]] = []
FAILURES: Final = "Run the saved query `request` with the time of this run: docs/operations.md."


@check(CHECKS, remedy=FAILURES)
def policy(target: Target) -> Finding:
    """Anyone can read the rules for new passwords."""
    reply = target.send(POLICY.method, POLICY.path)
    rules = [one["rule"] for one in reply.body.get("rules", [])]
    return judge(f"{reply}, {len(rules)} rules.", good=reply.status == POLICY.status)


@check(CHECKS, remedy="Does the stage reveal user existence on purpose? If not, " + FAILURES)
def uniform_resets(target: Target) -> Finding:
    """A reset is answered the same for a user and for an address without an account."""
    guest = target.guest
    # A session that the reset must end. Some pools let nobody sign in by SRP.
    with suppress(NotObservedError):
        guest.token = target.sign_in(guest.password)
    known = target.post(RESET, {"username": guest.username})
    guest.reset = known.status == RESET.status
    stranger = target.address() if "@" in guest.username else f"{guest.username[:13]}nobody"
    unknown = target.post(RESET, {"username": stranger})
    same = (known.status, known.body) == (unknown.status, unknown.body)
    return judge(f"{known} and {unknown}.", good=same and guest.reset)


@check(CHECKS, remedy="Look at the query `worker`, and read docs/operations.md#deliveryfailures.")
def code_arrives(target: Target) -> Finding:
    """The code of a reset is mailed."""
    if not target.mailbox:
        return not_observed("No mailbox was named: run again with MAILBOX=you@example.com.")
    if not target.guest.reset:
        return not_observed("No reset was accepted.")
    code = target.mailbox.read_code(target.guest.email)
    if not re.fullmatch(r"\d{6}", code):
        return weakness("No code of six digits came.")
    target.secret_values.add(code)
    target.guest.code = code
    return holds("It came.")


@check(CHECKS, remedy=FAILURES)
def wrong_code(target: Target) -> Finding:
    """A wrong code changes nothing, and the answer says only that it is refused."""
    guest = target.guest
    # The code that arrived was drawn from the same million.
    code = f"{(int(guest.code or '0') + 1) % 10**6:06}"
    reply = _confirm(target, code, target.make_password())
    refused = (reply.status, reply.code) == (400, "CodeMismatchException")
    return judge(f"{reply}.", good=refused and target.accepts(guest.password))


@check(CHECKS, remedy=f"Look for {Degradation.BREACH_CHECK_FAILED}: is breachEndpoint reachable?")
def breached_password(target: Target) -> Finding:
    """A breached password is refused before anything asks Cognito."""
    if not target.settings.breach_endpoint:
        return not_observed("breachEndpoint is empty.")
    reply = _confirm(target, "000000", BREACHED)
    rules = {error["rule"] for error in reply.body.get("errors", [])}
    return judge(f"{reply}, rules {', '.join(sorted(rules)) or 'none'}.", good="breached" in rules)


@check(CHECKS, remedy=FAILURES)
def confirmation(target: Target) -> Finding:
    """The code sets the new password, and a repeat of the request gets the first answer."""
    guest = target.guest
    if not guest.code:
        raise NotObservedError("There is no code.")
    chosen, key = target.make_password(), secrets.token_hex(16)
    first = _confirm(target, guest.code, chosen, key)
    again = _confirm(target, guest.code, chosen, key)
    if first.status != CONFIRM.status:
        return weakness(f"{first}.")
    former, guest.password = guest.password, chosen
    works = target.accepts(chosen) and not target.accepts(former)
    if not works:
        return weakness("Cognito accepts the old password, or not the new one.")
    return judge(f"{first}, repeated {again}.", good=again.status == first.status)


@check(
    CHECKS,
    remedy=f"Sessions stay open: look for {Degradation.SIGN_OUT_DELAYED} in the query `worker`.",
)
def old_session(target: Target) -> Finding:
    """A confirmed reset ends the sessions that were open before."""
    guest = target.guest
    if not guest.code or not guest.token:
        raise NotObservedError("There was no confirmed reset.")
    if target.is_live(guest.token):
        return weakness("Cognito still accepts the old access token.")
    return holds("Cognito refuses the old access token.")


@check(CHECKS, remedy=FAILURES)
def update(target: Target) -> Finding:
    """A signed-in user changes the password, and the old one no longer works."""
    guest, chosen = target.guest, target.make_password()
    passwords = {"oldPassword": guest.password, "newPassword": chosen}
    guest.other, guest.own = target.sign_in(guest.password), target.sign_in(guest.password)
    # Cognito lists a session seconds after it began, and only then the service can tell it apart.
    with suppress(ClientError):  # where no session is tracked
        target.wait_for(lambda: _is_listed(target, guest.own))
    reply = target.post(UPDATE, passwords, token=guest.own)
    if reply.status != UPDATE.status:
        return weakness(f"{reply}.")
    former, guest.password = guest.password, chosen
    works = target.accepts(chosen) and not target.accepts(former)
    return judge(f"{reply}.", good=works)


@check(CHECKS, remedy="Read docs/security-features.md#sessions, and look at the query `worker`.")
def other_sessions(target: Target) -> Finding:
    """An update ends the user's other sessions, and keeps the caller signed in."""
    guest, cognito = target.guest, target.cognito
    if not guest.own:
        raise NotObservedError("There was no update.")
    try:
        cognito.list_user_sessions(AccessToken=guest.own)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return not_observed(f"The pool lists no sessions: {code}. Turn session tracking on.")
    ended = target.wait_for(lambda: not target.is_live(guest.other))
    kept = target.is_live(guest.own)
    other, own = "ended" if ended else "lives", "lives" if kept else "ended"
    return judge(f"The other session {other}, and the caller's own {own}.", good=ended and kept)


@check(CHECKS, remedy="Look at the query `worker`: is mailFrom a verified identity of SES?")
def notice(target: Target) -> Finding:
    """The user gets a mail after a change of the password."""
    if not target.settings.mail_from:
        return not_observed("mailFrom is not set, so the service mails nothing itself.")
    if not target.mailbox:
        return not_observed("No mailbox was named: run again with MAILBOX=you@example.com.")
    email, mailbox = target.guest.email, target.mailbox
    came = target.wait_for(lambda: mailbox.has_notice(email))
    return judge("It came." if came else "None came.", good=came)


@check(
    CHECKS, remedy=f"Look for {Degradation.LIMITS_FAILED}: attempts are not counted. Is limits on?"
)
def limits(target: Target) -> Finding:
    """One attempt more than allowed for a name is refused, with the time to wait."""
    if not target.settings.limits:
        return weakness("The limits are off.")
    allowed = int(target.settings.attempts_per_hour(RESET))
    # Nobody has this name, so nobody gets these codes.
    body = {"username": target.address()}
    passed = 0
    reply = target.post(RESET, body, limited=True)
    while reply.status == RESET.status and passed <= allowed:
        passed += 1
        reply = target.post(RESET, body, limited=True)
    if reply.body.get("type", "").endswith(":network-attempts-exceeded"):
        raise NotObservedError("This address has used up its attempts: try again in an hour.")
    told = f"{reply} after {passed}, Retry-After {reply.headers.get('Retry-After', 'none')}."
    refused = reply.status == 429 and "Retry-After" in reply.headers  # noqa: PLR2004 - HTTP's own
    return judge(told, good=refused and passed == allowed)


def _is_listed(target: Target, token: str) -> bool:
    """Return whether Cognito's list has the session of a token."""
    listed = target.cognito.list_user_sessions(AccessToken=token)["Sessions"]
    return any(one.get("IsCurrentSession") for one in listed)


def _confirm(target: Target, code: str, password: str, key: str = "") -> Reply:
    body = {
        "username": target.guest.username,
        "confirmationCode": code,
        "newPassword": password,
    }
    return target.post(CONFIRM, body, key=key)
