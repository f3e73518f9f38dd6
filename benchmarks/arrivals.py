"""Callers who come at a constant rate, however long the answers take: `make load`'s own process.

Locust lets gevent patch the standard library of the process that imports it, so it has one to
itself. What to send comes as JSON by the standard input, and what came of it leaves by the standard
output: `benchmarks.load` writes the one and reads the other.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from secrets import token_hex
from typing import Any, ClassVar, Final

from gevent.pool import Group  # type: ignore[import-untyped] # it has no annotations
from locust import FastHttpUser, task
from locust.env import Environment
from locust.exception import StopUser

from functions.operations import Operation

TIMEOUT: Final = 30.0
"""Seconds; the gateway waits 29."""
NOT_SENT: Final = -1
"""Reported instead of a status if no user was left. Locust reports 0 for no answer."""

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD


@dataclass
class User:
    """A user with one request at a time, so that the password that was confirmed last is known."""

    username: str
    password: str
    access_token: str
    changes: int = 0


type Users = deque[User]
type Answer = tuple[str, int, float]
"""The operation, the status, and seconds."""


class Callers(FastHttpUser):
    """All callers of one operation in one phase; nobody shares an address or a connection."""

    abstract = True
    connection_timeout = TIMEOUT
    network_timeout = TIMEOUT
    # A request that is sent again is another one.
    max_retries = 0
    concurrency = 10_000

    operation: ClassVar[Operation]
    rate: ClassVar[float]
    left: ClassVar[int]
    code: ClassVar[str]
    source: ClassVar[Users]
    target: ClassVar[Users]
    """Where users come from, and where they go when they are accepted."""
    addresses: ClassVar[Iterator[IPv4Address]]
    answers: ClassVar[list[Answer]]
    under_way: ClassVar[Group]

    def on_start(self) -> None:
        """The first one comes at once."""
        self.due = time.perf_counter()

    def wait_time(self) -> float:
        """Seconds to the next arrival, which waits for no answer."""
        self.due += 1 / self.rate
        return max(0.0, self.due - time.perf_counter())

    @task
    def arrive(self) -> None:
        """Let one come, or end the phase after the last one."""
        if not self.left:
            raise StopUser
        type(self).left -= 1
        self.under_way.spawn(self._send, self.due)

    def _send(self, due: float) -> None:
        if not self.source:
            self.answers.append((self.operation.id, NOT_SENT, 0.0))
            return
        user = self.source.popleft()
        password = f"{token_hex(8)}-quiet-harbour"
        status = self._post(user, password)
        # Measured from when it was due: otherwise a late generator would make answers look fast.
        self.answers.append((self.operation.id, status, time.perf_counter() - due))
        if status in {200, 204}:
            if self.operation.changes_password:
                user.password = password
                user.changes += 1
            self.target.append(user)
        elif 400 <= status < 500:  # noqa: PLR2004 - HTTP's own numbers
            # Nothing was done. After anything else nobody knows the password.
            self.source.append(user)

    def _post(self, user: User, password: str) -> int:
        body = {"username": user.username}
        headers = {
            "Connection": "close",
            # The emulator takes it for the caller's address.
            "X-Forwarded-For": str(next(self.addresses)),
        }
        if self.operation is CONFIRM:
            body |= {"confirmationCode": self.code, "newPassword": password}
        if self.operation is UPDATE:
            body = {"oldPassword": user.password, "newPassword": password}
            headers["Authorization"] = f"Bearer {user.access_token}"
        if self.operation.changes_password:
            headers["Idempotency-Key"] = token_hex(16)
        response = self.client.post(self.operation.path, json=body, headers=headers)
        return int(response.status_code)


def main() -> None:
    """Carry out one phase after the other, each to its last answer."""
    plan = json.load(sys.stdin)
    fresh, coded, signed_in = (
        deque(User(*one) for one in plan[kind]) for kind in ("fresh", "coded", "signed_in")
    )
    confirmed: Users = deque()
    ways = {RESET: (fresh, coded), CONFIRM: (coded, confirmed), UPDATE: (signed_in, signed_in)}
    # The addresses that are set aside for benchmarks (RFC 2544).
    shared = {"addresses": IPv4Network("198.18.0.0/15").hosts(), "code": plan["code"]}
    phases = [_carry_out(plan["url"], phase, ways, shared) for phase in plan["phases"]]
    users = [*fresh, *coded, *confirmed, *signed_in]
    changed = [(user.username, user.password, user.changes) for user in users if user.changes]
    json.dump({"phases": phases, "changed": changed}, sys.stdout)


def _carry_out(
    url: str,
    counts: dict[str, tuple[float, int]],
    ways: dict[Operation, tuple[Users, Users]],
    shared: dict[str, Any],
) -> dict[str, Any]:
    """Send what the counts say of each operation: its rate, and how many in all."""
    answers: list[Answer] = []
    under_way = Group()
    callers: list[Any] = [
        type(
            operation.name,
            (Callers,),
            shared
            | {
                "abstract": False,
                "operation": operation,
                "rate": counts[operation.id][0],
                "left": counts[operation.id][1],
                "source": source,
                "target": target,
                "answers": answers,
                "under_way": under_way,
            },
        )
        for operation, (source, target) in ways.items()
    ]
    runner = Environment(user_classes=callers, host=url).create_local_runner()
    started = time.perf_counter()
    runner.start(len(callers), spawn_rate=len(callers))
    while any(one.left for one in callers):
        time.sleep(0.01)  # gevent's, which lets the callers run
    seconds = time.perf_counter() - started
    under_way.join()
    runner.quit()
    return {"seconds": seconds, "answers": answers}


if __name__ == "__main__":
    main()
