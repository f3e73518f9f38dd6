"""What an honest caller waits for a response: `python -m benchmarks.waits`.

The packaged functions run with the settings of `prod`. Each call of AWS takes 10 ms more than over
loopback, and one of the service that knows breached passwords 80 ms. Every request succeeds.
"""

import argparse
import json
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from benchmarks.execution import serve_aws
from benchmarks.results import WAITS, tabulate_waits
from benchmarks.stub import AUTHORITY
from benchmarks.variants import SETTINGS, trust
from functions.aws.queue import Message, Task
from functions.operations import WORKER, Operation
from functions.settings import Settings
from infra.packaging.bundle import ROOT, build, install
from tests.support import invocation
from tests.support.runtime import Runtime

AWS: Final = 0.010
BREACHES: Final = 0.080
"""Seconds that a response takes longer."""
_PROD: Final = Settings.of_stage("prod")


def measure(bundle: Path, requests: int) -> dict[str, float]:
    """Return the median of milliseconds that each function took when it was warm."""
    with TemporaryDirectory(dir=ROOT / ".build") as name:
        folder = Path(name)
        client = folder / "runtime-client"
        install(ROOT / "tests" / "bundle" / "requirements.txt", client, platform=None)
        with serve_aws(folder, AWS, BREACHES) as url:
            environment = _environment(bundle, url, folder)
            return {
                function: _measure(bundle, client, function, environment, requests)
                for function in (*(operation.id for operation in invocation.BODIES), WORKER)
                if (bundle / "functions" / function).exists()
            }


def _environment(bundle: Path, url: str, folder: Path) -> dict[str, str]:
    settings = SETTINGS.replace(
        limits=True,
        event_bus_name="the-bus",
        breach_endpoint=f"{url}/range",
        response_interval=_PROD.response_interval,
        code_interval=_PROD.code_interval,
    )
    authority = str(trust(bundle, folder / AUTHORITY))
    return settings.environment() | {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_CA_BUNDLE": authority,
        "AWS_ENDPOINT_URL": url,
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_SESSION_TOKEN": "benchmark",
        "SSL_CERT_FILE": authority,
    }


def _measure(
    bundle: Path, client: Path, function: str, environment: dict[str, str], requests: int
) -> float:
    handler = f"functions.start.{function}"
    event = _message() if function == WORKER else invocation.read_event(_operation(function))
    with Runtime(bundle, client, handler, environment) as runtime:
        runtime.invoke(event)
        times = runtime.times
        for _ in range(requests):
            answer = runtime.invoke(event)
            if answer.get("batchItemFailures") or answer.get("statusCode", 200) >= 300:  # noqa: PLR2004 - HTTP's own number
                raise RuntimeError(runtime.printed)
    pairs = zip(times[2::2], times[3::2], strict=True)
    return round(1e3 * median(ended - began for began, ended in pairs), 1)


def _operation(function: str) -> Operation:
    return next(operation for operation in Operation if operation.id == function)


def _message() -> dict[str, Any]:
    parameters = {"username": "demo@example.com", "client_metadata": {}}
    now = time.time()
    message = Message(Task.SEND_CODE, "a-request", "192.0.2.7", "a-reference", parameters, now)
    return {"Records": [invocation.make_message(json.dumps(message._asdict()))]}


def write(name: str, bundle: Path, requests: int = 20) -> None:
    """Measure a bundle and keep its figures, as those of `now` or of `before`."""
    figures = json.loads(WAITS.read_text()) | {name: measure(bundle, requests)}
    WAITS.write_text(json.dumps(figures, indent=2) + "\n")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waits", description=__doc__)
    parser.add_argument("--before", type=Path, help="the bundle of a commit to compare with")
    before = parser.parse_args().before
    write("before" if before else "now", before or build(platform=None))
    print("\n".join(tabulate_waits()))


if __name__ == "__main__":
    main()
