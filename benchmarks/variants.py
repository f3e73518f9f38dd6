"""What is compared: each way to write the three functions, as a bundle with its environment."""

import compileall
import os
import shutil
from pathlib import Path
from py_compile import PycInvalidationMode
from typing import Any, Final, NamedTuple

from functions.operations import Operation
from infra.packaging.bundle import ROOT, build, install
from tests.support import invocation

RIVALS: Final = Path(__file__).with_name("rivals")
CLIENT_ID: Final = "1example23456789"
SETTINGS: Final = invocation.SETTINGS.replace(
    user_pool_id="us-east-1_Example01",
    user_pool_client_id=CLIENT_ID,
    allowed_client_ids=(CLIENT_ID,),
)
"""Those of the sample events; everything optional is off, since no rival has it."""

BOTO3_PACKAGES: Final = (
    "boto3",
    "botocore",
    "dateutil",
    "jmespath",
    "s3transfer",
    "six.py",
    "urllib3",
)
"""All that a function with boto3 alone has to bring."""


class Variant(NamedTuple):
    """One way to write one operation."""

    name: str
    operation: Operation
    bundle: Path
    handler: str
    environment: dict[str, str]

    @property
    def key(self) -> tuple[str, Operation]:
        """The identity of the variant."""
        return self.name, self.operation

    @property
    def event(self) -> dict[str, Any]:
        """The sample event of its operation."""
        return invocation.read_event(self.operation)


OURS: Final = "ours"
COOKBOOK: Final = "Powertools cookbook"
PLAIN_COOKBOOK: Final = "Powertools cookbook, no byte code"
BOTO3: Final = "boto3, naive"
HTTP: Final = "http.client"
HTTP_SYSTEM_STORE: Final = "http.client, all authorities"
FEATURES: Final = (
    "ours, with limits",
    "ours, with events",
    "ours, with breached passwords",
    "ours, with all of prod",
)


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
    install(RIVALS / "requirements.txt", plain, platform=None)
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
    install(ROOT / "tests" / "bundle" / "requirements.txt", client, platform=None)
    shutil.copy(Path(__file__).with_name("probe.py"), client)
    for compiled in (boto, cookbook, http, client):
        # Not by the files' times, since Lambda's are others than those of the build.
        compileall.compile_dir(
            compiled, quiet=2, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH
        )
    return Bundles(build(platform=None), boto, cookbook, plain, http, client)


def _link(source: Path, target: Path) -> None:
    """Links, since a copy of the packages for each variant would fill the disk."""
    if source.is_file():
        target.parent.mkdir(exist_ok=True)
        os.link(source, target)
    else:
        shutil.copytree(source, target, copy_function=os.link)


def trust(bundle: Path, authority: Path) -> Path:
    """The certificates that a bundle trusts on AWS, and the authority of this run."""
    # A second, larger file may lie there for what is not AWS.
    store = min(bundle.rglob("*.pem"), key=lambda path: path.stat().st_size)
    trusted = authority.with_name(f"trusted-by-{bundle.name}.pem")
    trusted.write_bytes(store.read_bytes() + b"\n" + authority.read_bytes())
    return trusted


def list_variants(bundles: Bundles, url: str, authority: Path, daemon: str) -> list[Variant]:
    """Every variant, with the environment that Lambda would give to it."""
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
    }
    own = shared | {"AWS_CA_BUNDLE": str(trust(bundles.ours, authority))}
    variants = []
    for operation in invocation.BODIES:
        handler = f"functions.start.{operation.id}"
        cookbook = f"{operation.id}.lambda_handler"
        http = f"http_client.{operation.id}"
        # The floor is the protocol alone, and so with a single authority to read.
        floor = rival | {"SSL_CERT_FILE": str(authority)}
        variants += [
            Variant(OURS, operation, bundles.ours, handler, own | SETTINGS.environment()),
            Variant(COOKBOOK, operation, bundles.cookbook, cookbook, rival),
            Variant(PLAIN_COOKBOOK, operation, bundles.plain_cookbook, cookbook, rival),
            Variant(BOTO3, operation, bundles.boto3, f"naive_boto3.{operation.id}", rival),
            Variant(HTTP, operation, bundles.http, http, floor),
        ]
    # These need no more than one operation to show.
    operation = Operation.CONFIRM_RESET_PASSWORD
    http, handler = f"http_client.{operation.id}", f"functions.start.{operation.id}"
    variants.append(Variant(HTTP_SYSTEM_STORE, operation, bundles.http, http, rival))
    for feature, changes in _features(url).items():
        environment = own | SETTINGS.replace(**changes).environment()
        variants.append(Variant(feature, operation, bundles.ours, handler, environment))
    return variants


def _features(url: str) -> dict[str, dict[str, Any]]:
    """What each feature that is on in production changes of the settings."""
    limits = {"limits": True}
    events = {"event_bus_name": "the-bus"}
    breaches = {"breach_endpoint": f"{url}/range"}
    return dict(zip(FEATURES, (limits, events, breaches, limits | events | breaches), strict=True))
