"""Sessions end as a change asks for it, where a pool tracks them and where it does not."""

import json
from typing import Any

import pytest

from functions.aws.queue import LIST_LAG
from functions.operations import Operation
from tests.support.contract import ids
from tests.support.invocation import BODIES, NOW
from tests.unit.conftest import Service

CONFIRM, UPDATE = Operation.CONFIRM_RESET_PASSWORD, Operation.UPDATE_PASSWORD
EVERYWHERE = BODIES[UPDATE] | {"options": {"globalSignOut": True}}
OWN, OWN_SSO = "tkn-own", "sso-own"


def session(id_: str, *, origin: str | None = None, age: float = 60) -> dict[str, Any]:
    return {
        "SessionId": id_,
        "SessionType": "SSO" if id_.startswith("sso") else "TOKEN",
        "CreateDate": NOW - age,
        "OriginSessionId": origin,
        "IsCurrentSession": id_ == OWN,
    }


TRACKED = [
    session("tkn-other"),
    session(OWN, origin=OWN_SSO),
    session(OWN_SSO),
    session("sso-other"),
    session("tkn-of-sso", origin="sso-other"),
    session("tkn-second", origin=OWN_SSO),
]


def track(service: Service, *sessions: dict[str, Any]) -> None:
    """Have the pool list sessions: to their owner, and to an administrator, who has none."""
    service.cognito.answer("ListUserSessions", body={"Sessions": list(sessions)})
    listed = [one | {"IsCurrentSession": False} for one in sessions]
    service.cognito.answer("AdminListUserSessions", body={"Sessions": listed})


def revoked(service: Service, action: str) -> dict[str, str | None]:
    """The sessions that were revoked, and what was revoked with each."""
    return {
        one.body["SessionId"]: one.body.get("RevokeAssociatedSessions")
        for one in service.cognito.requests
        if one.action == action
    }


def queued(service: Service) -> list[dict[str, Any]]:
    """The tasks about sessions on the queue, with the seconds until they are delivered."""
    bodies = [one.body for one in service.cognito.requests if one.action == "SendMessage"]
    found = [(json.loads(one["MessageBody"]), one.get("DelaySeconds", 0)) for one in bodies]
    return [
        one["parameters"] | {"delay": delay}
        for one, delay in found
        if one["task"] == "end_other_sessions"
    ]


def test_an_update_ends_the_other_sessions_and_keeps_the_callers(service: Service) -> None:
    track(service, *TRACKED)

    reply = service.invoke(UPDATE)

    assert (reply.status, reply.metrics) == (204, {"Success"})
    assert revoked(service, "RevokeUserSession") == {
        "tkn-other": None,
        "sso-other": "LINKED",
        "tkn-of-sso": None,
        "tkn-second": None,
    }
    (later,) = queued(service)
    assert (later["kept"], later["delay"]) == ([OWN, OWN_SSO], LIST_LAG)


def test_the_second_pass_ends_what_the_list_did_not_have_and_nothing_newer(
    service: Service,
) -> None:
    track(service, *TRACKED[1:3])
    service.invoke(UPDATE)
    track(service, *TRACKED[:4], session("tkn-late", age=1), session("tkn-new", age=-1))

    work = service.work()

    assert work.metrics == {"Success"}
    assert revoked(service, "AdminRevokeUserSession") == {
        "tkn-other": None,
        "sso-other": "LINKED",
        "tkn-late": None,
    }
    assert queued(service) == []


def test_while_the_callers_own_session_is_not_listed_no_session_of_managed_login_ends(
    service: Service,
) -> None:
    """Ending it could sign the caller out, and nobody knows which session a second pass keeps."""
    track(service, session("tkn-other"), session(OWN_SSO))

    assert service.invoke(UPDATE).status == 204

    assert revoked(service, "RevokeUserSession") == {"tkn-other": None}
    assert queued(service) == []


def test_a_reset_ends_managed_logins_sessions_as_well(service: Service) -> None:
    track(service, *TRACKED)

    reply = service.invoke(CONFIRM)

    assert (reply.status, reply.metrics) == (204, {"Success"})
    actions = [one.action for one in service.cognito.requests]
    assert actions.count("AdminUserGlobalSignOut") == 1
    assert revoked(service, "AdminRevokeUserSession") == {OWN_SSO: "LINKED", "sso-other": "LINKED"}
    (later,) = queued(service)
    assert (later["kept"], later["delay"]) == ([], LIST_LAG)


def test_signing_out_everywhere_leaves_managed_login_to_the_worker_which_looks_twice(
    service: Service,
) -> None:
    track(service, *TRACKED)

    service.invoke(UPDATE, EVERYWHERE)

    assert revoked(service, "RevokeUserSession") == {}
    (first,) = queued(service)
    assert (first["kept"], first["delay"], first["passes"]) == ([], 0, 2)
    service.work()
    assert revoked(service, "AdminRevokeUserSession").keys() == {
        one["SessionId"] for one in TRACKED
    }
    (second,) = queued(service)
    assert (second["delay"], second["passes"]) == (LIST_LAG, 1)


@pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)
@pytest.mark.parametrize(
    "error",
    [
        *("OperationNotEnabledException", "UnknownOperationException", "InvalidAction"),
        "AccessDeniedException",  # an unsigned action that its receiver does not know
    ],
)
def test_where_sessions_are_not_tracked_nothing_changes(
    operation: Operation, error: str, service: Service
) -> None:
    for action in ("ListUserSessions", "AdminListUserSessions"):
        service.cognito.answer(action, error=error)

    reply = service.invoke(operation)

    assert (reply.status, reply.metrics) == (204, {"Success"})
    assert queued(service) == []


@pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)
@pytest.mark.parametrize(
    ("error", "metrics"),
    [
        ("TooManyRequestsException", {"Success", "SessionsUnreadable"}),
        ("UserNotFoundException", {"Success"}),  # the change itself reports what is final
    ],
)
def test_a_list_that_fails_stops_no_change(
    operation: Operation, error: str, metrics: set[str], service: Service
) -> None:
    for action in ("ListUserSessions", "AdminListUserSessions"):
        service.cognito.answer(action, error=error)

    assert service.invoke(operation).metrics == metrics


@pytest.mark.parametrize(
    ("error", "metrics"),
    [
        ("ResourceNotFoundException", {"Success"}),
        ("InternalErrorException", {"Success", "SignOutDelayed"}),
    ],
)
def test_a_session_that_has_ended_is_no_failure_and_another_is_left_to_the_worker(
    error: str, metrics: set[str], service: Service
) -> None:
    track(service, *TRACKED)
    service.cognito.answer("RevokeUserSession", error=error)

    assert service.invoke(UPDATE).metrics == metrics

    service.work()
    assert "tkn-other" in revoked(service, "AdminRevokeUserSession")


def test_every_page_of_a_list_is_read(service: Service) -> None:
    more = {"Sessions": TRACKED[:2], "NextToken": "more"}
    service.cognito.answer("ListUserSessions", body=more, times=1)
    track(service, *TRACKED[2:])

    service.invoke(UPDATE)

    assert len(revoked(service, "RevokeUserSession")) == 4


def test_an_unknown_outcome_ends_the_other_sessions_once_the_account_has_changed(
    service: Service,
) -> None:
    track(service, *TRACKED)
    service.cognito.answer("ChangePassword", reset=True)
    changed = {"Username": "a", "UserLastModifiedDate": NOW + 1, "UserAttributes": []}
    service.cognito.answer("AdminGetUser", body=changed)

    assert service.invoke(UPDATE).status == 504
    assert revoked(service, "RevokeUserSession") == {}

    service.work()
    ended = revoked(service, "AdminRevokeUserSession").keys()
    assert ended == {one["SessionId"] for one in TRACKED} - {OWN, OWN_SSO}
