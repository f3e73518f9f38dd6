"""Every failure of Cognito and of the way to it has its documented answer."""

from collections.abc import Iterator

import botocore.session
import pytest

from functions import problems
from functions.clients import session
from functions.cognito import client
from functions.operations import Operation
from functions.problems import Failure, Problem
from functions.settings import settings
from tests.cognito_front import CognitoFront
from tests.unit.conftest import REQUEST_ID, Configure, Invoke, Reply, sent

# The contract; the status is that of the answer while user existence is revealed.
STATUSES = {
    "CodeDeliveryFailureException": 502,
    "CodeMismatchException": 400,
    "ExpiredCodeException": 400,
    "ForbiddenException": 403,
    "InternalErrorException": 504,
    "InvalidEmailRoleAccessPolicyException": 500,
    "InvalidLambdaResponseException": 502,
    "InvalidParameterException": 400,
    "InvalidPasswordException": 400,
    "InvalidSmsRoleAccessPolicyException": 500,
    "InvalidSmsRoleTrustRelationshipException": 500,
    "LimitExceededException": 429,
    "NotAuthorizedException": 403,
    "OperationNotEnabledException": 500,
    "PasswordHistoryPolicyViolationException": 400,
    "PasswordResetRequiredException": 403,
    "ResourceNotFoundException": 500,
    "TooManyFailedAttemptsException": 429,
    "TooManyRequestsException": 429,
    "UnexpectedLambdaException": 502,
    "UserLambdaValidationException": 400,
    "UserNotConfirmedException": 403,
    "UserNotFoundException": 404,
}
HIDDEN = {
    Operation.RESET_PASSWORD: {
        "CodeDeliveryFailureException",
        "InvalidLambdaResponseException",
        "InvalidParameterException",
        "LimitExceededException",
        "NotAuthorizedException",
        "UnexpectedLambdaException",
        "UserLambdaValidationException",
        "UserNotFoundException",
    },
    Operation.CONFIRM_RESET_PASSWORD: {
        "CodeMismatchException",
        "ExpiredCodeException",
        "InvalidLambdaResponseException",
        "InvalidParameterException",
        "LimitExceededException",
        "NotAuthorizedException",
        "TooManyFailedAttemptsException",
        "UnexpectedLambdaException",
        "UserLambdaValidationException",
        "UserNotConfirmedException",
        "UserNotFoundException",
    },
    Operation.UPDATE_PASSWORD: set(),
}


def declared(operation: Operation) -> set[str]:
    """The errors of the operation's own action in botocore's model."""
    model = botocore.session.get_session().get_service_model("cognito-idp")
    return {shape.name for shape in model.operation_model(operation.calls[0]).error_shapes}


DECLARED = [(operation, error) for operation in Operation for error in sorted(declared(operation))]
ids = lambda value: value.id if isinstance(value, Operation) else value  # noqa: E731


def assert_is_problem(reply: Reply, status: int, code: str) -> None:
    """The shape that every failure has."""
    assert (reply.status, reply.body["code"]) == (status, code)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["x-amzn-errortype"] == code
    assert ("Retry-After" in reply.headers) == (status == 429)
    assert (reply.headers.get("WWW-Authenticate") == "Bearer") == (status == 401)
    assert reply.body["type"] == f"urn:password-service:{code}"
    assert reply.body["status"] == status
    assert reply.body["message"] == reply.body["detail"]
    assert reply.body["requestId"] == REQUEST_ID
    assert reply.body.keys() - {"errors"} == {
        *("type", "title", "status", "detail", "code", "message", "recoverySuggestion"),
        "requestId",
    }


@pytest.mark.parametrize(("operation", "error"), DECLARED, ids=ids)
def test_answers_each_error_that_cognito_declares_as_the_contract_says(
    operation: Operation, error: str, cognito: CognitoFront, configure: Configure, invoke: Invoke
) -> None:
    configure(reveal_user_existence=True)
    cognito.answer(operation.calls[0], error=error, message="Cognito's own words.")

    reply = invoke(operation)

    status = STATUSES[error]
    if error == "NotAuthorizedException" and operation.signed_in:
        status = 401
    assert_is_problem(reply, status, "InternalErrorException" if status == 500 else error)
    assert "Cognito's own words" not in reply.text
    assert "Cognito's own words." in reply.log["note"]
    assert reply.log["level"] == ("ERROR" if status >= 500 else "INFO")


@pytest.mark.parametrize(("operation", "error"), DECLARED, ids=ids)
def test_hides_exactly_what_depends_on_the_account(
    operation: Operation, error: str, cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer(operation.calls[0], error="UserNotFoundException")
    unknown = invoke(operation)
    cognito.answer(operation.calls[0], error=error)

    reply = invoke(operation)

    alike = (reply.status, reply.headers, reply.text) == unknown[:3]
    hidden = error in HIDDEN[operation] | {"UserNotFoundException"}
    assert alike == hidden
    assert reply.log.get("absorbed", False) == (error in HIDDEN[operation])
    assert error in reply.log["cause"]
    assert reply.log["cause"] in reply.metrics


MEANINGS = [
    ("Incorrect username or password.", 403, "Wrong password"),
    ("Password attempts exceeded", 429, "Too many attempts"),
    ("Access Token has been revoked", 401, "Not signed in"),
    ("Access Token has expired", 401, "Not signed in"),
    ("Access Token does not have required scopes", 401, "Not signed in"),
    ("Could not verify signature for Access Token", 401, "Not signed in"),
    ("Invalid Access Token", 401, "Not signed in"),
    ("User is disabled.", 403, "Not allowed for this account"),
    ("User password cannot be reset in the current state.", 403, "Not allowed for this account"),
    ("A text that AWS has not written yet", 401, "Not signed in"),
]


@pytest.mark.parametrize(("text", "status", "title"), MEANINGS)
def test_tells_the_meanings_of_not_authorized_apart(
    text: str, status: int, title: str, cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer("ChangePassword", error="NotAuthorizedException", message=text)

    reply = invoke(Operation.UPDATE_PASSWORD)

    assert (reply.status, reply.body["title"]) == (status, title)


def test_counts_a_meaning_of_not_authorized_that_it_does_not_know(
    cognito: CognitoFront, invoke: Invoke
) -> None:
    cognito.answer("ChangePassword", error="NotAuthorizedException", message="New words")

    reply = invoke(Operation.UPDATE_PASSWORD)

    assert reply.metrics == {"NotAuthorizedException", "UnknownNotAuthorizedException"}
    assert "New words" in reply.log["note"]


@pytest.mark.parametrize("operation", Operation, ids=ids)
@pytest.mark.parametrize(
    ("trouble", "status", "cause"),
    [
        ({"error": "ThrottlingException"}, 429, "ThrottlingException"),
        ({"error": "BrandNewException"}, 500, "BrandNewException"),
        ({"status": 503, "body": b"<html>"}, 504, "503"),
        ({"body": b"<html>"}, 504, "ForeignAnswerError"),
        ({"reset": True}, 504, "ConnectionClosedError"),
    ],
)
def test_answers_trouble_on_the_way_to_cognito_with_a_problem(
    operation: Operation,
    trouble: dict[str, object],
    status: int,
    cause: str,
    cognito: CognitoFront,
    invoke: Invoke,
) -> None:
    cognito.answer(operation.calls[0], **trouble)  # type: ignore[arg-type]

    reply = invoke(operation)

    code = "TooManyRequestsException" if status == 429 else "InternalErrorException"
    assert_is_problem(reply, status, code)
    assert reply.log["cause"] == cause
    assert len(sent(cognito, operation)) == 1


@pytest.mark.parametrize(
    ("operation", "status"),
    [(Operation.RESET_PASSWORD, 200), (Operation.UPDATE_PASSWORD, 504)],
    ids=ids,
)
def test_answers_in_time_when_cognito_does_not(
    operation: Operation, status: int, cognito: CognitoFront, invoke: Invoke
) -> None:
    """A reset hides it, since only a real user's triggers and mail take so long."""
    cognito.answer(operation.calls[0], delay=8)

    reply = invoke(operation)

    assert reply.status == status
    assert reply.log["cause"] == "ReadTimeoutError"
    assert len(sent(cognito, operation)) == 1


@pytest.fixture
def new_client() -> Iterator[None]:
    """boto3's client reads the environment when it is made."""
    for cache in (client, session):
        cache.cache_clear()
    yield
    for cache in (client, session):
        cache.cache_clear()


@pytest.mark.usefixtures("new_client")
def test_answers_with_a_bad_gateway_when_nobody_listens(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CognitoFront() as gone:
        monkeypatch.setenv("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", gone.url)

    reply = invoke(Operation.UPDATE_PASSWORD)

    assert_is_problem(reply, 502, "InternalErrorException")
    assert reply.log["cause"] == "DescribeUserPoolClient.EndpointConnectionError"


@pytest.mark.usefixtures("new_client")
def test_a_function_that_does_not_know_its_region_is_our_fault(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")

    reply = invoke(Operation.UPDATE_PASSWORD)

    assert_is_problem(reply, 500, "InternalErrorException")
    assert reply.log["cause"] == "KeyError"


@pytest.mark.usefixtures("new_client")
def test_a_function_without_credentials_is_our_fault(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")

    reply = invoke(Operation.RESET_PASSWORD)

    assert_is_problem(reply, 500, "InternalErrorException")
    assert reply.log["cause"] == "DescribeUserPoolClient.NoCredentialsError"


def test_gives_no_reason_for_a_failure_that_is_ours(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALLOWED_ORIGINS")
    settings.cache_clear()

    reply = invoke(Operation.RESET_PASSWORD)

    assert_is_problem(reply, 500, "InternalErrorException")
    assert "ALLOWED_ORIGINS" not in reply.text
    assert reply.log["cause"] == "KeyError"
    assert any("settings.py" in frame for frame in reply.log["stack"])


ALL = [value for value in vars(problems).values() if isinstance(value, Problem)]


@pytest.mark.parametrize("problem", ALL, ids=lambda p: f"{p.code}-{p.status}")
def test_tells_the_caller_what_happened_and_what_to_do(problem: Problem) -> None:
    assert problem.detail.endswith(".")
    assert problem.recovery_suggestion.endswith(".")
    assert problem.detail != problem.recovery_suggestion
    assert (problem.retry_after is not None) == (problem.status == 429)


def test_never_says_two_things_with_the_same_code_status_and_title() -> None:
    keys = [(problem.code, problem.status, problem.title) for problem in ALL]

    assert len(set(keys)) == len(keys)


def test_a_failure_prints_its_code_alone() -> None:
    failure = Failure(problems.INVALID_PASSWORD, note="hunter2")

    assert (str(failure), "hunter2" in repr(failure)) == ("InvalidPasswordException", False)
