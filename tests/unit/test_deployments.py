"""A version that does not respond as it should gets no traffic."""

import json

import pytest

from functions.operations import CUSTOM_MESSAGE, FUNCTIONS, WORKER, Operation
from infra.deployments import find_check
from tests.support.invocation import call
from tests.unit.conftest import Service

CHECKED = [name for name in FUNCTIONS if name != CUSTOM_MESSAGE]


@pytest.mark.parametrize("name", CHECKED)
def test_a_version_that_works_passes_its_check_and_does_nothing(
    name: str, service: Service
) -> None:
    service.configure(limits=True)
    service.cognito.answer("AdminGetUser", error="UserNotFoundException")
    event, answer = find_check(name)

    if name == WORKER:
        given = json.loads(service.deployment.work(*event["Records"]).text)
    else:
        reply = call(service.deployment.handler(Operation[name.upper()]), dict(event))
        given = {"statusCode": reply.status}

    assert given.items() >= answer.items()
    read = {"AdminGetUser", "DescribeUserPool", "DescribeUserPoolClient"}
    assert {one.action for one in service.cognito.requests} <= read
