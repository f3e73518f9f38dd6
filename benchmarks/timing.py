"""Measure whether the time of an answer tells who has an account: `python -m benchmarks.timing`.

Cognito is slower for users who exist, by another time for each request. An attacker who compares
two answers guesses right as often as the area under the ROC curve says: 0.5 is a coin, 1.0 is
certainty. While resets are measured, workers send their codes.
"""

import argparse
import os
import secrets
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from itertools import repeat
from json import dumps
from multiprocessing import get_context
from pathlib import Path
from random import SystemRandom
from statistics import median
from typing import Any, Final

from functions.operations import Operation
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES, SETTINGS, Context, make_event, make_message
from tests.support.model import CognitoModel, User
from verification.figures import Times, area

FILE: Final = Path(__file__).with_name("TIMING.md")
ABREAST: Final = 8
"""Processes. Each has one request at a time, like a function of Lambda."""
ADDED: Final = {"ForgotPassword": (0.3, 3.0), "ConfirmForgotPassword": (0.02, 0.3)}
"""The least and the most seconds by which Cognito is slower for a known user, because of triggers,
mail or Cognito itself."""
INTERVALS: Final = {
    Operation.RESET_PASSWORD: (0.0,),
    # 0.7 is 0.3 more than the slowest answer, which the table shows.
    Operation.CONFIRM_RESET_PASSWORD: (0.0, 0.7),
}
"""The values of `responseInterval` in seconds. A reset needs none."""

random = SystemRandom()


class SlowForKnown(CognitoModel):
    """A Cognito that names unknown users, so that the handlers even take different paths."""

    def __init__(self) -> None:
        super().__init__(prevent_user_existence_errors=False)

    def respond(self, action: str, body: dict[str, Any]) -> dict[str, Any]:
        """Delay the answer if the user exists."""
        if body.get("Username") in self.users:
            time.sleep(random.uniform(*ADDED[action]))
        return super().respond(action, body)


def answer(operation: Operation, username: str) -> float:
    """Return the seconds that the handler takes, with a wrong code if it needs one."""
    handler = import_module(f"functions.{operation.id}.lambda_function").handler
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
    """Process a message in a worker."""
    worker = import_module("functions.worker.lambda_function").handler
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
                for message in front.take_messages():
                    workers.submit(work, message["MessageBody"])
            workers.shutdown(cancel_futures=True)
    return Times(
        known=[seconds for name, seconds in taken if name in model.users],
        unknown=[seconds for name, seconds in taken if name not in model.users],
    )


def run(operation: Operation, interval: float, requests: int) -> list[str]:
    """Measure, and return a row of the table."""
    print(f"{operation.id}, {requests} a side, {interval} s", file=sys.stderr)
    times = measure(operation, interval, requests)
    auc, error = area(times)
    cells = [operation.id, f"{interval} s", f"{requests}", f"{auc:.3f}", f"{error:.3f}"]
    figures = (median(times.known), median(times.unknown), max(times.known + times.unknown))
    return cells + [f"{1e3 * seconds:.1f} ms" for seconds in figures]


def main() -> None:
    """Print the table, and put that of a whole run into TIMING.md."""
    # Imported late, because the measured processes import this module.
    from benchmarks.results import machine, table  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--requests", type=int, default=1000, help="of each side; 1000")
    requests = parser.parse_args().requests
    header = ["operation", "interval", "requests a side", "AUC", "its error"]
    header += ["median known", "median unknown", "slowest"]
    rows = [
        # Where the time tells who exists, a tenth of the requests shows it.
        run(one, interval, requests if interval or one.queued else max(2, requests // 10))
        for one, intervals in INTERVALS.items()
        for interval in intervals
    ]
    text = "\n".join(table(header, rows))
    print(text)
    if requests == parser.get_default("requests"):
        title, _, rest = FILE.read_text().partition("Measured on ")
        _, _, explanation = rest.split("\n\n", 2)
        FILE.write_text("\n\n".join([title + machine("make timing"), text, explanation]))


if __name__ == "__main__":
    main()
