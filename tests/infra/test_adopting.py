"""The deployments that docs/adopting.md shows, synthesized."""

import re
import shlex
from typing import Any

import pytest

from tests.infra.conftest import find_in, synthesize
from tests.support import ROOT

DOCUMENT = (ROOT / "docs/adopting.md").read_text()
DEPLOYMENTS = dict.fromkeys(re.findall(r"^make deploy (.+)$", DOCUMENT, re.MULTILINE))


def read_context(arguments: str) -> dict[str, str]:
    """The settings of `STAGE=… CONTEXT='-c name=value …'`."""
    given = dict(word.split("=", 1) for word in shlex.split(arguments))
    pairs = [word for word in given.pop("CONTEXT", "").split() if word != "-c"]
    return {"stage": given["STAGE"]} | dict(pair.split("=", 1) for pair in pairs)


@pytest.mark.parametrize("arguments", DEPLOYMENTS)
def test_a_deployment_that_the_document_shows_makes_a_pool_only_if_it_names_none(
    arguments: str,
) -> None:
    context = read_context(arguments)

    template: dict[str, Any] = synthesize(**context)

    imported = "userPoolId" in context
    for kind in ("AWS::Cognito::UserPool", "AWS::Cognito::UserPoolClient"):
        assert len(find_in(template, kind)) == (not imported)


def test_the_document_shows_both_kinds_of_deployments() -> None:
    assert {"userPoolId" in read_context(one) for one in DEPLOYMENTS} == {True, False}
