"""Neither a web page nor a program without the run's key reaches anything but the API."""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import closing
from http.client import HTTPConnection

import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from functions.operations import Operation
from local import emulator
from local.door import CALLS
from local.emulator import ACCOUNT, REGION
from local.runs import RUNS
from local.stack import Stack, User
from tests.e2e.conftest import NEW, Api
from tests.support import PATIENCE

LIST_FUNCTIONS = "/2015-03-31/functions/"
MAILS = "/_ministack/ses/messages"
WHO_AM_I = "Action=GetCallerIdentity&Version=2011-06-15"
COGNITO = "AWSCognitoIdentityProviderService."
REFUSED = b"Sign the request with the key in stack.json. Web pages can use only the API.\n"
PAGES = {
    "another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "another port": {"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-site"},
    "a file": {"Origin": "null"},
    "an image": {"Sec-Fetch-Site": "cross-site"},
    "a name that was bound again": {"Host": "evil.example:4566", "Sec-Fetch-Site": "same-origin"},
    "another server's name": {"Host": "localhost:1", "Sec-Fetch-Site": "same-origin"},
}


def send(
    stack: Stack, method: str, path: str, body: str = "", **headers: str
) -> urllib3.BaseHTTPResponse:
    # A form can send this type to any site without asking first.
    sent = {"Content-Type": "text/plain", **{k.replace("_", "-"): v for k, v in headers.items()}}
    url = path if path.startswith("http") else stack.endpoint + path
    return urllib3.request(method, url, body=body, headers=sent, retries=False, timeout=PATIENCE)


def is_refused(answer: urllib3.BaseHTTPResponse) -> bool:
    return (answer.status, answer.data) == (403, REFUSED)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", LIST_FUNCTIONS),
        ("OPTIONS", LIST_FUNCTIONS),
        ("POST", f"/?{WHO_AM_I}"),
        ("GET", MAILS),
        ("POST", "/_ministack/reset"),
    ],
)
def test_a_page_reaches_nothing_of_the_emulator_even_with_a_key(
    method: str, path: str, page: str, stack: Stack
) -> None:
    url = emulator.own_route(stack.endpoint, stack.key, path) if MAILS in path else path

    answer = send(stack, method, url, **PAGES[page])

    assert is_refused(answer)
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("origin", ["http://localhost:5173", "https://evil.example"])
def test_no_answer_comes_before_the_end_of_the_body_so_the_connection_goes_on(
    origin: str, stack: Stack
) -> None:
    with closing(HTTPConnection("127.0.0.1", stack.port, timeout=PATIENCE)) as connection:
        connection.connect()
        opened = connection.sock
        for _ in range(2):
            connection.putrequest("OPTIONS", "/")
            connection.putheader("Origin", origin)
            connection.putheader("Content-Length", "2")
            connection.endheaders()
            assert send(stack, "GET", "/", Origin="null").status == 403  # time to answer too early
            connection.send(b"{}")
            connection.getresponse().read()
            assert connection.sock is opened


def test_no_page_may_read_what_the_emulator_answers_to_programs(stack: Stack) -> None:
    answer = send(stack, "GET", stack.mailbox)

    assert answer.status == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_only_a_page_that_may_use_the_api_signs_users_in(stack: Stack) -> None:
    """It gets Cognito's actions that are taken unsigned, as Amplify calls them, and no others."""

    def ask(method: str, origin: str, target: str = "", path: str = "/") -> tuple[int, str | None]:
        asked = {"X-Amz-Target": target} if target else {"Access-Control-Request-Method": "POST"}
        site = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
        answer = send(stack, method, path, "{}", **asked, **site)
        return answer.status, answer.headers.get("Access-Control-Allow-Origin")

    own, foreign = "http://localhost:5173", "https://evil.example"
    sign_in, list_users = f"{COGNITO}InitiateAuth", f"{COGNITO}ListUsers"

    assert ask("OPTIONS", own) == (200, own)
    assert ask("POST", own, sign_in)[1] == own
    assert ask("OPTIONS", foreign) == ask("POST", foreign, sign_in) == (403, None)
    assert ask("POST", own, list_users) == ask("OPTIONS", own, path=LIST_FUNCTIONS) == (403, None)
    assert ask("POST", own, sign_in, LIST_FUNCTIONS) == (403, None)
    assert ask("POST", own, sign_in, f"/?{WHO_AM_I}") == (403, None)


def test_the_door_tells_what_calls_hold_and_no_value(stack: Stack, api: Api, user: User) -> None:
    body = {"username": user.username, "confirmationCode": "000000", "newPassword": NEW}
    assert api.post(Operation.CONFIRM_RESET_PASSWORD, body).status == 400

    calls = stack.calls()
    number = max(n for n, one in enumerate(calls) if one["at"] == "gateway")
    held = {
        (one["at"], one["action"]): one["has"]
        for one in calls[number:]
        if one["by"] in {"", "confirm_reset_password"}
    }

    assert held["gateway", "POST /confirm-reset-password"] == ["address", "code", "password"]
    assert held["cognito", "ConfirmForgotPassword"] == ["address", "code", "password"]
    assert held["cognito", "AdminGetUser"] == ["address"]
    assert held["table", "UpdateItem"] == []
    assert calls[number]["status"] == 400
    text = json.dumps([one | {"time": 0, "seconds": 0} for one in calls])
    assert not [value for value in body.values() if value in text]


def test_the_door_finds_the_address_of_a_signed_in_user_who_types_none(
    stack: Stack, api: Api, user: User
) -> None:
    token = stack.sign_in(user)["AccessToken"]
    body = {"oldPassword": user.password, "newPassword": NEW}
    assert api.post(Operation.UPDATE_PASSWORD, body, token=token).status == 204

    calls = stack.calls()
    number = max(n for n, one in enumerate(calls) if one["at"] == "gateway")
    assert calls[number]["has"] == ["password", "token"]
    queued = [one["has"] for one in calls[number:] if one["at"] == "queue"]
    assert ["address"] in queued
    assert {"password", "token", "code"}.isdisjoint(name for has in queued for name in has)


def test_a_page_reaches_the_api(stack: Stack) -> None:
    answer = send(stack, "GET", f"{stack.url}/password-policy", **PAGES["another port"])

    assert answer.status == 200


@pytest.mark.parametrize("path", ["ses/messages", "reset", "config", "health", "calls"])
def test_each_of_the_emulators_own_routes_has_a_key(stack: Stack, path: str) -> None:
    method = "POST" if path in {"reset", "config"} else "GET"
    path = CALLS if path == "calls" else f"/_ministack/{path}"
    other = emulator.own_route("", stack.key, "/_ministack/another").partition("?")[2]
    foreign = emulator.own_route("", emulator.Key.new(), path)

    for url in (path, f"{path}?key=", f"{path}?key=test", f"{path}?{other}", foreign):
        assert is_refused(send(stack, method, url)), url
    assert is_refused(sign(stack, Credentials(*stack.key), path=path))


type Credential = Callable[[Stack], Credentials]


def sign(
    stack: Stack, credentials: Credentials, path: str = "/", body: str = WHO_AM_I, sent: str = ""
) -> urllib3.BaseHTTPResponse:
    """Send a signed request, maybe with another body than the signed one."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", stack.endpoint + path, kind, body)
    SigV4Auth(credentials, "sts", REGION).add_auth(request)
    return send(stack, "POST", path, sent or body, **dict(request.headers))


@pytest.mark.parametrize(
    "credential",
    [
        lambda _: Credentials("test", "test"),
        lambda _: Credentials("123456789012", "test"),
        lambda _: Credentials(ACCOUNT, "test"),
        lambda _: Credentials(*emulator.Key.new()),
        lambda stack: Credentials(stack.key.id, "test"),
        lambda stack: Credentials(stack.key.id, stack.key.secret, "test"),
    ],
    ids=["test", "digits", "account", "unknown", "wrong secret", "wrong token"],
)
def test_only_the_runs_key_signs_for_the_root_user(stack: Stack, credential: Credential) -> None:
    assert is_refused(sign(stack, credential(stack)))
    assert is_refused(sign(stack, Credentials(*stack.key), sent=f"{WHO_AM_I}&A=B"))
    assert b":root</Arn>" in sign(stack, Credentials(*stack.key)).data


def test_nobody_can_compute_the_credentials_of_a_function(stack: Stack) -> None:
    """Without the door they follow from its names, which are the same in every run."""
    assert (
        send(stack, "GET", f"{stack.url}/password-policy").status == 200
    )  # they exist from now on
    functions = stack.client("lambda").list_functions()["Functions"]
    (function,) = (one for one in functions if "password_policy" in one["Handler"])

    for qualifier in ("", ":live", ":1"):
        names = f"{function['FunctionArn']}{qualifier}:{function['Role']}"
        digest = hashlib.sha256(names.encode()).hexdigest()
        secret, token = (
            hashlib.sha256(f"{kind}:{digest}".encode()).hexdigest() for kind in ("secret", "token")
        )
        computed = Credentials(f"ASIA{digest[:16].upper()}", secret, token)
        assert is_refused(sign(stack, computed)), qualifier


def test_unsigned_only_the_actions_pass_that_cognito_takes_unsigned(stack: Stack) -> None:
    model = stack.client("cognito-idp").meta.service_model
    unsigned = {n for n in model.operation_names if model.operation_model(n).auth_type == "none"}

    def passes(name: str, path: str = "/", **headers: str) -> bool:
        target = {"X-Amz-Target": f"{COGNITO}{name}"}
        return not is_refused(send(stack, "POST", path, "{}", **target, **headers))

    passing = {name for name in model.operation_names if passes(name)}
    # The emulator's model of Cognito may be older than ours.
    assert {"ForgotPassword", "GetUser", "InitiateAuth", "RevokeToken"} <= passing <= unsigned
    assert not passes("GetUser", LIST_FUNCTIONS)
    assert not passes("GetUser", f"/?{WHO_AM_I}")
    assert not passes("GetUser", "/?X-Amz-Credential=test/a/b/c/d")
    assert not passes("GetUser", Authorization="AWS4-HMAC-SHA256 Credential=test/a/b/sts/d")
    keys = send(stack, "GET", f"/{stack.user_pool_id}/.well-known/jwks.json")
    assert [key["alg"] for key in json.loads(keys.data)["keys"]]


@pytest.mark.parametrize("path", ["/", "/_aws/execute-api/", "/_aws/execute-api/a", "/health"])
def test_no_other_path_is_open(stack: Stack, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert is_refused(send(stack, method, path, X_Amz_Target="DynamoDB_20120810.ListTables"))


def test_nobody_else_can_read_the_key_of_a_run(stack: Stack) -> None:
    mask = os.umask(0)
    try:
        stack.save()
    finally:
        os.umask(mask)
    file = RUNS / str(stack.port) / "stack.json"

    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    document = json.loads(file.read_text())
    assert (document["accessKeyId"], document["secretAccessKey"]) == stack.key
