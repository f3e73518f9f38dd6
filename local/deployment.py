"""Deploy the stage `local` to an emulator, with the CDK CLI as for AWS."""

import json
import re
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from infra.settings import Deployment, read_context
from local import emulator
from local.breaches import breached_passwords
from local.emulator import ACCOUNT, REGION, Key
from local.processes import ROOT, Child, Processes
from local.runs import hold
from local.stack import Stack
from local.watch import MOST, Call

STACK: Final = "password-service-local"

_CDK: Final = ROOT / "node_modules" / ".bin" / "cdk"
_NOTHING: Final[Mapping[str, str]] = {}


def read_settings(context: Mapping[str, object] = _NOTHING) -> Deployment:
    """Return the settings of the stage `local` as `cdk.json` and then `context` change them.

    Exit with everything that is wrong with them.
    """
    written = json.loads((ROOT / "cdk.json").read_text())["context"]
    try:
        return read_context({**written, **context, "stage": "local"})
    except ValueError as error:
        sys.exit(str(error))


@contextmanager
def local_stack(
    port: int,
    *,
    say: Callable[[str], None],
    functions: Mapping[str, str] = _NOTHING,
    origins: Sequence[str] = (),
    context: Mapping[str, object] = _NOTHING,
) -> Iterator[Stack]:
    """Deploy the stack to an emulator of its own, and stop and remove both in the end.

    `say` gets a line before each slow step, `functions` is added to the environment of the Lambda
    functions, `origins` are added to those of the settings, and `context` changes the settings, as
    `cdk.json` does. Without a `breachEndpoint`, the list of breached passwords is a small one here.
    """
    settings = read_settings(context)
    lookups: deque[Call] = deque(maxlen=MOST)
    allowed = [*dict.fromkeys((*origins, *settings.allowed_origins))]
    with (
        hold(port, "PORT", say) as folder,
        Processes(folder) as processes,
        breached_passwords(note=partial(_look_up, lookups)) as breaches,
    ):
        chosen = {
            **context,
            "stage": "local",
            "allowedOrigins": ",".join(allowed),
            "breachEndpoint": settings.breach_endpoint or breaches,
        }
        # Without it, Node takes jsii's scripts here for ES modules, as the project's file says.
        (folder / "package.json").write_text("{}")
        say(f"starting the emulator on port {port}")
        key = Key.new()
        endpoint, child = emulator.start(
            processes,
            port=port,
            folder=folder,
            key=key,
            origins=allowed,
            functions=functions,
        )

        def cdk(command: str, *arguments: str | Path, directory: Path = folder) -> Child:
            return processes.start(
                f"cdk {command}",
                _CDK,
                command,
                *arguments,
                "--no-notices",
                environment=_environment(endpoint, key, folder),
                working_directory=directory,
            )

        say("synthesizing the stack and bootstrapping the account")
        assembly = folder / "cdk.out"
        # Only here does the CLI find cdk.json; elsewhere it does not run the app a second time.
        synthesis = cdk(
            "synth",
            *("--quiet", "--no-staging", "--output", assembly),
            *(part for name, value in chosen.items() for part in ("--context", f"{name}={value}")),
            directory=ROOT,
        )
        emulator.wait(endpoint, key, child)
        cdk("bootstrap", f"aws://{ACCOUNT}/{REGION}").finish()
        # The policy requires TLS, which the emulator does not support.
        bucket = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
        emulator.client(endpoint, key, "s3").delete_bucket_policy(Bucket=bucket)
        synthesis.finish()

        say("deploying the stack")
        outputs = folder / "outputs.json"
        cdk(
            "deploy",
            STACK,
            *("--app", assembly),
            *("--outputs-file", outputs),
            *("--require-approval", "never"),
            *("--method", "direct"),
        ).finish()
        _, _, domain = settings.mail_from.partition("@")
        emulator.client(endpoint, key, "sesv2").create_email_identity(EmailIdentity=domain)
        stack = _describe(endpoint, key, json.loads(outputs.read_text())[STACK], lookups)
        stack.restart()
        yield stack


def _environment(endpoint: str, key: Key, folder: Path) -> dict[str, str]:
    return emulator.environment(endpoint, key) | {
        "CDK_DEFAULT_ACCOUNT": ACCOUNT,
        "CDK_DEFAULT_REGION": REGION,
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        "CDK_HOME": str(folder / "cdk"),
        # The tests hold this stage's template against the CDK's rules, which takes seconds.
        "CDK_VALIDATION": "false",
        "NO_COLOR": "1",
        "TMPDIR": str(folder),
    }


def _look_up(lookups: deque[Call], path: str) -> None:
    call = Call(time=time.time(), at="breaches", by="", action=f"GET {path}", has=[], status=200)
    lookups.append(call)


def _describe(endpoint: str, key: Key, outputs: dict[str, str], lookups: Iterable[Call]) -> Stack:
    address = re.fullmatch(r"https://(\w+)\.execute-api\.[^/]+/(\w+)", outputs["ApiUrl"])
    if address is None:
        sys.exit(f"The stack's output ApiUrl is no address of API Gateway: {outputs['ApiUrl']}")
    return Stack(
        url=f"{endpoint}/_aws/execute-api/{address[1]}/{address[2]}",
        endpoint=endpoint,
        key=key,
        user_pool_id=outputs["UserPoolId"],
        user_pool_client_id=outputs["UserPoolClientId"],
        public_client_id=outputs["PublicClientId"],
        lookups=lookups,
    )
