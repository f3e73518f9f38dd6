"""Whether the time of an answer tells who has an account: `python -m benchmarks.timing`.

Cognito is slower for users who exist, by another time for each request. An attacker who compares
two answers guesses right as often as the area under the ROC curve says: 0.5 is a coin, 1.0 is
certainty. While resets are measured, workers send their codes.
"""

import argparse
import os
import platform
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib import import_module
from itertools import repeat
from json import dumps
from multiprocessing import get_context
from random import SystemRandom
from typing import Any, Final

from functions.operations import Operation
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES, SETTINGS, Context, make_event, make_message
from tests.support.model import CognitoModel, User
from verification.figures import Times, area

ABREAST: Final = 8
"""Processes; like a function of Lambda, each has one request at a time."""
ADDED: Final = {"ForgotPassword": (0.3, 3.0), "ConfirmForgotPassword": (0.02, 0.3)}
"""Seconds by which Cognito is slower for a known user, at least and at most: what triggers and mail
take, and what Cognito itself may take."""
INTERVALS: Final = {
    Operation.RESET_PASSWORD: (0.0,),
    # 0.7 is more than the slowest answer and 0.3, which the table shows.
    Operation.CONFIRM_RESET_PASSWORD: (0.0, 0.7),
}
"""Seconds of `responseInterval`, of which a reset needs none."""

random = SystemRandom()


class SlowForKnown(CognitoModel):
    """It names unknown users, so that the handlers even take different paths."""

    def __init__(self) -> None:
        super().__init__(prevent_user_existence_errors=False)

    def respond(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer late if it is about a user who exists."""
        if body.get("Username") in self.users:
            time.sleep(random.uniform(*ADDED[action]))
        return super().respond(action, body)


def answer(operation: Operation, username: str) -> float:
    """Return the seconds that the handler takes, with a wrong code if it needs one."""
    handler = import_module(f"functions.{operation.id}.handler").handler
    request = make_event(operation, dumps(BODIES[operation] | {"username": username}))
    started = time.perf_counter()
    reply = handler(request, Context())
    seconds = time.perf_counter() - started
    if reply["statusCode"] >= 500:  # noqa: PLR2004 - HTTP's own number
        raise RuntimeError(reply["body"])
    return seconds


def warm_up() -> None:
    """Import, connect, and read the secret and the policy; the log lines go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    for operation in INTERVALS:
        answer(operation, "nobody@example.com")


def work(body: str) -> None:
    """Let a worker carry out a message."""
    worker = import_module("functions.worker.handler").handler
    worker({"Records": [make_message(body)]}, Context())


def measure(operation: Operation, interval: float, requests: int) -> Times:
    """Ask for as many known as unknown users, each name once, in an order left to chance."""
    model = SlowForKnown()
    names = [f"{secrets.token_hex(8)}@example.com" for _ in range(2 * requests)]
    model.users = {name: User(password="unused") for name in names[:requests]}  # noqa: S106
    random.shuffle(names)
    with CognitoFront() as front:
        front.respond = model.respond
        os.environ |= SETTINGS.replace(response_interval=interval).environment() | {
            "AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER": front.url,
            "AWS_ENDPOINT_URL_SQS": front.url,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
        }
        # Spawned and not forked: the front has threads.
        spawn = get_context("spawn")
        with (
            ProcessPoolExecutor(ABREAST, spawn, warm_up) as pool,
            ProcessPoolExecutor(ABREAST, spawn, warm_up) as workers,
        ):
            answers = pool.map(answer, repeat(operation), names)
            taken = []
            for name, seconds in zip(names, answers, strict=True):
                taken.append((name, seconds))
                for message in front.take("SendMessage"):
                    workers.submit(work, message.body["MessageBody"])
            workers.shutdown(cancel_futures=True)
    return Times(
        known=[seconds for name, seconds in taken if name in model.users],
        unknown=[seconds for name, seconds in taken if name not in model.users],
    )


def tabulate(runs: Sequence[Mapping[str, Any]]) -> str:
    """In Markdown."""
    # Imported late: the processes that are measured import this module.
    from benchmarks.results import table  # noqa: PLC0415

    header = ["operation", "interval", "requests a side", "AUC", "its error"]
    header += ["median known", "median unknown", "slowest"]
    rows = [
        [
            run["operation"],
            f"{run['interval']} s",
            f"{run['requests']}",
            f"{run['auc']:.3f}",
            f"{run['error']:.3f}",
            f"{run['known'][50]:.1f} ms",
            f"{run['unknown'][50]:.1f} ms",
            f"{max(run['known'][100], run['unknown'][100]):.1f} ms",
        ]
        for run in runs
    ]
    return "\n".join(table(header, rows))


def main() -> None:
    """Print the tables, and write down those of a whole run."""
    from benchmarks import plots  # noqa: PLC0415 - as above

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="of each side; 1000")
    requests = parser.parse_args().requests
    runs: list[dict[str, Any]] = []
    for operation, intervals in INTERVALS.items():
        for interval in intervals:
            # Of what tells who exists, a tenth is enough.
            telling = interval == 0.0 and not operation.queued
            count = max(2, requests // 10) if telling else requests
            print(f"{operation.id}, {count} a side, {interval} s", file=sys.stderr)
            times = measure(operation, interval, count)
            auc, error = area(times)
            sides = {
                side: plots.percentiles([1000 * seconds for seconds in taken])
                for side, taken in times._asdict().items()
            }
            run = {"operation": operation.id, "interval": interval, "requests": count}
            runs.append(run | {"auc": round(auc, 4), "error": round(error, 4)} | sides)
    print(tabulate(runs))
    if requests != parser.get_default("requests"):
        return
    (plots.FOLDER / "timing.json").write_text(dumps(runs) + "\n")
    plots.draw_timing(runs)
    document = plots.FOLDER / "TIMING.md"
    title, _, rest = document.read_text().partition("Measured on ")
    measured = (
        f"Measured on {datetime.now(UTC):%Y-%m-%d} with `make timing`, on {os.cpu_count()}"
        f" {platform.machine()} cores with Python {platform.python_version()}, over loopback."
    )
    _, _, told = rest.split("\n\n", 2)
    document.write_text("\n\n".join([title + measured, tabulate(runs), told]))


if __name__ == "__main__":
    main()
