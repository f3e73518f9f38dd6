"""The bundle, of which much was left out, does what stock boto3 does, and loads little.

The same script runs in an interpreter that sees the bundle alone, and in one with the packages as
they were installed; what each sent, or met, is compared.
"""

import json
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from pathlib import Path
from threading import Thread
from typing import Any, Final

import botocore
import botocore.session
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from functions.aws.queue import Message, Task
from functions.operations import FUNCTIONS, Operation
from infra.packaging.bundle import build
from infra.packaging.slimming import ACTIONS
from tests.support.contract import ids
from tests.support.front import CognitoFront, Refusal
from tests.support.invocation import BODIES, SETTINGS, TOKEN, make_event, make_message
from tests.support.runtime import Runtime

each_operation = pytest.mark.parametrize("operation", Operation, ids=ids)

MAX_MODULES: Final = 360
ENDPOINT: Final = "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER"
HOST: Final = "cognito-idp.us-east-1.amazonaws.com"

ENVIRONMENT: Final = {
    "AWS_ACCESS_KEY_ID": "tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_LAMBDA_FUNCTION_NAME": "tests",
    "AWS_REGION": "us-east-1",
    "AWS_SECRET_ACCESS_KEY": "tests",
    "AWS_SESSION_TOKEN": "tests",
    "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
}

_BUNDLED: Final = """
from functions.aws.clients import make_client
def make(service, **time_outs):
    return make_client(service, retries={"mode": "standard", "total_max_attempts": 1}, **time_outs)
"""
_STOCK: Final = """
import boto3, os
from botocore.config import Config
def make(service, **time_outs):
    config = Config(retries={"mode": "standard", "total_max_attempts": 1}, **time_outs)
    return boto3.client(service, region_name=os.environ["AWS_REGION"], config=config)
"""


def run(
    bundle: Path | None,
    script: str,
    given: Any = None,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> Any:
    """What the script prints, in an interpreter of the bundle, or else of the installed packages.

    It has `make`, which makes a client as the functions do, and what is `given`.
    """
    if bundle is None:
        start, options = _STOCK, ["-I", "-B"]
    else:
        start, options = f"import sys; sys.path.insert(0, {str(bundle)!r})\n", ["-I", "-S", "-B"]
        start += _BUNDLED
    ended = subprocess.run(
        [
            sys.executable,
            *options,
            "-c",
            f"{start}import json\ngiven = json.loads(input())\n{script}",
        ],
        input=json.dumps(given) + "\n",
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


class Recorder(CognitoFront):
    """A front that keeps each request as it was on the wire."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[Any] = []

    def _handle(self, call: Any) -> Any:
        self.calls.append(call)
        return super()._handle(call)


@pytest.fixture(scope="module")
def front() -> Iterator[Recorder]:
    with Recorder() as front:
        yield front


# On the wire

_WHO: Final = {"ClientId": "a-client", "Username": "Ädä+tag@example.com", "SecretHash": "aGFzaA=="}
_CONTEXT: Final = {"UserContextData": {"IpAddress": "192.0.2.7"}}
_KEY: Final = {"TableName": "a-table", "Key": {"id": {"S": "idempotency#1"}}}
_QUEUE: Final = {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/a-queue"}

CALLS: Final[dict[str, dict[str, list[dict[str, Any]]]]] = {
    "cognito-idp": {
        "AdminCreateUser": [
            {
                "UserPoolId": "us-east-1_a",
                "Username": "demo@example.com",
                "MessageAction": "RESEND",
                "DesiredDeliveryMediums": ["EMAIL"],
            }
        ],
        "AdminGetUser": [{"UserPoolId": "us-east-1_a", "Username": "demo@example.com"}],
        "AdminUserGlobalSignOut": [{"UserPoolId": "us-east-1_a", "Username": "demo@example.com"}],
        "ChangePassword": [
            {
                "AccessToken": TOKEN,
                "PreviousPassword": 'an old pässword \\ "with" \'<&> \n',
                "ProposedPassword": "新しいパスワード 🔑 \u2028",
            }
        ],
        "ConfirmForgotPassword": [
            _WHO | _CONTEXT | {"ConfirmationCode": "012345", "Password": "pässword 🔑"},
            _WHO
            | {"ConfirmationCode": "1", "Password": "p", "ClientMetadata": {"a": "ä", "b": ""}},
        ],
        "DescribeUserPool": [{"UserPoolId": "us-east-1_a"}],
        "DescribeUserPoolClient": [{"UserPoolId": "us-east-1_a", "ClientId": "a-client"}],
        "ForgotPassword": [
            _WHO | _CONTEXT | {"ClientMetadata": {"a": "ä"}},
            {"ClientId": "a-client", "Username": "demo@example.com", "ClientMetadata": {}},
        ],
        "GetUser": [{"AccessToken": TOKEN}],
        "GlobalSignOut": [{"AccessToken": TOKEN}],
        "ListUsers": [
            {"UserPoolId": "us-east-1_a", "Filter": 'email = "ä@example.com"', "Limit": 10}
        ],
    },
    "dynamodb": {
        "DeleteItem": [_KEY],
        "PutItem": [
            {
                "TableName": "a-table",
                "Item": {"id": {"S": "idempotency#1"}, "expiration": {"N": "1767225600"}},
                "ConditionExpression": "attribute_not_exists(#id) OR #expiry < :now",
                "ExpressionAttributeNames": {"#id": "id", "#expiry": "expiration"},
                "ExpressionAttributeValues": {":now": {"N": "1767225600"}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        ],
        "UpdateItem": [
            _KEY
            | {
                "UpdateExpression": "ADD attempts :one",
                "ExpressionAttributeValues": {":one": {"N": "1"}},
                "ReturnValues": "UPDATED_NEW",
            }
        ],
    },
    "events": {
        "PutEvents": [
            {
                "Entries": [
                    {
                        "EventBusName": "a-bus",
                        "Source": "password-service",
                        "DetailType": "Password Updated",
                        "Detail": '{"sub": "ä"}',
                    }
                ]
            }
        ]
    },
    "sesv2": {
        "SendEmail": [
            {
                "FromEmailAddress": "no-reply@example.com",
                "ReplyToAddresses": ["help@example.com"],
                "ConfigurationSetName": "passwords",
                "Destination": {"ToAddresses": ["demo@example.com"]},
                "Content": {
                    "Simple": {
                        "Subject": {"Data": "Ä", "Charset": "UTF-8"},
                        "Body": {"Text": {"Data": "ä\n"}, "Html": {"Data": "<p>ä</p>"}},
                    }
                },
            }
        ]
    },
    "sqs": {
        "ChangeMessageVisibility": [_QUEUE | {"ReceiptHandle": "a", "VisibilityTimeout": 3}],
        "SendMessage": [_QUEUE | {"MessageBody": '{"username": "ä"}'}],
    },
}

_SEND: Final = """
from botocore import xform_name
from botocore.exceptions import ClientError
for service, actions in given.items():
    client = make(service, connect_timeout=20, read_timeout=20)
    for action, calls in actions.items():
        for parameters in calls:
            try:
                getattr(client, xform_name(action))(**parameters)
            except ClientError as error:
                if error.response["Error"]["Code"] != "UnknownOperationException":
                    raise
print("null")
"""


def sent(front: Recorder, bundle: Path | None) -> list[tuple[str, str, dict[str, str], bytes]]:
    """Each request, without what tells two equal ones apart."""
    front.calls.clear()
    endpoints = dict.fromkeys(
        [
            ENDPOINT,
            *(f"AWS_ENDPOINT_URL_{name}" for name in ("DYNAMODB", "EVENTBRIDGE", "SESV2", "SQS")),
        ],
        front.url,
    )
    run(bundle, _SEND, CALLS, ENVIRONMENT | endpoints)
    requests = []
    for call in front.calls:
        headers = dict(call.headers)
        for name in ("amz-sdk-invocation-id", "user-agent"):
            del headers[name]
        if "authorization" in headers:
            variable = re.compile(r"/\d{8}/|Signature=[0-9a-f]{64}$")
            headers["authorization"], count = variable.subn("", headers["authorization"])
            assert count == 2
            assert re.fullmatch(r"\d{8}T\d{6}Z", headers.pop("x-amz-date"))
        requests.append((call.method, call.path, headers, call.body))
    return requests


def test_every_action_is_compared() -> None:
    assert {service: set(actions) for service, actions in CALLS.items()} == ACTIONS


def test_the_requests_are_those_of_stock_boto3(bundle: Path, front: Recorder) -> None:
    stock = sent(front, None)

    assert sent(front, bundle) == stock
    assert len(stock) == sum(len(calls) for actions in CALLS.values() for calls in actions.values())


# Errors

_MEET: Final = """
import os, socket
from botocore import xform_name
actual, port = socket.getaddrinfo, given["tls_port"]
def resolve(host, *arguments, **more):
    if host == given["host"]:
        return actual("127.0.0.1", port, *arguments[1:], **more)
    return actual(host, *arguments, **more)
socket.getaddrinfo = resolve
def meet(client, action, parameters):
    try:
        answer = getattr(client, xform_name(action))(**parameters)
    except Exception as error:
        response = getattr(error, "response", None) or {}
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return [type(error).__module__ + "." + type(error).__name__,
                str(error), response.get("Error"), status]
    metadata = answer.pop("ResponseMetadata")
    return ["answer", answer, metadata["HTTPStatusCode"], "RequestId" in metadata]
met = []
for endpoint, read_timeout, calls in given["cases"]:
    os.environ.pop(given["variable"], None)
    if endpoint:
        os.environ[given["variable"]] = endpoint
    client = make("cognito-idp", connect_timeout=20, read_timeout=read_timeout)
    met += [meet(client, action, parameters) for action, parameters in calls]
print(json.dumps(met))
"""


@pytest.fixture
def tls_port(tmp_path: Path) -> Iterator[int]:
    """A server of TLS whose certificate has Cognito's name, but that nobody trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):
                    context.wrap_socket(connection, server_side=True).close()

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def refusing_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def script_refusals(front: CognitoFront, action: str) -> list[str]:
    """Play one after the other all that the model declares, and more; return the error codes."""
    model = botocore.session.get_session().get_service_model("cognito-idp")
    declared = [shape.name for shape in model.operation_model(action).error_shapes]
    refusals = [(name, 400) for name in declared]
    refusals += [("ThrottlingException", 400), ("SomethingNewException", 400)]
    refusals += [("InternalErrorException", 500), ("ServiceUnavailable", 503)]
    for name, status in refusals:
        front.answer(action, error=name, message=f"It is {name}.", status=status, times=1)
    return [name for name, _ in refusals]


def script_failures(front: CognitoFront, action: str) -> list[str]:
    """Play answers that are not Cognito's; return what stock botocore makes of each."""
    page = b"<html><body>Bad gateway</body></html>"
    for status in (400, 500, 502):
        front.answer(action, body=page, status=status, times=1)
    front.answer(action, body=b"", status=503, times=1)
    front.answer(action, reset=True, times=1)
    return [*["ClientError"] * 4, "ConnectionClosedError"]


def test_every_failure_is_that_of_stock_botocore(
    bundle: Path, front: Recorder, tls_port: int
) -> None:
    actions = [operation.action for operation in Operation]
    parameters = {action: CALLS["cognito-idp"][action][0] for action in actions}
    one = [[actions[0], parameters[actions[0]]]]
    refused = f"http://127.0.0.1:{refusing_port()}"
    met = []
    for where in (None, bundle):
        front.reset()
        expected, calls = [], []
        for action in actions:
            outcomes = script_refusals(front, action) + script_failures(front, action)
            expected += outcomes
            calls += [[action, parameters[action]]] * len(outcomes)
        front.answer(actions[0], delay=600)
        cases = [
            [front.url, 5, calls],
            [front.url, 0.2, one],
            [refused, 20, one],
            ["https://cognito.invalid", 20, one],
            [None, 20, one],
        ]
        expected += ["ReadTimeoutError", *["EndpointConnectionError"] * 2, "SSLError"]
        given = {"cases": cases, "host": HOST, "tls_port": tls_port, "variable": ENDPOINT}
        met.append(run(where, _MEET, given))

    stock, ours = met
    assert ours == stock
    # Stock botocore met what this test means it to meet.
    known = [(name.rpartition(".")[2], error) for name, _, error, *_ in stock]
    assert len(stock) == len(expected)
    for (name, error), meant in zip(known, expected, strict=True):
        code = error.get("Code") if isinstance(error, dict) else None
        assert meant in {name, code}


def test_a_page_is_no_success_although_stock_botocore_takes_it_for_one(
    bundle: Path, front: Recorder
) -> None:
    action = Operation.RESET_PASSWORD.action
    front.answer(action, body=b"<html><body>Welcome</body></html>")
    calls = [[action, CALLS["cognito-idp"][action][0]]]
    given = {"cases": [[front.url, 5, calls]], "host": HOST, "tls_port": 0, "variable": ENDPOINT}

    ((stock, *_),) = run(None, _MEET, given)
    ((ours, *_),) = run(bundle, _MEET, given)

    assert stock == "answer"
    assert ours.rpartition(".")[2] == "ForeignAnswerError"


# Endpoints

_ASK: Final = """
import os
from botocore import xform_name
asked = []
def stop(request, **_):
    asked.append(request.url)
    raise InterruptedError
for service, action, parameters, regions in given:
    for region in regions:
        os.environ["AWS_REGION"] = region
        client = make(service, connect_timeout=1, read_timeout=1)
        client.meta.events.register("before-send", stop)
        try:
            getattr(client, xform_name(action))(**parameters)
        except InterruptedError:
            pass
print(json.dumps(asked))
"""


def regions(partition: str) -> list[str]:
    """All of them, whether a service is known to be there or not."""
    return sorted(botocore.session.get_session().get_available_regions("ec2", partition))


def test_the_endpoint_is_that_of_stock_botocore_in_every_commercial_region(bundle: Path) -> None:
    """The URL that is about to be sent to: stock botocore resolves it by the service's rules.

    Those of DynamoDB prefer an endpoint of the account, if the credentials name one; Lambda's
    do not.
    """
    commercial = regions("aws")
    given = []
    for service, actions in CALLS.items():
        action = min(actions)
        given.append([service, action, actions[action][0], commercial])

    stock = run(None, _ASK, given)

    assert run(bundle, _ASK, given) == stock
    assert len(set(stock)) == len(CALLS) * len(commercial)
    assert f"https://{HOST}/" in stock


_PARSE: Final = """
from urllib3.util.ssl_ import is_ipaddress
from urllib3.util.url import parse_url
hosts = [parse_url(f"https://{host}:443/").host for host in given]
print(json.dumps([[host, is_ipaddress(host.strip("[]"))] for host in hosts]))
"""


def test_hosts_are_read_as_by_stock_urllib3(bundle: Path) -> None:
    """A name that is taken for an address would have its certificate checked as one."""
    numbers = [0, 1, 2**32, 2**64 + 1, 2**128 - 1, int(IPv6Address("::ffff:192.0.2.1"))]
    addresses = [f"[{IPv6Address(number)}]" for number in numbers]
    addresses += [f"[{IPv6Address(number).exploded}]" for number in numbers]
    addresses += ["[::ffff:192.0.2.1]", "[fe80::1%25eth0]", "192.0.2.1"]
    names = [HOST, "localhost", "dead.beef", "abc", "a-b.example"]

    stock = run(None, _PARSE, [*addresses, *names])

    assert run(bundle, _PARSE, [*addresses, *names]) == stock
    assert [address for _, address in stock] == [True] * len(addresses) + [False] * len(names)


# Modules and byte code

UNWANTED: Final = {
    "asyncio",
    "aws_lambda_powertools.event_handler",
    "aws_lambda_powertools.utilities.data_classes.alb_event",
    "aws_lambda_powertools.utilities.parser",
    "aws_lambda_powertools.utilities.validation",
    "aws_xray_sdk",
    "boto3",
    "configparser",
    "dateutil",
    "fastjsonschema",
    "getpass",
    "html.parser",
    "importlib.metadata",
    "jmespath",
    "jsonschema",
    "multiprocessing",
    "pathlib",
    "pydantic",
    "s3transfer",
    "subprocess",
    "tempfile",
    "typing_extensions",
    "urllib.request",
    "wrapt",
    "xml",
}

_IMPORT: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from importlib import import_module
handler = getattr(import_module("functions.start"), sys.argv[2])
print(*sys.modules, sep="\\n")
"""


def import_handler(function: str, bundle: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A start in Lambda, which prints the modules."""
    command = [sys.executable, "-I", "-S", "-B", *options, "-c", _IMPORT, str(bundle)]
    return subprocess.run(
        [*command, function],
        env=ENVIRONMENT | SETTINGS.environment(),
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_start_loads_few_modules(function: str, bundle: Path) -> None:
    modules = set(import_handler(function, bundle).stdout.split())

    assert {"botocore.client", "aws_lambda_powertools.logging"} <= modules
    assert modules & UNWANTED == set()
    assert len(modules) <= MAX_MODULES


_FIRST: Final = """
import gc, ssl, sys
from importlib import import_module
from types import SimpleNamespace
from botocore.client import BaseClient

def made():
    gc.unfreeze()
    kept = [one for one in gc.get_objects() if isinstance(one, (BaseClient, ssl.SSLContext))]
    return {*sys.modules, *(f"{one.__class__.__name__} {id(one)}" for one in kept)}

sys.stdout, out = sys.stderr, sys.stdout
name, event = given
handler = getattr(import_module("functions.start"), name)
before = made()
context = SimpleNamespace(
    function_name="tests",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:tests:live",
    aws_request_id="tests",
    get_remaining_time_in_millis=lambda: 28_000,
)
handler(event, context)
print(json.dumps(sorted(made() - before)), file=out)
"""


MAILS_ALONE: Final = {"MAIL_FROM": "no-reply@example.com", "EVENT_BUS_NAME": ""}


@pytest.mark.parametrize(
    ("function", "features"),
    [*((one, {}) for one in FUNCTIONS), (Operation.UPDATE_PASSWORD.id, MAILS_ALONE)],
    ids=[*FUNCTIONS, "mails alone"],
)
def test_a_first_call_imports_nothing_and_makes_no_client(
    function: str, features: dict[str, str], bundle: Path, front: Recorder
) -> None:
    """With every feature on, a key, and a breach service that would be asked over TLS."""
    front.reset()
    breaches = f"https://127.0.0.1:{refusing_port()}/range"
    variables = (
        ENVIRONMENT | environment(front, front.url) | {"BREACH_ENDPOINT": breaches} | features
    )
    operations = [operation for operation in Operation if operation.id == function]
    events = [make_event(one, json.dumps(BODIES.get(one)), KEY) for one in operations]
    parameters = {"username": "demo@example.com", "client_metadata": {}}
    message = Message(Task.SEND_CODE, "a-request", "192.0.2.7", None, parameters, time.time())
    events.append({"Records": [make_message(json.dumps(message._asdict()))]})

    assert run(bundle, _FIRST, [function, events[0]], variables) == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_start_survives_a_client_that_cannot_be_made(function: str, bundle: Path) -> None:
    script = "from functions import start\nprint(json.dumps(callable(start.start(given))))"
    variables = ENVIRONMENT | SETTINGS.environment() | {"AWS_DEFAULTS_MODE": "nonsense"}

    assert run(bundle, script, function, variables) is True


def compiled_at_start(bundle: Path) -> list[str]:
    """The sources in the bundle that Python compiled, as its own trace of imports names them."""
    trace = import_handler(Operation.CONFIRM_RESET_PASSWORD.id, bundle, "-v").stderr
    found = re.findall(
        rf"^# code object from '?({re.escape(str(bundle))}/\S+\.pyc?)\b", trace, re.MULTILINE
    )
    assert len(found) > 100
    return [path for path in found if path.endswith(".py")]


def test_a_start_compiles_nothing(bundle: Path) -> None:
    assert compiled_at_start(bundle) == []


def test_byte_code_that_is_missing_is_noticed(bundle: Path, tmp_path: Path) -> None:
    """The proof that the other test would see a compilation."""
    copy = tmp_path / "bundle"
    shutil.copytree(bundle, copy, ignore=shutil.ignore_patterns("clients.cpython-313.pyc"))

    assert compiled_at_start(copy) == [str(copy / "functions/aws/clients.py")]


def test_all_byte_code_is_unchecked(bundle: Path) -> None:
    sources = list(bundle.rglob("*.py"))
    flags = {
        source: (source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc").read_bytes()[4:8]
        for source in sources
    }

    assert sources
    assert {source for source, flag in flags.items() if flag != b"\1\0\0\0"} == set()


# Certificates

_VERIFY: Final = """
import os
verified = []
for changes in given:
    os.environ.update(changes)
    client = make("cognito-idp", connect_timeout=1, read_timeout=1)
    verified.append(client._endpoint.http_session._verify)
    for name in changes:
        del os.environ[name]
print(json.dumps(verified))
"""


def verified(bundle: Path, *environments: dict[str, str]) -> list[str | bool]:
    """The certificates that a client trusts: a file's, or botocore's own."""
    files: list[str | bool] = run(bundle, _VERIFY, environments)
    return files


def test_the_roots_are_amazons_five_as_botocore_has_them(bundle: Path) -> None:
    roots = bundle / "functions/aws/amazon-roots.pem"
    pattern = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.DOTALL)
    ours = pattern.findall(roots.read_text())
    all_of_them = pattern.findall((Path(botocore.__file__).parent / "cacert.pem").read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(roots)
    subjects: list[Any] = [root["subject"] for root in context.get_ca_certs()]
    names = [value for subject in subjects for ((kind, value),) in subject if kind == "commonName"]

    assert sorted(names) == [
        *(f"Amazon Root CA {number}" for number in (1, 2, 3, 4)),
        "Starfield Services Root Certificate Authority - G2",
    ]
    assert set(ours) < set(all_of_them)


def test_a_client_trusts_amazons_roots_alone_where_nothing_overrides(bundle: Path) -> None:
    everywhere = [{"AWS_REGION": region} for region in regions("aws")]

    assert set(verified(bundle, *everywhere)) == {str(bundle / "functions/aws/amazon-roots.pem")}


def test_a_client_trusts_all_that_botocore_does_where_amazons_roots_may_not_do(
    bundle: Path,
) -> None:
    session = botocore.session.get_session()
    others = set(session.get_available_partitions()) - {"aws"}
    foreign = sorted(region for partition in others for region in regions(partition))
    environments = [
        {"AWS_CA_BUNDLE": "/a/file.pem"},
        {ENDPOINT: "https://localhost"},
        {"AWS_ENDPOINT_URL": "https://localhost"},
        *({"AWS_REGION": region} for region in ["cn-north-1", *foreign]),
    ]

    files = verified(bundle, *environments)

    assert files[0] == "/a/file.pem"
    trusting = zip(environments[1:], files[1:], strict=True)
    assert [environment for environment, file in trusting if file is not True] == []


# Features

KEY: Final = {"Idempotency-Key": "5d0c1c1e"}
changing = pytest.mark.parametrize(
    "operation", [operation for operation in Operation if operation.changes_password], ids=ids
)


def environment(front: CognitoFront, elsewhere: str) -> dict[str, str]:
    """With all features on, except the breach service, which is no part of AWS."""
    settings = SETTINGS.replace(limits=True, event_bus_name="the-bus", threat_protection=True)
    return settings.environment() | {
        "AWS_ACCESS_KEY_ID": "tests",
        ENDPOINT: front.url,
        "AWS_ENDPOINT_URL_DYNAMODB": elsewhere,
        "AWS_ENDPOINT_URL_EVENTBRIDGE": elsewhere,
        "AWS_ENDPOINT_URL_SQS": elsewhere,
        "AWS_SECRET_ACCESS_KEY": "tests",
    }


def invoke(
    operation: Operation, bundle: Path, client: Path, environment: dict[str, str], times: int = 1
) -> list[tuple[int, dict[str, Any]]]:
    """Each answer's status, and its line in the log."""
    handler = f"functions.start.{operation.id}"
    asked = make_event(operation, json.dumps(BODIES[operation]), KEY)
    with Runtime(bundle, client, handler, environment) as runtime:
        statuses = [runtime.invoke(asked)["statusCode"] for _ in range(times)]
        lines = [json.loads(line) for line in runtime.printed.splitlines() if line.startswith("{")]
    return list(zip(statuses, [line for line in lines if "outcome" in line], strict=True))


@changing
def test_a_packaged_handler_works_although_the_table_and_the_bus_do_not(
    operation: Operation, bundle: Path, runtime_client: Path, front: Recorder
) -> None:
    front.reset()
    nowhere = f"http://127.0.0.1:{refusing_port()}"

    ((status, log),) = invoke(operation, bundle, runtime_client, environment(front, nowhere))

    assert status == 204
    assert set(log["degradations"]) == {
        *("EventLost", "IdempotencyFailed", "LimitsFailed", "QueueFailed"),
    }


class Elsewhere:
    """DynamoDB, as far as a repeated request needs it."""

    def __init__(self) -> None:
        self.items: dict[str, Any] = {}

    def respond(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        if action == "PutItem":
            key = body["Item"]["id"]["S"]
            if key in self.items:
                old, error = self.items[key], "ConditionalCheckFailedException"
                raise Refusal(error, "The conditional request failed", Item=old)
            self.items[key] = body["Item"]
        elif body["Key"]["id"]["S"].startswith("idempotency#"):
            key = body["Key"]["id"]["S"]
            self.items[key]["outcome"] = body["ExpressionAttributeValues"][":outcome"]
        return {"Attributes": {"attempts": {"N": "1"}}}


@changing
def test_a_packaged_handler_answers_a_repeat_from_the_table(
    operation: Operation, bundle: Path, runtime_client: Path, front: Recorder
) -> None:
    front.reset()
    elsewhere = Elsewhere()

    with CognitoFront() as table:
        table.respond = elsewhere.respond
        answers = invoke(operation, bundle, runtime_client, environment(front, table.url), times=2)

    assert [(status, log.get("repeated")) for status, log in answers] == [(204, None), (204, True)]
    assert not any("degradations" in log for _, log in answers)
    assert [one.action for one in table.requests].count("SendMessage") == 1
    assert [one.action for one in front.requests].count(operation.action) == 1


def test_a_packaged_handler_works_with_the_x_ray_sdk(runtime_client: Path, front: Recorder) -> None:
    front.reset()
    bundle = build(xray_sdk=True)
    nowhere = f"http://127.0.0.1:{refusing_port()}"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        daemon.settimeout(60)
        host, port = daemon.getsockname()
        tracing = {"AWS_XRAY_DAEMON_ADDRESS": f"{host}:{port}", "XRAY_SDK": "true"}
        variables = environment(front, nowhere) | tracing

        ((status, _),) = invoke(Operation.UPDATE_PASSWORD, bundle, runtime_client, variables)

        names: list[str] = []
        while not names or not names[-1].startswith("## "):
            names.append(json.loads(daemon.recv(64 * 1024).partition(b"\n")[2])["name"])
    assert status == 204
    assert "ChangePassword" in names
