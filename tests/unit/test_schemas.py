"""A request's schema accepts what its check accepts, so that clients can rely on it."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from apidocs.openapi import handler_of
from apidocs.schemas import refer, schemas_of_body
from functions.operations import Operation
from functions.problems import Failure
from functions.settings import Runtime
from tests.support.contract import WITH_BODY, ids
from tests.support.invocation import BODIES

NAMES = ["clientMetadata", "confirmationCode", "globalSignOut", "newPassword", "oldPassword"]
NAMES += ["options", "username", "password"]
LONG = st.integers(120, 2100).map("x".__mul__)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), LONG)
METADATA = st.dictionaries(st.one_of(st.text(), LONG), st.one_of(st.text(), LONG), max_size=12)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), st.one_of(SCALARS, METADATA))


def accepts(operation: Operation, body: object) -> bool:
    try:
        handler_of(operation).request_type(body, Runtime())
    except Failure:
        return False
    return True


@pytest.mark.parametrize("operation", WITH_BODY, ids=ids)
@given(changes=OBJECTS, options=st.one_of(SCALARS, OBJECTS), other=SCALARS)
@example(changes={}, options=None, other=None)
@example(changes={}, options={}, other=None)
@example(changes={"newPassword": "line\n"}, options={}, other=None)
@example(changes={"newPassword": "lost\ufffd"}, options={}, other=None)
@example(changes={"username": "no\u00a0space"}, options={}, other=None)
@example(changes={}, options={"clientMetadata": {"a" * 65: "b"}}, other=None)
@example(changes={}, options={"clientMetadata": {"a": "b" * 201}}, other=None)
@example(changes={}, options={"clientMetadata": {"a": "\x7f"}}, other=None)
@example(changes={}, options={"clientMetadata": {str(n): "" for n in range(11)}}, other=None)
def test_the_schema_accepts_what_the_service_accepts(
    operation: Operation, changes: dict[str, Any], options: object, other: object
) -> None:
    schemas = schemas_of_body(handler_of(operation).request_type)
    validator = jsonschema_rs.Draft202012Validator(
        refer(f"{operation.type_name}Input") | {"components": {"schemas": schemas}}
    )
    valid = BODIES[operation]
    known = {name: value for name, value in changes.items() if name in valid}

    for body in (valid | known, valid | known | {"options": options}, valid | changes, other):
        assert validator.is_valid(body) == accepts(operation, body)
