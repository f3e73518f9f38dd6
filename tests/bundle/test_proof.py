"""The bundle, which leaves much out, does what stock boto3 does, and loads little.

The same script runs in an interpreter that sees only the bundle, and in one with the packages as
they were installed. The tests compare what each sends and meets.
"""

import json
import os
import re
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import botocore
import botocore.session
import pytest

from functions.messages import Message, Task
from functions.operations import CUSTOM_MESSAGE, FUNCTIONS, Operation
from infra.packaging.slimming import ACTIONS
from tests.support import ROOT
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES, SETTINGS, TOKEN, make_event, make_message
from tests.support.tls import HOST, make_certificate, serve

MAX_MODULES: Final = 480

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
from functions.aws.actions import Client
from functions.aws.clients import make_client
def make(service, connect_timeout, read_timeout):
    return make_client(Client(service, connect_timeout, read_timeout, attempts=1))
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
    """Return the script's output, in an interpreter of the bundle or of the installed packages.

    It has `make`, which makes a client as the functions do, and what is `given`.
    """
    if bundle is None:
        start, options = _STOCK, ["-I", "-B"]
    else:
        start, options = f"import sys; sys.path.insert(0, {str(bundle)!r})\n", ["-I", "-S", "-B"]
        start += _BUNDLED
    code = f"{start}import json\ngiven = json.loads(input())\n{script}"
    ended = subprocess.run(
        [sys.executable, *options, "-c", code],
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

_ACCESS: Final = {"AccessToken": TOKEN}
_CODE: Final = {"ConfirmationCode": "012345", "Password": "pässword \U0001f511"}
_CONTEXT: Final = {"UserContextData": {"IpAddress": "192.0.2.7"}}
_KEY: Final = {"TableName": "a-table", "Key": {"id": {"S": "idempotency#1"}}}
_NOW: Final = {"N": "1767225600"}
_POOL: Final = {"UserPoolId": "us-east-1_a"}
_QUEUE: Final = {"QueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/a-queue"}
_USER: Final = _POOL | {"Username": "demo@example.com"}
_WHO: Final = {"ClientId": "a-client", "Username": "Ädä+tag@example.com", "SecretHash": "aGFzaA=="}

_SESSION: Final = "tkn" + 25 * "a"
EXAMPLES: Final[dict[str, dict[str, dict[str, Any]]]] = {
    "cognito-idp": {
        "RevokeUserSession": {"AccessToken": "a", "SessionId": _SESSION},
        "AdminRevokeUserSession": {"UserPoolId": "a_1", "Username": "ä", "SessionId": _SESSION},
        "AdminCreateUser": _USER | {"MessageAction": "RESEND", "DesiredDeliveryMediums": ["EMAIL"]},
        "AdminGetUser": _USER,
        "AdminUserGlobalSignOut": _USER,
        "ChangePassword": _ACCESS
        | {"PreviousPassword": 'an old \\ "with" \'<&> \n', "ProposedPassword": "新しい \u2028"},
        "ConfirmForgotPassword": _WHO | _CONTEXT | _CODE | {"ClientMetadata": {"a": "ä", "b": ""}},
        "DescribeUserPool": _POOL,
        "DescribeUserPoolClient": _POOL | {"ClientId": "a-client"},
        "ForgotPassword": _WHO | _CONTEXT | {"ClientMetadata": {}},
        "GetUser": _ACCESS,
        "GlobalSignOut": _ACCESS,
        "ListUsers": _POOL | {"Filter": 'email = "ä@example.com"', "Limit": 10},
    },
    "dynamodb": {
        "DeleteItem": _KEY,
        "PutItem": {
            "TableName": "a-table",
            "Item": {"id": {"S": "idempotency#1"}, "expiration": _NOW},
            "ConditionExpression": "attribute_not_exists(#id) OR #expiry < :now",
            "ExpressionAttributeNames": {"#id": "id", "#expiry": "expiration"},
            "ExpressionAttributeValues": {":now": _NOW},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        },
        "GetItem": _KEY,
        "UpdateItem": _KEY
        | {
            "UpdateExpression": "ADD attempts :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
            "ReturnValues": "UPDATED_NEW",
        },
    },
    "events": {
        "PutEvents": {
            "Entries": [
                {"EventBusName": "a", "Source": "b", "DetailType": "c", "Detail": '{"ä": 1}'}
            ]
        }
    },
    "sesv2": {
        "SendEmail": {
            "FromEmailAddress": "no-reply@example.com",
            "ReplyToAddresses": ["help@example.com"],
            "ConfigurationSetName": "passwords",
            "Destination": {"ToAddresses": ["demo@example.com"]},
            "Content": {
                "Simple": {"Subject": {"Data": "Ä"}, "Body": {"Html": {"Data": "<p>ä</p>"}}}
            },
        }
    },
    "sqs": {
        "ChangeMessageVisibility": _QUEUE | {"ReceiptHandle": "a", "VisibilityTimeout": 3},
        "SendMessage": _QUEUE | {"MessageBody": '{"username": "ä"}'},
        "SendMessageBatch": _QUEUE
        | {"Entries": [{"Id": "0", "MessageBody": '{"username": "ä"}', "DelaySeconds": 30}]},
    },
}


def example(service: str, action: str) -> dict[str, Any]:
    """The parameters of an action: ours, or text for each one that it demands."""
    if action in EXAMPLES[service]:
        return EXAMPLES[service][action]
    model = botocore.session.get_session().get_service_model(service)
    shape = model.operation_model(action).input_shape
    return dict.fromkeys(shape.required_members if shape else (), "ä")


CALLS: Final = {
    service: {action: example(service, action) for action in sorted(actions)}
    for service, actions in ACTIONS.items()
}

_SEND: Final = """
from botocore import xform_name
from botocore.exceptions import ClientError
for service, actions in given.items():
    client = make(service, connect_timeout=20, read_timeout=20)
    for action, parameters in actions.items():
        try:
            getattr(client, xform_name(action))(**parameters)
        except ClientError as error:
            # The answer of a server that knows nothing, or of a pool that tracks no sessions.
            known = ("UnknownOperationException", "OperationNotEnabledException")
            if error.response["Error"]["Code"] not in known:
                raise
print("null")
"""


def sent(front: Recorder, bundle: Path | None) -> list[tuple[str, str, dict[str, str], bytes]]:
    """Each request, without what tells two equal ones apart."""
    front.calls.clear()
    run(bundle, _SEND, CALLS, ENVIRONMENT | {"AWS_ENDPOINT_URL": front.url})
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


def test_the_requests_are_those_of_stock_boto3(bundle: Path, front: Recorder) -> None:
    stock = sent(front, None)

    assert sent(front, bundle) == stock
    assert len(stock) == sum(map(len, CALLS.values()))


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
    given = [[name, *min(actions.items()), commercial] for name, actions in CALLS.items()]

    stock = run(None, _ASK, given)

    assert run(bundle, _ASK, given) == stock
    assert len(set(stock)) == len(CALLS) * len(commercial)
    assert f"https://{HOST}/" in stock


# Modules and byte code

UNWANTED: Final = {
    *("aws_lambda_powertools.event_handler", "aws_lambda_powertools.utilities.parser"),
    *("aws_lambda_powertools.utilities.validation",),
    *("aws_xray_sdk", "boto3", "fastjsonschema", "jsonschema", "multiprocessing", "pydantic"),
    *("s3transfer", "wrapt"),
}

_IMPORT: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from importlib import import_module
handler = import_module(f"functions.{sys.argv[2]}.lambda_function").handler
print(*sys.modules, sep="\\n")
"""


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_start_loads_few_modules_and_compiles_none(function: str, bundle: Path) -> None:
    """Python's own trace of imports names the sources that it had to compile."""
    started = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-v", "-c", _IMPORT, str(bundle), function],
        env=ENVIRONMENT | SETTINGS.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(started.stdout.split())
    code = rf"^# code object from '?({re.escape(str(bundle))}/\S+\.pyc?)\b"
    found = re.findall(code, started.stderr, re.MULTILINE)

    calls = function != CUSTOM_MESSAGE
    assert "aws_lambda_powertools.logging" in modules
    assert {"botocore.client", "urllib3", "functions.aws.clients"} & modules == (
        {"botocore.client", "urllib3", "functions.aws.clients"} if calls else set()
    )
    assert modules & UNWANTED == set()
    assert len(modules) <= (MAX_MODULES if calls else 200)
    assert len(found) > (100 if calls else 50)
    assert [path for path in found if path.endswith(".py")] == []


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
handler = import_module(f"functions.{name}.lambda_function").handler
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


@pytest.mark.parametrize(
    ("function", "features"),
    [
        *((one, {}) for one in FUNCTIONS),
        (Operation.UPDATE_PASSWORD.id, {"MAIL_FROM": "no-reply@example.com", "EVENT_BUS_NAME": ""}),
    ],
    ids=[*FUNCTIONS, "only mails"],
)
def test_a_first_call_imports_nothing_and_makes_no_client(
    function: str, features: dict[str, str], bundle: Path, front: Recorder
) -> None:
    """With every feature on, a key, and a breach service that would be asked over TLS."""
    front.reset()
    breaches = "https://127.0.0.1:1/range"  # where nobody answers
    everything = SETTINGS.replace(
        limits=True, event_bus_name="the-bus", threat_protection=True, breach_endpoint=breaches
    )
    variables = ENVIRONMENT | everything.environment() | {"AWS_ENDPOINT_URL": front.url} | features
    key = {"Idempotency-Key": "5d0c1c1e"}
    events = {one.id: make_event(one, json.dumps(BODIES.get(one)), key) for one in Operation}
    parameters = {"username": "demo@example.com", "client_metadata": {}}
    message = Message(Task.SEND_CODE, "a-request", "192.0.2.7", None, parameters, time.time())
    sample = (ROOT / "events" / f"{CUSTOM_MESSAGE}.json").read_text()
    events[CUSTOM_MESSAGE] = json.loads(sample)
    events["worker"] = {"Records": [make_message(json.dumps(message._asdict()))]}

    assert run(bundle, _FIRST, [function, events[function]], variables) == []


def test_all_byte_code_is_unchecked(bundle: Path) -> None:
    flags = [path.read_bytes()[4:8] for path in bundle.rglob("__pycache__/*.cpython-313.pyc")]

    assert flags == [b"\1\0\0\0"] * len(list(bundle.rglob("*.py")))


# Certificates


def test_the_roots_are_amazons_five(bundle: Path) -> None:
    roots = bundle / "functions/aws/amazon-roots.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(roots)
    subjects: list[Any] = [root["subject"] for root in context.get_ca_certs()]
    names = [value for subject in subjects for ((kind, value),) in subject if kind == "commonName"]

    assert sorted(names) == [
        *(f"Amazon Root CA {number}" for number in (1, 2, 3, 4)),
        "Starfield Services Root Certificate Authority - G2",
    ]


_VERIFY: Final = """
import os
from functions.aws.clients import AMAZON_ROOTS, _needs_all_roots
all_roots = []
for changes in given:
    os.environ.update(changes)
    all_roots.append(_needs_all_roots(AMAZON_ROOTS))
    for name in changes:
        del os.environ[name]
os.environ["AWS_REGION"] = "us-east-1"
client = make("cognito-idp", connect_timeout=1, read_timeout=1)
print(json.dumps([client._endpoint.http_session._verify, *all_roots]))
"""


def test_only_amazons_roots_are_trusted_unless_the_environment_or_another_partition_wants_more(
    bundle: Path,
) -> None:
    session = botocore.session.get_session()
    partitions = session.get_available_partitions()
    others = [region for one in partitions if one != "aws" for region in regions(one)]
    elsewhere = [{"AWS_CA_BUNDLE": "a.pem"}, {"AWS_ENDPOINT_URL_SQS": "https://localhost"}]
    commercial = [{"AWS_REGION": region} for region in regions("aws")]
    foreign = [{"AWS_REGION": region} for region in ("cn-north-1", *others)]
    foreign += [one | {"AWS_REGION": "us-east-1"} for one in elsewhere]

    verified, *needed = run(bundle, _VERIFY, [*commercial, *foreign])

    assert verified == str(bundle / "functions/aws/amazon-roots.pem")
    assert needed == [False] * len(commercial) + [True] * len(foreign)


_CHANGE: Final = """
import socket
actual = socket.getaddrinfo
def resolve(host, port, *arguments, **more):
    own = host == given["host"]
    where = ("127.0.0.1", given["port"]) if own else (host, port)
    return actual(*where, *arguments, **more)
socket.getaddrinfo = resolve
client = make("cognito-idp", connect_timeout=20, read_timeout=20)
for _ in range(2):
    client.forgot_password(**given["parameters"])
print("null")
"""


def test_a_lost_root_certificate_stops_no_function_and_no_change_is_sent_twice(
    bundle: Path, tmp_path: Path
) -> None:
    """The host's certificate is in botocore's list, and not among Amazon's five."""
    key, certificate = make_certificate(tmp_path)
    changed = tmp_path / "bundle"
    shutil.copytree(bundle, changed, copy_function=os.link)
    full = changed / "botocore/cacert.pem"
    everything = full.read_text() + certificate.read_text()
    full.unlink()
    full.write_text(everything)

    with serve((key, certificate)) as server:
        given = {"host": HOST, "port": server.server_port}
        given |= {"parameters": CALLS["cognito-idp"]["ForgotPassword"]}
        run(changed, _CHANGE, given)

        assert server.requests == ["ForgotPassword"] * 2
        assert server.connections == 2  # the first of them with too few certificates
