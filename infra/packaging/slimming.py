"""Remove packages, services, operations and certificates that no function uses from the bundle.

A start reads botocore's data for hundreds of services to find one, and the certificates of a
hundred authorities to trust Amazon. `tests/bundle` compares the rest with stock botocore.
"""

import gzip
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from functions.aws.actions import ACTIONS as TABLE

ACTIONS: Final = {
    service: {action.name for action in TABLE.values() if action.client.service == service}
    for service in {action.client.service for action in TABLE.values()}
}
"""The actions that the functions ask of each service of AWS."""

UNUSED: Final = (
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/data_masking",
    "aws_lambda_powertools/utilities/circuit_breaker",
    "aws_lambda_powertools/utilities/feature_flags",
    "aws_lambda_powertools/utilities/idempotency",
    "aws_lambda_powertools/utilities/kafka",
    "aws_lambda_powertools/utilities/parameters",
    "aws_lambda_powertools/utilities/parser",
    "aws_lambda_powertools/utilities/streaming",
    "aws_lambda_powertools/utilities/validation",
)
"""Utilities of Powertools that no function imports."""

_AMAZON: Final = r"Amazon Root CA [1-4]|Starfield Services Root Certificate Authority - G2"
_SHARED_DATA: Final = {"_retry.json", "partitions.json", "sdk-default-configuration.json"}


def slim(bundle: Path) -> None:
    """Remove what no function uses, and compile the rest. No line of a package is changed."""
    for name in UNUSED:
        _remove(bundle / name)
    botocore = bundle / "botocore"
    _extract_roots(botocore / "cacert.pem", bundle / "functions" / "aws" / "amazon-roots.pem")
    _reduce_data(botocore / "data")
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
    """Return a service's newest version, and its model with only these actions and their shapes."""
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


def _compile(bundle: Path) -> None:
    """Compile the modules, because Lambda's folder is read-only and each start would compile them.

    Python checks the byte code neither against times nor against sources. So two builds make the
    same bytes, if both processes have the same hash seed.
    """
    compiler = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    subprocess.run(  # noqa: S603 - Python's own compiler
        [*compiler, "-s", str(bundle), str(bundle)], check=True, env={"PYTHONHASHSEED": "0"}
    )
