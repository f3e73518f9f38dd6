"""The command line of `python -m verification`."""

import json
import signal
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Never

from infra.settings import STAGES
from verification import doctor, figures, leaving, permissions, runner, stages, story, unknowns
from verification.runner import Check, Outcome, Result
from verification.target import Target

CHECKS: Final[tuple[Check, ...]] = (
    *doctor.CHECKS,
    *story.CHECKS,
    *unknowns.CHECKS,
    *figures.CHECKS,
)
"""Every check, in the order in which they run."""


def main() -> None:
    """Check a stage of this repository, or the construct in a stack of yours."""
    is_module = Path(sys.argv[0]).name == "__main__.py"  # otherwise, it is the wheel's program
    prog = "python -m verification" if is_module else None
    parser = ArgumentParser(prog=prog, description=main.__doc__)
    parser.add_argument("stage", nargs="?", default="dev", help=", ".join(STAGES))
    parser.add_argument("--stack", default="", help="the stack that you put the construct into")
    parser.add_argument("--construct", default="", help="its path, if the stack has several")
    parser.add_argument("--mailbox", default="", help="an address where you can read mail")
    parser.add_argument("--policy", action="store_true", help="print the IAM policy that is needed")
    parser.add_argument(
        "--rules", action="store_true", help="only look for what stops the deletion of the stack"
    )
    parser.add_argument(
        "--credentials", action="store_true", help="only look whether there are credentials of AWS"
    )
    parser.add_argument("--port", type=int, default=4566, help="of the local stack; 4566")
    arguments = parser.parse_args()
    if arguments.stage not in STAGES:
        choice = f"STAGE={' or STAGE='.join(STAGES)}, or your own stack with STACK="
        sys.exit(f"There is no stage {arguments.stage!r}: choose {choice}.")
    is_local = arguments.stage == "local" and not arguments.stack
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        if not is_local:
            stages.require_credentials()
        if arguments.credentials:
            return
        if arguments.rules:
            name = arguments.stack or f"password-service-{arguments.stage}"
            sys.exit(leaving.refuse_with_rules(stages.client, name))
        if is_local:
            target = stages.find_local(arguments.port)
        else:
            stack = arguments.stack or f"password-service-{arguments.stage}"
            mailbox = None if arguments.policy else stages.ask_mailbox(arguments.mailbox)
            target = stages.find_deployed(stack, arguments.construct, mailbox)
        if arguments.policy:
            print(permissions.explain(target), file=sys.stderr)
            print(json.dumps(permissions.policy(target), indent=2))
        else:
            sys.exit(verify(target))
    except KeyboardInterrupt:
        sys.exit(130)


def _interrupt(_number: int, _frame: object) -> Never:
    # Once is enough: a second signal must not stop the removal of the user.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def verify(target: Target) -> int:
    """Print each result, write the reports, and return 1 if there is a weakness."""
    results: list[Result] = []
    with target:
        for result in runner.run(target, CHECKS):
            print(result, flush=True)
            results.append(result)
    at = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    for name, write in (("json", runner.to_json), ("md", runner.to_markdown)):
        path = Path(f"verification.{name}")
        path.write_text(write(target.name, at, results))
    found = [one for one in results if one.finding.outcome is Outcome.WEAKNESS]
    print(f"\n{runner.summarize(results)} The report is in verification.md.")
    for one in found:
        print(f"{one.check.id}: {one.check.remedy}")
    return 1 if found else 0
