"""A process that has served many calls keeps no more than one that has served few."""

import gc
import logging
from itertools import count

import pytest
from botocore.hooks import NodeList

from functions.operations import Operation
from functions.records import SERVICE
from infra.settings import MAX_ATTEMPTS
from tests.support.contract import WITH_BODY
from tests.support.front import CognitoFront
from tests.support.invocation import make_message
from tests.unit.conftest import Configure, Invoke, Service, mock_table

ROUNDS = 8


@pytest.mark.no_cover
def test_requests_of_every_kind_leave_nothing_behind(
    cognito: CognitoFront,
    configure: Configure,
    invoke: Invoke,
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Neither a handler of a client, whose next call would take longer, nor any other object."""
    attempts = {f"{operation.id}_attempts": MAX_ATTEMPTS for operation in WITH_BODY}
    configure(limits=True, attempts_per_address=1e4, event_bus_name="the-bus", **attempts)
    # pytest keeps every line that reaches the root.
    monkeypatch.setattr(logging.getLogger(SERVICE), "propagate", False)
    names = count()

    def serve() -> None:
        assert invoke(Operation.PASSWORD_POLICY).status == 200
        for operation in WITH_BODY:
            key = {"Idempotency-Key": f"{next(names)}"}
            keyed, repeated = (invoke(operation, headers=key) for _ in range(2))
            refused = invoke(operation, raw="{")
            cognito.answer(
                "SendMessage" if operation.queued else operation.action,
                error="AccessDeniedException",
            )
            failed = invoke(operation, headers={"Idempotency-Key": f"{next(names)}"})
            served = [one.status < 300 for one in (keyed, repeated, refused, failed)]
            assert served == [True, True, False, False]
            service.work()
            service.deployment.work(make_message("{"))
            cognito.reset()

    def keep(rounds: int) -> tuple[int, int]:
        with mock_table():
            for _ in range(rounds):
                serve()
        gc.unfreeze()  # another test starts a function, which hides what there was
        gc.collect()
        objects = gc.get_objects()
        nodes = [one for one in objects if isinstance(one, NodeList)]
        return sum(len(handlers) for node in nodes for handlers in node), len(objects)

    keep(2)

    handlers, objects = keep(1)
    then_handlers, then_objects = keep(ROUNDS)

    assert then_handlers == handlers
    # A few objects come and go: one for each kind of request would be more.
    assert then_objects < objects + ROUNDS * len(WITH_BODY)
