"""`make load`: the local stack below the gateway's throttles, and far above them.

Below, every request must succeed and every password that was confirmed must sign in; above, a
request may be refused, and nothing else. Callers come at a constant rate and do not wait for one
another, as in life; `benchmarks.arrivals` sends for them.
"""

import argparse
import json
import math
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib.metadata import version
from itertools import cycle
from pathlib import Path
from secrets import token_hex
from typing import Any, Final, NamedTuple

import urllib3
from botocore.exceptions import ClientError

from benchmarks import plots
from benchmarks.results import machine, pins, table
from functions.operations import Operation
from infra.packaging.bundle import ROOT
from local import emulator
from local.deployment import local_stack
from local.stack import Stack, User
from tests.support.invocation import BODIES

FOLDER: Final = Path(__file__).parent
START: Final = 60
"""Seconds for what is slow on a busy machine."""
MARGIN: Final = 4
"""Seconds for which a request may be under way before its user is missed elsewhere."""
PUNCTUAL: Final = 0.95
"""Of the rate that was asked for; with less, the load was another one."""
ABREAST: Final = 4
CAPACITY: Final = 10
"""Requests a second of one operation that one machine can answer."""
ACCEPTED: Final = {"200", "204"}
REFUSED: Final = "429"
NO_STATUS: Final = {"0": "no answer", "-1": "not sent, since no user was left"}
"""What `benchmarks.arrivals` reports instead of a status."""

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD


def throttle(operation: Operation) -> int:
    """Return the throttle of a method for the run: its own, or what this machine can answer."""
    return min(operation.requests_per_second, CAPACITY)


class Phase(NamedTuple):
    """For so many seconds, this share of each method's throttle."""

    share: float
    seconds: float

    def rate(self, operation: Operation) -> float:
        """Requests a second."""
        return self.share * throttle(operation)

    def count(self, operation: Operation) -> int:
        """Requests in all."""
        return round(self.rate(operation) * self.seconds)

    def passing(self, operation: Operation) -> int:
        """Requests that the throttle lets pass at most, with its burst."""
        burst = 1 + self.seconds + MARGIN
        return min(self.count(operation), math.ceil(throttle(operation) * burst))


PHASES: Final = (Phase(0.8, 120), Phase(5, 20))


def measure(stack: Stack, phases: Sequence[Phase]) -> dict[str, Any]:
    """What is stored in `load.json`; the stack gets users, and its throttles for the time."""
    with ThreadPoolExecutor(ABREAST) as pool, ExitStack() as throttles:
        plan = _prepare(stack, phases, pool)
        _start_processes(plan)
        for operation in BODIES:
            limit = throttle(operation)
            throttles.enter_context(stack.throttled(operation, rate=limit, burst=limit))
        came = _send(plan, sum(phase.seconds for phase in phases))
        changed = [(User(name, password), times) for name, password, times in came["changed"]]
        signed_in = pool.map(lambda one: _signs_in(stack, one[0]), changed)
        lost = sum(not signs_in for signs_in in signed_in)
    return {
        "phases": [
            {
                "share": phase.share,
                "seconds": phase.seconds,
                "operations": [_sum_up(phase, operation, one) for operation in BODIES],
            }
            for phase, one in zip(phases, came["phases"], strict=True)
        ],
        "changes": sum(times for _, times in changed),
        "users": len(changed),
        "lost": lost,
    }


def _prepare(stack: Stack, phases: Sequence[Phase], pool: ThreadPoolExecutor) -> dict[str, Any]:
    """Users for every request that can succeed, and some who are under way."""
    spare = {
        operation: math.ceil(MARGIN * max(phase.rate(operation) for phase in phases))
        for operation in BODIES
    }
    passing = {operation: sum(phase.passing(operation) for phase in phases) for operation in BODIES}
    # Each user resets once, or updates as often as the limits allow.
    numbers = {
        "fresh": passing[RESET] + spare[RESET],
        "coded": spare[CONFIRM],
        "signed_in": passing[UPDATE] // (UPDATE.attempts_per_hour - 1) + spare[UPDATE],
    }
    # An earlier run on the same stack had other ones, which the limits know.
    run = token_hex(4)
    users = {
        kind: [
            User(f"{kind}-{run}-{number}@example.com", f"{kind}-quiet-harbour-{number}")
            for number in range(count)
        ]
        for kind, count in numbers.items()
    }
    for group in users.values():
        # One after the other, which the emulator's list of users needs.
        for user in group:
            stack.create(user)
    codes = set(pool.map(stack.request_code, (user.username for user in users["coded"])))
    tokens = [session["AccessToken"] for session in pool.map(stack.sign_in, users["signed_in"])]
    return {
        "url": stack.url,
        # The emulator has one for everybody, and so no mail needs to be read meanwhile.
        "code": codes.pop(),
        "phases": [{o.id: (phase.rate(o), phase.count(o)) for o in BODIES} for phase in phases],
        "fresh": [(*user, "") for user in users["fresh"]],
        "coded": [(*user, "") for user in users["coded"]],
        "signed_in": [
            (*user, token) for user, token in zip(users["signed_in"], tokens, strict=True)
        ],
    }


def _start_processes(plan: dict[str, Any]) -> None:
    """As many for each operation as its throttle lets in at once.

    On this machine, all processes share the processors that a cold start needs: more and more would
    start, and none would respond. On AWS, each has a processor of its own.
    """
    nobody = f"{token_hex(4)}@example.com"
    bodies = {
        RESET: {"username": nobody},
        CONFIRM: {
            "username": nobody,
            "confirmationCode": plan["code"],
            "newPassword": "a-warm-quiet-harbour",
        },
        UPDATE: {"oldPassword": "no-quiet-harbour", "newPassword": "a-warm-quiet-harbour"},
    }
    for operation in BODIES:
        count = throttle(operation)
        with ThreadPoolExecutor(count) as pool, urllib3.PoolManager(maxsize=count) as http:
            for number, (*_, token) in zip(range(count), cycle(plan["signed_in"]), strict=False):
                pool.submit(
                    http.request,
                    operation.method,
                    plan["url"] + operation.path,
                    body=json.dumps(bodies[operation]),
                    headers={
                        "Authorization": f"Bearer {token}",
                        "Content-Type": "application/json",
                        "Idempotency-Key": token_hex(8),
                        "X-Forwarded-For": f"192.0.2.{number}",
                    },
                    retries=False,
                    timeout=START,
                )


def _send(plan: dict[str, Any], seconds: float) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.arrivals"],
        input=json.dumps(plan),
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=emulator.environment(),
        check=True,
        timeout=2 * seconds + START,
    )
    came: dict[str, Any] = json.loads(done.stdout)
    return came


def _signs_in(stack: Stack, user: User) -> bool:
    try:
        stack.sign_in(user)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotAuthorizedException":
            raise
        return False
    return True


def _sum_up(phase: Phase, operation: Operation, came: dict[str, Any]) -> dict[str, Any]:
    of = [(status, seconds) for name, status, seconds in came["answers"] if name == operation.id]
    statuses = Counter(str(status) for status, _ in of)
    accepted = [1000 * seconds for status, seconds in of if str(status) in ACCEPTED]
    # The last one of a phase comes an interval before its end.
    rate = min(phase.rate(operation), len(of) / came["seconds"])
    return {
        "operation": operation.id,
        "rate": round(rate, 2),
        "statuses": dict(sorted(statuses.items())),
        "ms": plots.percentiles(accepted),
    }


def find_failures(load: dict[str, Any]) -> Iterator[str]:
    """Describe each thing that went wrong in a sentence."""
    for phase in load["phases"]:
        allowed = ACCEPTED if phase["share"] <= 1 else {*ACCEPTED, REFUSED}
        for one in phase["operations"]:
            where = f"{one['operation']} at {phase['share']:.0%}"
            asked = Phase(phase["share"], phase["seconds"]).rate(
                Operation[one["operation"].upper()]
            )
            for status, times in one["statuses"].items():
                if status not in allowed:
                    yield f"{where}: {NO_STATUS.get(status, status)} ({times} times)."
            if one["rate"] < PUNCTUAL * asked:
                yield f"{where}: only {one['rate']} of {asked:g} requests a second were sent."
            if phase["share"] > 1 and REFUSED not in one["statuses"]:
                yield f"{where}: nothing was refused."
    if load["lost"]:
        yield f"{load['lost']} of {load['users']} users cannot sign in with what they confirmed."
    if not load["changes"]:
        yield "No password was changed."


def tabulate(load: dict[str, Any]) -> str:
    """The table that is printed; times are those of accepted requests, since they were due."""
    header = ["load", "operation", "a second", "200, 204", "429", "other"]
    header += ["median ms", "95 % ms", "99 % ms", "slowest ms"]
    rows = [
        [
            f"{phase['share']:.0%} for {phase['seconds']:g} s",
            one["operation"],
            f"{one['rate']:.1f}",
            *_counts(one["statuses"]),
            *(f"{one['ms'][percent]:.0f}" for percent in (50, 95, 99, 100) if one["ms"]),
        ]
        for phase in load["phases"]
        for one in phase["operations"]
    ]
    changes = f"{load['changes']:,} changes of {load['users']:,} users' passwords: "
    lost = f"{load['lost']} lost" if load["lost"] else "none lost"
    return "\n".join([*table(header, rows), "", f"{changes}{lost}.", ""])


def _counts(statuses: dict[str, int]) -> Iterator[str]:
    accepted = sum(times for status, times in statuses.items() if status in ACCEPTED)
    refused = statuses.get(REFUSED, 0)
    yield from map(str, (accepted, refused, sum(statuses.values()) - accepted - refused))


_HOW_TO_READ: Final = """\
Written by `make load`: three operations at once, each at a share of its throttle, against the local
stage on an emulator of AWS. A throttle is the operation's own (`Operation.requests_per_second`), or
10 a second if that is less, because one machine could not answer more.

- Callers come at a constant rate, wait for nobody, and have an address, a connection and, but for
  update, a user of their own. A time counts from when the request was due, and is that of an
  accepted one. Locust sends.
- The emulator takes no throttle from the template, so the run sets them by its API.
- *Lost* is a user who cannot sign in with the password that was confirmed last. An update proves
  the one before it, since Cognito compares the old password.
- Emulator, functions and Locust share this machine, and public answers wait for multiples of
  0.05 s, not of 1 s as on AWS: the times say nothing about AWS. What carries over is that nothing
  is lost, and that too much is refused and not broken.
"""


def write(load: dict[str, Any]) -> None:
    """Write `load.json`, its picture and `LOAD.md`."""
    (FOLDER / "load.json").write_text(json.dumps(load) + "\n")
    plots.draw_load(load)
    (lock,) = (pin for pin in pins(ROOT / "local" / "requirements.txt") if "ministack" in pin)
    text = [
        *("# Load", "", _HOW_TO_READ),
        *machine("make load", [f"locust=={version('locust')}", lock]),
        *("## Answers", "", tabulate(load)),
        "![How long the answers took, by operation and load](load.svg)\n",
    ]
    (FOLDER / "LOAD.md").write_text("\n".join(text))


def main() -> None:
    """Print a table, and exit with what went wrong. Write down a run with the defaults."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=main.__doc__)
    below, above = PHASES
    parser.add_argument("--share", type=_at_most(1), default=below.share)
    parser.add_argument("--seconds", type=_at_most(600), default=below.seconds)
    parser.add_argument("--overload", type=_at_most(10), default=above.share)
    parser.add_argument("--overload-seconds", type=_at_most(60), default=above.seconds)
    asked = parser.parse_args()
    phases = (Phase(asked.share, asked.seconds), Phase(asked.overload, asked.overload_seconds))
    # As Ctrl-C does, so that no emulator is left running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    emulator.isolate()
    with local_stack(emulator.free_port(), say=lambda line: print(line, file=sys.stderr)) as stack:
        number = sum(phase.count(operation) for phase in phases for operation in BODIES)
        print(f"creating users for {number:,} requests, and sending them", file=sys.stderr)
        load = measure(stack, phases)
    print(tabulate(load))
    failures = list(find_failures(load))
    if failures:
        sys.exit("\n".join(failures))
    if phases == PHASES:
        write(load)


def _at_most(most: float) -> Any:  # noqa: ANN401 - what argparse takes
    def read(text: str) -> float:
        number = float(text)
        if not 0 < number <= most:
            raise argparse.ArgumentTypeError(f"more than 0, and at most {most}")
        return number

    return read


if __name__ == "__main__":
    main()
