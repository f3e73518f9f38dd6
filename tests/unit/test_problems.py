"""Every failure of Cognito and of the way to it has its documented answer."""

import re
from typing import Any

import pytest

from apidocs.checklist import declared_errors
from functions import problems
from functions.operations import Operation
from functions.outcomes import COGNITO
from functions.problems import PROBLEMS, Failure
from tests.support.contract import WITH_BODY, assert_is_problem, ids
from tests.unit.conftest import Service, sent

CONFIRM = Operation.CONFIRM_RESET_PASSWORD

# The contract; the status is that of the answer while user existence is revealed.
BY_STATUS = {
    400: "CodeMismatch ExpiredCode InvalidParameter InvalidPassword UserLambdaValidation"
    " PasswordHistoryPolicyViolation",
    403: "Forbidden NotAuthorized PasswordResetRequired UserNotConfirmed",
    404: "UserNotFound",
    429: "LimitExceeded TooManyFailedAttempts TooManyRequests",
    500: "InvalidEmailRoleAccessPolicy InvalidSmsRoleAccessPolicy OperationNotEnabled"
    " InvalidSmsRoleTrustRelationship ResourceNotFound",
    502: "CodeDeliveryFailure InvalidLambdaResponse UnexpectedLambda",
    504: "InternalError",
}
STATUSES = {
    f"{name}Exception": status for status, names in BY_STATUS.items() for name in names.split()
}
# On confirm, what no account can cause, and the verdicts on the new password.
VISIBLE = {
    "InternalErrorException",
    "InvalidPasswordException",
    "PasswordHistoryPolicyViolationException",
    "ResourceNotFoundException",
}


STATUS_OF = {row.cause: row.problem.status for row in COGNITO if not row.text}
DECLARED = [(operation, error) for operation in WITH_BODY for error in declared_errors(operation)]


@pytest.mark.parametrize(("operation", "error"), DECLARED, ids=ids)
def test_answers_each_error_that_cognito_declares_as_the_contract_says(
    operation: Operation, error: str, service: Service
) -> None:
    service.configure(reveal_user_existence=True)
    service.cognito.answer(operation.action, error=error, message="Cognito's own words.")

    reply = service.invoke(operation)

    # A new operation brings problems of its own.
    status = STATUSES.get(error) or STATUS_OF[error]
    if error == "NotAuthorizedException" and operation.signed_in:
        status = 401
    assert_is_problem(reply, status, "InternalErrorException" if status == 500 else error)
    assert "Cognito's own words" not in reply.text
    assert "Cognito's own words." in reply.log["note"]
    unknown = error == "NotAuthorizedException"  # with such a text
    assert reply.log["level"] == ("ERROR" if status >= 500 or unknown else "INFO")


@pytest.mark.parametrize("error", [*declared_errors(CONFIRM), "BrandNewException"])
def test_confirm_hides_all_that_an_account_can_cause(error: str, service: Service) -> None:
    service.cognito.answer(CONFIRM.action, error="UserNotFoundException")
    unknown = service.invoke(CONFIRM)
    service.cognito.answer(CONFIRM.action, error=error)

    reply = service.invoke(CONFIRM)

    hidden = error not in VISIBLE
    assert ((reply.status, reply.headers, reply.text) == unknown[:3]) == hidden
    assert reply.log.get("hidden", False) == hidden
    assert error in reply.log["cause"]
    assert reply.log["cause"] in reply.metrics


@pytest.mark.parametrize(
    ("operation", "error", "message", "known"),
    [
        (CONFIRM, "BrandNewException", "", False),
        (CONFIRM, "NotAuthorizedException", "New words", False),
        (CONFIRM, "NotAuthorizedException", "User is disabled.", True),
        (CONFIRM, "CodeMismatchException", "", True),
        (Operation.UPDATE_PASSWORD, "BrandNewException", "", False),
        (Operation.UPDATE_PASSWORD, "NotAuthorizedException", "New words", False),
    ],
    ids=ids,
)
def test_an_exception_that_nobody_has_seen_is_an_error_in_the_log(
    operation: Operation, error: str, message: str, known: bool, service: Service
) -> None:
    service.cognito.answer(operation.action, error=error, message=message)

    reply = service.invoke(operation)

    assert ("UnknownException" in reply.metrics) != known
    assert (reply.log["level"] == "ERROR") != known


MEANINGS = [
    ("Incorrect username or password.", 403, "Wrong password"),
    ("Password attempts exceeded", 429, "Too many failed attempts"),
    ("Access Token has been revoked", 401, "Not signed in"),
    ("Access Token has expired", 401, "Not signed in"),
    ("Access Token does not have required scopes", 403, "Scope missing"),
    ("Could not verify signature for Access Token", 401, "Not signed in"),
    ("Invalid Access Token", 401, "Not signed in"),
    ("User is disabled.", 403, "Not allowed for this account"),
    ("User password cannot be reset in the current state.", 403, "Not allowed for this account"),
    ("A text that AWS has not written yet", 401, "Not signed in"),
]


@pytest.mark.parametrize(("text", "status", "title"), MEANINGS)
def test_tells_the_meanings_of_not_authorized_apart(
    text: str, status: int, title: str, service: Service
) -> None:
    service.cognito.answer("ChangePassword", error="NotAuthorizedException", message=text)

    reply = service.invoke(Operation.UPDATE_PASSWORD)

    assert (reply.status, reply.body["title"]) == (status, title)


NO_TEXT: dict[str, object] = {"message": None, "status": 500}


@pytest.mark.parametrize("operation", WITH_BODY, ids=ids)
@pytest.mark.parametrize(
    ("trouble", "status", "cause"),
    [
        ({"error": "ThrottlingException"}, 429, "ThrottlingException"),
        ({"status": 503, "body": b"<html>"}, 504, "503"),
        ({"body": b"<html>"}, 504, "ForeignAnswerError"),
        ({"body": b"[]"}, 504, "ForeignAnswerError"),
        ({"status": 500, "body": b"[]"}, 504, "UnreadableAnswerError"),
        ({"status": 503, "body": b'{"__type": 5}'}, 504, "UnreadableAnswerError"),
        (NO_TEXT | {"error": "InternalErrorException"}, 504, "InternalErrorException"),
        ({"reset": True}, 504, "ConnectionClosedError"),
    ],
)
def test_answers_trouble_on_the_way_to_cognito_with_a_problem(
    operation: Operation, trouble: dict[str, object], status: int, cause: str, service: Service
) -> None:
    service.configure(reveal_user_existence=True)
    service.cognito.answer(operation.action, **trouble)  # type: ignore[arg-type]

    reply = service.invoke(operation)

    code = "TooManyRequestsException" if status == 429 else "InternalErrorException"
    assert_is_problem(reply, status, code)
    assert reply.log["cause"] == cause
    assert len(sent(service.cognito, operation)) == 1


@pytest.mark.parametrize(
    ("trouble", "status", "attempts"),
    [
        ({"error": "TooManyRequestsException"}, 503, 3),
        ({"status": 500, "body": b""}, 503, 3),
        ({"reset": True}, 503, 3),
        ({"error": "TooManyRequestsException", "times": 2}, 204, 3),
        ({"error": "AccessDeniedException"}, 500, 1),
    ],
)
def test_reads_are_retried_before_the_caller_is_told_to_retry(
    trouble: dict[str, Any], status: int, attempts: int, service: Service
) -> None:
    service.cognito.answer("DescribeUserPoolClient", **trouble)

    reply = service.invoke(CONFIRM)

    assert reply.status == status
    assert (
        sum(one.action == "DescribeUserPoolClient" for one in service.cognito.requests) == attempts
    )
    assert reply.headers.get("Retry-After") == ("5" if status == 503 else None)
    assert len(sent(service.cognito, CONFIRM)) == (status == 204)


@pytest.mark.parametrize("code", ["", "x" * 300, "a\u0000b", "Ünïcode"])
def test_a_cause_that_makes_no_metric_does_not_fail_the_request(
    code: str, service: Service
) -> None:
    service.cognito.answer("ChangePassword", error=code)

    assert_is_problem(service.invoke(Operation.UPDATE_PASSWORD), 500, "InternalErrorException")


def test_tells_the_caller_what_happened_and_what_to_do() -> None:
    for problem in PROBLEMS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", problem.slug)
        assert problem.detail[-1] == problem.recovery_suggestion[-1] == "."
        assert (problem.retry_after is not None) == (problem.status in {429, 503})
    for name in ("slug", "detail"):
        assert len({getattr(problem, name) for problem in PROBLEMS}) == len(PROBLEMS)


def test_a_failure_prints_its_slug_alone() -> None:
    failure = Failure(problems.PASSWORD_REFUSED, note="hunter2")

    assert (str(failure), "hunter2" in repr(failure)) == ("password-refused", False)
