"""What the bundle leaves out: nothing that a function uses, and most of what it would read.

A start reads botocore's data for hundreds of services to find one, and the certificates of a
hundred authorities to trust Amazon. `tests/bundle` compares what is left with stock botocore.
"""

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from functions.aws.actions import ACTIONS as TABLE

ACTIONS: Final = {
    service: {action.name for action in TABLE.values() if action.client.service == service}
    for service in {action.client.service for action in TABLE.values()}
}
"""The actions that the functions ask of each service of AWS."""

UNUSED: Final = (
    "*.dist-info",
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/data_masking",
    "aws_lambda_powertools/utilities/circuit_breaker",
    "aws_lambda_powertools/utilities/feature_flags",
    "aws_lambda_powertools/utilities/idempotency",
    "aws_lambda_powertools/utilities/jmespath_utils",
    "aws_lambda_powertools/utilities/kafka",
    "aws_lambda_powertools/utilities/parameters",
    "aws_lambda_powertools/utilities/parser",
    "aws_lambda_powertools/utilities/streaming",
    "aws_lambda_powertools/utilities/validation",
    "boto3",
    "dateutil",
    "jmespath",
    "s3transfer",
    "six.py",
    "typing_extensions.py",
    "wrapt-stubs",
)
XRAY_SDK: Final = ("aws_xray_sdk", "wrapt")

IMPORTS: Final = {
    # For the path of a schema that nothing reads.
    "aws_lambda_powertools/__init__.py": {
        "from pathlib import Path": "",
        "PACKAGE_PATH = Path(__file__).parent": "",
    },
    "aws_lambda_powertools/shared/functions.py": {"from pathlib import Path": ""},
    # For a correlation ID that is somewhere in the event.
    "aws_lambda_powertools/logging/logger.py": {
        "from aws_lambda_powertools.utilities import jmespath_utils": "",
    },
    # For handlers that are coroutines.
    "aws_lambda_powertools/utilities/batch/base.py": {"import asyncio": ""},
    # For messages that hold an event of S3.
    "aws_lambda_powertools/utilities/data_classes/sqs_event.py": {
        "from aws_lambda_powertools.utilities.data_classes import S3Event": "",
    },
    # What Python 3.13 has itself.
    **{
        module: {"from typing_extensions import deprecated": "from warnings import deprecated"}
        for module in (
            "aws_lambda_powertools/utilities/batch/decorators.py",
            "aws_lambda_powertools/utilities/data_classes/common.py",
            "aws_lambda_powertools/utilities/data_classes/shared_functions.py",
        )
    },
    # For waiters, for lists by pages, and for retries of another mode.
    "botocore/client.py": {
        "    waiter,": "",
        "from botocore.paginate import Paginator": "",
        "from botocore.retries import adaptive, standard": "from botocore.retries import standard",
    },
    # For Python 2. Our services speak JSON: no XML, and times are numbers. Lambda's zone is UTC.
    "botocore/compat.py": {
        "from botocore.vendored import six": "",
        "from dateutil.tz import tzlocal": "tzlocal = lambda: datetime.timezone.utc",
        "import xml.etree.ElementTree as ETree": "ETree = None",
        "XMLParseError = ETree.ParseError": "XMLParseError = ()",
    },
    "botocore/serialize.py": {"from xml.etree import ElementTree": ""},
    # For `~/.aws/config`, which a function does not have.
    "botocore/configloader.py": {"import configparser": ""},
    # For roles that ask for a second factor, and for processes that print credentials. SnapStart's
    # come from a container's endpoint, which tells the time in ISO 8601.
    "botocore/credentials.py": {
        "import getpass": "",
        "        prompter=getpass.getpass,": "        prompter=None,",
        "import subprocess": "",
        "    def __init__(self, profile_name, load_config, popen=subprocess.Popen):": (
            "    def __init__(self, profile_name, load_config, popen=None):"
        ),
        "import dateutil.parser": "",
        "from dateutil.parser import parse": "parse = datetime.datetime.fromisoformat",
        "from dateutil.tz import tzlocal, tzutc": "tzlocal = tzutc = lambda: datetime.timezone.utc",
    },
    # For endpoints that depend on the parameters of a call.
    "botocore/regions.py": {"import jmespath": ""},
    # For waiters and pages again, and for metrics that a client sends to an agent.
    "botocore/session.py": {"    monitoring,": "", "    paginate,": "", "    waiter,": ""},
    # For single sign-on.
    "botocore/tokens.py": {"import dateutil.parser": "", "from dateutil.tz import tzutc": ""},
    # For files of tokens. A function has no proxy.
    "botocore/utils.py": {
        "import tempfile": "",
        "from pathlib import Path": "",
        "from urllib.request import getproxies, proxy_bypass": (
            "getproxies, proxy_bypass = dict, bool"
        ),
        "import dateutil.parser": "",
        "from dateutil.tz import tzutc": "tzutc = lambda: datetime.timezone.utc",
    },
    # For the help texts of a client.
    "botocore/docs/__init__.py": {"from botocore.docs.service import ServiceDocumenter": ""},
    "botocore/docs/docstring.py": {
        "from botocore.docs.bcdoc.restdoc import DocumentStructure": "",
        "from botocore.docs.method import document_model_driven_method": "",
        "from botocore.docs.paginator import document_paginate_method": "",
        "from botocore.docs.waiter import document_wait_method": "",
    },
    # Four regular expressions hold this pattern, and each compiles it. No host name has a colon.
    "urllib3/util/url.py": {
        '_IPV6_PAT = "(?:" + "|".join([x % _subs for x in _variations]) + ")"': (
            '_IPV6_PAT = "(?:[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)"'
        ),
    },
    # For HTTP/2, which wants a package that the bundle does not have.
    "urllib3/http2/__init__.py": {"from importlib.metadata import version": ""},
}
"""Lines of the packages, and their replacements in the bundle: imports that a start does not need.

A name that is missing and asked for all the same is a `NameError`, and not another behaviour.
"""

EMPTIED: Final = ("aws_lambda_powertools/utilities/data_classes/__init__.py",)
"""Packages that import the events of every service; ours names the modules that it needs."""

_AMAZON: Final = r"Amazon Root CA [1-4]|Starfield Services Root Certificate Authority - G2"
_SHARED_DATA: Final = {"_retry.json", "partitions.json", "sdk-default-configuration.json"}


def slim(bundle: Path, *, xray_sdk: bool) -> None:
    """Remove what is not used, and compile what is left."""
    for pattern in (*UNUSED, *(() if xray_sdk else XRAY_SDK)):
        for path in bundle.glob(pattern):
            _remove(path)
    botocore = bundle / "botocore"
    _extract_roots(botocore / "cacert.pem", bundle / "functions" / "aws" / "amazon-roots.pem")
    _reduce_data(botocore / "data")
    for module, lines in IMPORTS.items():
        _replace(bundle / module, lines)
    for module in EMPTIED:
        _write(bundle / module, "")
    _compile(bundle)


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def _extract_roots(store: Path, roots: Path) -> None:
    """Botocore's own file names each certificate in a comment before it."""
    certificates = re.findall(
        r"# Label: \"([^\"]*)\".*?(-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n)",
        store.read_text(),
        re.DOTALL,
    )
    amazons = [pem for label, pem in certificates if re.fullmatch(_AMAZON, label)]
    if not amazons:
        raise SystemExit(f"{store} no longer names Amazon's certificates.")
    roots.parent.mkdir(parents=True, exist_ok=True)
    roots.write_text("".join(amazons))


def _reduce_data(data: Path) -> None:
    models = {
        service: _reduce_model(data / service, actions) for service, actions in ACTIONS.items()
    }
    prefixes = {model["metadata"]["endpointPrefix"] for _, model in models.values()}
    endpoints = json.loads((data / "endpoints.json").read_text())
    for partition in endpoints["partitions"]:
        services = partition["services"]
        partition["services"] = {
            name: services[name] for name in sorted(prefixes & services.keys())
        }
    for path in data.iterdir():
        if path.name not in _SHARED_DATA:
            _remove(path)
    (data / "endpoints.json").write_text(json.dumps(endpoints))
    for service, (version, model) in models.items():
        folder = data / service / version
        folder.mkdir(parents=True)
        (folder / "service-2.json").write_text(json.dumps(model))


def _reduce_model(folder: Path, actions: Iterable[str]) -> tuple[str, dict[str, Any]]:
    """A service's newest version, and its model with these actions and their shapes alone."""
    newest = max(folder.iterdir())
    model = json.loads(gzip.decompress((newest / "service-2.json.gz").read_bytes()))
    operations = {name: model["operations"][name] for name in sorted(actions)}
    shapes: dict[str, Any] = {}
    wanted = list(_referred(operations))
    while wanted:
        name = wanted.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            wanted += _referred(shapes[name])
    model |= {"operations": operations, "shapes": dict(sorted(shapes.items()))}
    return newest.name, _undocumented(model)


def _referred(value: Any) -> Iterable[str]:  # noqa: ANN401 - as in JSON
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "shape" and isinstance(inner, str):
                yield inner
            else:
                yield from _referred(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _referred(inner)


def _undocumented(value: Any) -> Any:  # noqa: ANN401 - as in JSON
    if isinstance(value, dict):
        return {
            key: _undocumented(inner)
            for key, inner in value.items()
            if not (key == "documentation" and isinstance(inner, str))
        }
    return [_undocumented(inner) for inner in value] if isinstance(value, list) else value


def _replace(module: Path, lines: Mapping[str, str]) -> None:
    text = module.read_text().splitlines()
    for line, replacement in lines.items():
        if text.count(line) != 1:
            raise SystemExit(f"{module} no longer has the line {line!r}.")
        text[text.index(line)] = replacement
    _write(module, "\n".join(text) + "\n")


def _write(module: Path, text: str) -> None:
    module.unlink()  # a link to what other bundles have as well
    module.write_text(text)


def _compile(bundle: Path) -> None:
    """Once for all: Lambda's folder is read-only, so that it would compile at every start.

    The byte code is checked against nothing, neither times nor sources, and so is the same
    whenever it is made, by a process that hashes alike.
    """
    compiler = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run(  # noqa: S603 - Python's own compiler
        [*compiler, "-s", str(bundle), str(bundle)],
        check=True,
        env={"PYTHONHASHSEED": "0"},
    )
