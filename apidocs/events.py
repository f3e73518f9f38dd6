"""The JSON Schema (draft 4) of each event, as EventBridge's schema registry takes it."""

from typing import Any, Final, NamedTuple

from functions import outcomes
from functions.aws.events import SOURCE, EventType
from functions.problems import Outcome
from functions.protection.limits import FAILURES_BEFORE_EVENT, REFUSALS_BEFORE_EVENT
from functions.records import MAX_USER_AGENT, SUCCESS

_TYPED: Final = "The name of the user, as it was typed."
_OWN: Final = "The name of the user: Cognito's own, or as it was typed if Cognito did not tell it."
_SUB: Final = "Cognito's ID of the user, which never changes."
_FAILED: Final = f"{_SUB} Missing only if Cognito could not be asked."
_NOBODY: Final = f"{_SUB} Missing if nobody has the name that was typed."


class _Event(NamedTuple):
    """The members that differ between events, with their descriptions."""

    description: str
    required: dict[str, str]
    optional: dict[str, str] = {}  # noqa: RUF012 - nobody changes it
    reasons: tuple[Outcome, ...] = ()


EVENTS: Final = {
    EventType.RESET_CONFIRMED: _Event(
        "A user chose a new password with a code.", {"username": _TYPED}, {"sub": _FAILED}
    ),
    EventType.UPDATED: _Event("A signed-in user changed the password.", {"sub": _SUB}),
    EventType.ATTEMPTS_EXCEEDED: _Event(
        f"{REFUSALS_BEFORE_EVENT} attempts for one user were refused within an hour.",
        {},
        {"sub": _NOBODY, "username": f"{_TYPED} Missing if the user was signed in."},
    ),
    EventType.ATTEMPTS_FAILED: _Event(
        f"{FAILURES_BEFORE_EVENT} attempts for one user failed within an hour.",
        {"username": _TYPED},
        {"sub": _NOBODY},
    ),
    EventType.UNDELIVERABLE: _Event(
        "A user asked for a code, and gets neither a code nor another mail.",
        {"sub": _SUB, "username": _TYPED},
        reasons=(
            *(outcomes.FEDERATED, outcomes.INVITED, outcomes.MAIL_REFUSED),
            *(outcomes.NO_VERIFIED_ADDRESS, outcomes.NOT_A_SIGN_IN_NAME, outcomes.UNCONFIRMED),
        ),
    ),
    EventType.UNANNOUNCED: _Event(
        "A user's password was changed, and they may not learn of it by mail.",
        {"username": _OWN},
        {"sub": _FAILED},
        reasons=(outcomes.MAIL_REFUSED, outcomes.NO_VERIFIED_ADDRESS, outcomes.USER_GONE),
    ),
    EventType.SUPPORT_FINISHED: _Event(
        "A task of the support desk was carried out, or no retry can carry it out.",
        {
            "username": "The name of the user, as the operator typed it.",
            "task": "What was asked for.",
            "outcome": f"{SUCCESS}, or the cause of the failure.",
            "sender": "Who asked, as SQS says: the ID of a user, or of a role and a session.",
        },
        {"sub": _NOBODY},
    ),
}


def build() -> dict[str, dict[str, Any]]:
    """Return the schema of each event by its name, which is the detail type without spaces."""
    return {type_.replace(" ", ""): _build(type_, event) for type_, event in EVENTS.items()}


def _build(type_: EventType, event: _Event) -> dict[str, Any]:
    text = {"type": "string"}
    detail: dict[str, Any] = {
        name: text | {"description": meaning}
        for name, meaning in (event.required | event.optional).items()
    }
    by_caller = "sender" not in event.required  # SQS does not tell the address of an operator
    required = [*event.required, "userPoolId", "requestId", *(["sourceIp"] if by_caller else ())]
    if event.reasons:
        required.append("reason")
        detail["reason"] = {"enum": [one.cause for one in event.reasons]}
    detail |= {
        "userPoolId": text,
        "requestId": text | {"description": "The ID of the request. Its caller can choose it."},
    }
    if by_caller:
        detail["sourceIp"] = text | {"description": "The address of the caller."}
    if by_caller and not event.reasons:  # the worker finds these, and does not know the browser
        detail["userAgent"] = text | {"maxLength": MAX_USER_AGENT}
    envelope = ("version", "id", "detail-type", "source", "account", "time", "region", "resources")
    properties: dict[str, Any] = dict.fromkeys(envelope, text) | {
        "detail-type": {"enum": [type_]},
        "source": {"enum": [SOURCE]},
        "time": text | {"format": "date-time"},
        "resources": {"type": "array", "items": text},
        "detail": {"type": "object", "properties": detail, "required": required},
    }
    return {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "title": type_.replace(" ", ""),
        "description": event.description,
        "x-amazon-events-source": SOURCE,
        "x-amazon-events-detail-type": type_,
        "type": "object",
        "properties": properties,
        "required": [*envelope, "detail"],
    }
