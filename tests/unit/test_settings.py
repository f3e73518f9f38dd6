"""A function has the settings that it reads, as its deployment wrote them, and no other."""

from typing import Any

import pytest

from functions.operations import CUSTOM_MESSAGE, FUNCTIONS, Operation
from functions.protection.limits import REFUSALS_BEFORE_EVENT
from functions.settings import Runtime, names_read_by
from tests.support.front import CognitoFront
from tests.support.invocation import READ, SETTINGS, make_event
from tests.unit.conftest import Service
from tests.unit.test_observed import SCENARIOS, World

EVERYTHING: dict[str, Any] = {
    "limits": True,
    "event_bus_name": "the-bus",
    "mail_from": "no-reply@example.com",
    "mail_unknown_addresses": True,
    "threat_protection": True,
}


def from_address(operation: Operation, address: str, pool: str) -> dict[str, Any]:
    """The context of a request from an address."""
    context: dict[str, Any] = make_event(operation, None, pool=pool)["requestContext"]
    return context | {"identity": {"sourceIp": address}}


def test_a_function_reads_what_its_environment_has_and_nothing_else(
    cognito: CognitoFront, service: Service, dynamodb: Any
) -> None:
    world = World(cognito, service)
    for scenario in SCENARIOS.values():
        cognito.reset()
        service.configure()
        scenario(world)
    for revealed in (False, True):
        cognito.reset()
        service.configure(**EVERYTHING, reveal_user_existence=revealed)
        for operation in Operation:
            service.deployment.handler(operation).start()
            for address in ("192.0.2.7", "2001:db8::7"):
                pool = service.deployment.settings.user_pool_id
                service.invoke(operation, requestContext=from_address(operation, address, pool))
                service.work()
    cognito.answer("AdminGetUser", error="UserNotFoundException")
    cognito.answer("ListUsers", body={"Users": []})
    service.configure(**EVERYTHING | {"limits": False})
    service.invoke(Operation.RESET_PASSWORD)
    service.work()
    limited = [one for one in Operation if one.attempts_per_hour]
    service.configure(**EVERYTHING, update_password_attempts=1)
    for operation in limited:
        for _ in range(operation.attempts_per_hour + REFUSALS_BEFORE_EVENT + 1):
            service.invoke(operation)
    service.deployment.worker.start()

    for function in FUNCTIONS:
        given = set(names_read_by(function))
        assert (READ[function] - given, given - READ[function]) == (set(), set()), function


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_reads_what_its_deployment_wrote(function: str) -> None:
    chosen = SETTINGS.replace(limits=False, response_interval=0.5, forbidden_words=("Acme", "Two"))
    names = names_read_by(function)

    read = Runtime.read(chosen.environment(names), names)

    assert read == Runtime(**{name: getattr(chosen, name) for name in names})
    assert len(names) == len(set(names))


def test_only_functions_that_hash_names_have_the_key_and_none_shows_it() -> None:
    holders = {function for function in FUNCTIONS if "pseudonym_key" in names_read_by(function)}

    assert holders == set(FUNCTIONS) - {Operation.PASSWORD_POLICY.id, CUSTOM_MESSAGE}
    assert SETTINGS.pseudonym_key not in repr(SETTINGS)


def test_a_missing_or_malformed_variable_is_named() -> None:
    with pytest.raises(KeyError, match="QUEUE_URL"):
        Runtime.read({}, ["queue_url"])
    with pytest.raises(KeyError, match="yes"):
        Runtime.read({"LIMITS": "yes"}, ["limits"])


def test_each_operation_that_counts_has_a_limit_of_its_own() -> None:
    counting = [operation for operation in Operation if operation.attempts_per_hour]

    limits = [Runtime().attempts_per_hour(operation) for operation in counting]

    assert limits == [operation.attempts_per_hour for operation in counting]
