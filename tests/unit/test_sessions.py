"""Sessions end as a change asks for it, where a pool tracks them and where it does not."""

import json
from typing import Any

import pytest

from functions.aws.cognito import LIST_LAG
from functions.operations import Operation
from tests.support.contract import ids
from tests.support.front import make_user
from tests.support.invocation import BODIES, NOW, TIMES
from tests.unit.conftest import Service, after

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
    sent = service.cognito.messages
    found = [(json.loads(one["MessageBody"]), one.get("DelaySeconds", 0)) for one in sent]
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


@pytest.mark.parametrize(
    ("operation", "error"),
    [
        (CONFIRM, "OperationNotEnabledException"),
        (UPDATE, "OperationNotEnabledException"),
        (CONFIRM, "UnknownOperationException"),
        (UPDATE, "UnknownOperationException"),
        (CONFIRM, "InvalidAction"),
        (UPDATE, "InvalidAction"),
        # An unsigned action that its receiver does not know. A signed one is not granted.
        (UPDATE, "AccessDeniedException"),
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


@pytest.mark.parametrize(
    ("own", "metric"), [([session(OWN)], "SignOutDelayed"), ([], "SessionsUnreadable")]
)
def test_a_session_that_no_later_pass_can_end_raises_an_alarm(
    own: list[dict[str, Any]], metric: str, service: Service
) -> None:
    """Without the caller's own session, the worker would not know which one to keep."""
    track(service, session("tkn-other"), *own)
    service.cognito.answer("RevokeUserSession", error="TooManyRequestsException")

    assert service.invoke(UPDATE).metrics == {"Success", metric}
    assert len(queued(service)) == len(own)


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
        ("TooManyRequestsException", {"Success", "SessionsUnreadable"}),
        ("AccessDeniedException", {"Success", "SessionsUnreadable"}),
        # AWS does not say that this action knows users by their other names.
        ("UserNotFoundException", {"Success"}),
    ],
)
def test_the_worker_ends_the_sessions_that_could_not_be_listed_before_a_reset(
    error: str, metrics: set[str], service: Service
) -> None:
    service.cognito.answer("AdminListUserSessions", error=error)

    assert service.invoke(CONFIRM).metrics == metrics
    track(service, *TRACKED)
    service.work()

    ended = {one["SessionId"] for one in TRACKED}
    assert revoked(service, "AdminRevokeUserSession").keys() == ended


@pytest.mark.parametrize("first", [{"error": "TooManyRequestsException"}, {"body": {}}])
def test_an_update_looks_again_if_the_first_list_has_not_the_callers_own_session(
    first: dict[str, Any], service: Service
) -> None:
    # botocore repeats what was throttled.
    service.cognito.answer("ListUserSessions", **first, times=3 if "error" in first else 1)
    track(service, *TRACKED)

    assert service.invoke(UPDATE).status == 204

    ended = {one["SessionId"] for one in TRACKED} - {OWN, OWN_SSO}
    assert revoked(service, "RevokeUserSession").keys() == ended
    assert [one["kept"] for one in queued(service)] == [[OWN, OWN_SSO]]


def test_when_cognito_is_slow_the_worker_ends_the_sessions(service: Service) -> None:
    """A hundred of them could otherwise take longer than the gateway waits."""
    track(service, *TRACKED)
    service.cognito.respond = after(service.clock, TIMES.retries + 1, None)

    assert service.invoke(CONFIRM).metrics == {"Success", "SignOutDelayed"}

    assert revoked(service, "AdminRevokeUserSession") == {}
    service.work()
    ended = {one["SessionId"] for one in TRACKED}
    assert revoked(service, "AdminRevokeUserSession").keys() == ended


@pytest.mark.parametrize("created", [NOW, NOW + 0.6])
def test_a_sign_in_right_after_a_change_stays_even_in_a_list_of_whole_seconds(
    created: float, service: Service
) -> None:
    new = session("tkn-new") | {"CreateDate": created}
    undated = session("tkn-undated") | {"CreateDate": None}
    service.clock.sleep(0.5)
    track(service, new, undated, session("tkn-just-before", age=-0.4), session("tkn-old", age=1))

    service.invoke(CONFIRM)
    service.work()

    ended = {"tkn-undated", "tkn-just-before", "tkn-old"}
    assert revoked(service, "AdminRevokeUserSession").keys() == ended


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

    service.cognito.answer("AdminRevokeUserSession", error="ResourceNotFoundException")
    assert service.work().metrics == {"Success"}
    assert "tkn-other" in revoked(service, "AdminRevokeUserSession")


@pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)
def test_what_awss_model_does_not_require_may_be_missing(
    operation: Operation, service: Service
) -> None:
    """An attribute without a value, and a session without an ID."""
    service.configure(mail_from="no-reply@example.com")
    user = make_user()
    user["UserAttributes"].append({"Name": "custom:note"})
    for action in ("AdminGetUser", "GetUser"):
        service.cognito.answer(action, body=user)
    track(service, {"SessionType": "TOKEN"}, *TRACKED)

    assert service.invoke(operation).status == 204
    assert any("mail_change" in one["MessageBody"] for one in service.cognito.messages)


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


def test_an_unknown_outcome_ends_sessions_up_to_its_answer_and_looks_twice(
    service: Service,
) -> None:
    track(service, session("tkn-meanwhile", age=-2), session("tkn-new", age=-5))
    changed = {"Username": "a", "UserLastModifiedDate": NOW + 4, "UserAttributes": []}
    service.cognito.answer("AdminGetUser", body=changed)
    service.cognito.respond = after(service.clock, 4, "UnexpectedLambdaException")

    service.invoke(CONFIRM)
    service.work()

    assert revoked(service, "AdminRevokeUserSession") == {"tkn-meanwhile": None}
    (later,) = queued(service)
    assert (later["delay"], later["passes"]) == (LIST_LAG, 1)
