"""List each way to write the functions, as a bundle with its environment."""

import compileall
import json
import os
import shutil
import time
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any, Final, NamedTuple

from functions.messages import Message, Task
from functions.operations import CUSTOM_MESSAGE, FUNCTIONS, WORKER, Operation, handler_name
from infra.packaging.bundle import ROOT, build, install
from infra.settings import Deployment
from tests.support import invocation

EVENTS: Final = ROOT / "events"
RIVALS: Final = Path(__file__).with_name("rivals")
CLIENT_ID: Final = "1example23456789"
SETTINGS: Final = invocation.SETTINGS.replace(
    user_pool_id="us-east-1_Example01",
    user_pool_client_id=CLIENT_ID,
    allowed_client_ids=(CLIENT_ID,),
)
"""Fits the sample events. Everything optional is off, because no rival has it."""

BOTO3_PACKAGES: Final = (
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "s3transfer",
    "six.py",
    "urllib3",
)
"""All the packages of a function that uses boto3 and nothing else."""


class Variant(NamedTuple):
    """One way to write one function."""

    name: str
    function: str
    bundle: Path
    handler: str
    environment: dict[str, str]
    keyed: bool = False
    """Whether its requests have an `Idempotency-Key`."""

    @property
    def key(self) -> tuple[str, str]:
        """The identity of the variant."""
        return self.name, self.function

    @property
    def event(self) -> dict[str, Any]:
        """The sample event of its function, with a new key."""
        if self.function == WORKER:
            return _message()
        if self.function == CUSTOM_MESSAGE:
            sample: dict[str, Any] = json.loads((EVENTS / f"{CUSTOM_MESSAGE}.json").read_text())
            return sample
        event = invocation.read_event(Operation[self.function.upper()])
        if self.keyed:
            event["headers"]["Idempotency-Key"] = os.urandom(16).hex()
        return event


def _message() -> dict[str, Any]:
    parameters = {"username": "demo@example.com", "client_metadata": {}}
    now = time.time()
    message = Message(Task.SEND_CODE, "a-request", "192.0.2.7", "a-reference", parameters, now)
    return {"Records": [invocation.make_message(json.dumps(message._asdict()))]}


MOST: Final = Operation.CONFIRM_RESET_PASSWORD
"""The operation that does most work."""

OURS: Final = "ours"
PROD: Final = "ours, with all of prod and a key"
COOKBOOK: Final = "Powertools cookbook"
PLAIN_COOKBOOK: Final = "Powertools cookbook, no byte code"
BOTO3: Final = "boto3, naive"
BOTO3_SIGNS_OUT: Final = "boto3, naive, signs out"
HTTP: Final = "http.client"


class Bundles(NamedTuple):
    """The folders of code."""

    ours: Path
    boto3: Path
    cookbook: Path
    plain_cookbook: Path
    http: Path
    runtime_client: Path


def build_bundles(folder: Path) -> Bundles:
    """Install the rivals and AWS's runtime client, with byte code where a variant has it."""
    plain = folder / "cookbook-plain"
    install(RIVALS / "requirements.txt", plain)
    boto = folder / "boto3"
    for name in BOTO3_PACKAGES:
        _link(plain / name, boto / name)
    for source in (RIVALS / "cookbook").glob("*.py"):
        shutil.copy(source, plain)
    cookbook = folder / "cookbook"
    _link(plain, cookbook)
    http = folder / "http"
    http.mkdir()
    shutil.copy(RIVALS / "http_client.py", http)
    shutil.copy(RIVALS / "naive_boto3.py", boto)
    client = folder / "runtime-client"
    install(ROOT / "tests" / "bundle" / "requirements.txt", client)
    shutil.copy(Path(__file__).with_name("probe.py"), client)
    for compiled in (boto, cookbook, http, client):
        # Lambda changes the files' times, so Python must not compare them.
        compileall.compile_dir(
            compiled, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
        )
    return Bundles(build(), boto, cookbook, plain, http, client)


def _link(source: Path, target: Path) -> None:
    """Link a file or a folder, because a copy for each variant would fill the disk."""
    if source.is_file():
        target.parent.mkdir(exist_ok=True)
        os.link(source, target)
    else:
        shutil.copytree(source, target, copy_function=os.link)


def trust(bundle: Path, authority: Path) -> Path:
    """Write the certificates that a bundle trusts on AWS, and the authority of this run."""
    # The bundle may also have a second, larger file, for hosts that are not AWS.
    store = min(bundle.rglob("*.pem"), key=lambda path: path.stat().st_size)
    trusted = authority.with_name(f"trusted-by-{bundle.name}.pem")
    trusted.write_bytes(store.read_bytes() + b"\n" + authority.read_bytes())
    return trusted


def list_variants(bundles: Bundles, url: str, authority: Path, daemon: str) -> list[Variant]:
    """Return every variant, with the environment that Lambda would give to it."""
    full = trust(bundles.boto3, authority)
    shared = {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_ENDPOINT_URL": url,
        "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": url,
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_SESSION_TOKEN": "benchmark",
        "AWS_XRAY_DAEMON_ADDRESS": daemon,
        "HOME": str(authority.parent),  # no configuration of this machine's user
        "LANG": "en_US.UTF-8",
        "SSL_CERT_FILE": str(full),
        "TZ": ":UTC",
    }
    rival = shared | {
        "AWS_CA_BUNDLE": str(full),
        "CLIENT_ID": CLIENT_ID,
        "POWERTOOLS_METRICS_NAMESPACE": "Passwords",
        "POWERTOOLS_SERVICE_NAME": "passwords",
        "USER_POOL_ID": SETTINGS.user_pool_id,
    }
    own = shared | {"AWS_CA_BUNDLE": str(trust(bundles.ours, authority))}
    # The floor trusts only this certificate, because reading others takes time.
    floor = rival | {"SSL_CERT_FILE": str(authority)}
    prod = {
        "limits": True,
        "event_bus_name": "the-bus",
        "breach_endpoint": f"{url}/range",
        "response_interval": Deployment.of_stage("prod").response_interval,
    }
    environments = {OURS: own | SETTINGS.environment()}
    environments[PROD] = own | SETTINGS.replace(**prod).environment()
    variants = []
    for name in FUNCTIONS:
        for kind, environment in environments.items():
            if kind == OURS or name not in {WORKER, CUSTOM_MESSAGE}:
                handler = handler_name(name)
                one = Variant(kind, name, bundles.ours, handler, environment, kind == PROD)
                variants.append(one)
        # The rivals have the three operations on passwords.
        if (RIVALS / "cookbook" / f"{name}.py").exists():
            cookbook = f"{name}.lambda_handler"
            variants += [
                Variant(COOKBOOK, name, bundles.cookbook, cookbook, rival),
                Variant(PLAIN_COOKBOOK, name, bundles.plain_cookbook, cookbook, rival),
                Variant(BOTO3, name, bundles.boto3, f"naive_boto3.{name}", rival),
                Variant(HTTP, name, bundles.http, f"http_client.{name}", floor),
            ]
    signs_out = f"naive_boto3.{MOST.id}_and_sign_out"
    return [*variants, Variant(BOTO3_SIGNS_OUT, MOST.id, bundles.boto3, signs_out, rival)]
