"""What alarms, the dashboard and the saved queries name, the real handlers do write."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from aws_lambda_powertools.metrics.provider.cold_start import reset_cold_start_flag
from functions.cognito import client_secret, kept_policy

from apidocs.openapi import possible_problems
from functions import events, problems
from functions.operations import Operation
from infra.api import ACCESS_LOG
from infra.queries import ACCESS_QUERIES, QUERIES
from tests.infra.conftest import synthesize_stage
from tests.infra.test_observability import alarms, searched, shown_anywhere, watched
from tests.support.front import CognitoFront
from tests.unit.conftest import Configure, Invoke
from tests.unit.test_security_docs import METRICS, World

LANGUAGE = {
    *("and", "as", "asc", "by", "desc", "fields", "filter", "like", "limit", "or", "sort", "stats"),
    *("count", "count_distinct", "ispresent", "latest"),
}
"""The words of Logs Insights that the queries use."""


@pytest.fixture
def lines(
    cognito: CognitoFront,
    configure: Configure,
    dynamodb: Any,
    invoke: Invoke,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[list[dict[str, Any]]]:
    """All that is printed by a run in which everything happens once."""
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793")
    reset_cold_start_flag()  # type: ignore[no-untyped-call]
    world = World(cognito, configure, invoke, monkeypatch)
    replies = []
    for scenario in [*METRICS.values(), World.crash]:
        start_again(world)
        replies.append(scenario(world))
    for operation in Operation:
        possible = possible_problems(operation)
        for error in (name for name, problem in problems.COGNITO.items() if problem in possible):
            start_again(world)
            replies.append(world.answer(operation, operation.action, error=error))
    yield [json.loads(line) for reply in replies for line in reply.printed.splitlines()]
    events.client.cache_clear()


def start_again(world: World) -> None:
    world.cognito.reset()
    world.configure()
    client_secret.cache_clear()
    events.client.cache_clear()
    kept_policy["expires"] = 0.0


type Series = tuple[str, str, frozenset[tuple[str, str]]]


def series(namespace: str, name: str, dimensions: Mapping[str, str]) -> Series:
    """Without the function's name, which in a template is a reference."""
    whose = {k: "" if k == "function_name" else v for k, v in dimensions.items()}
    return namespace, name, frozenset(whose.items())


def emitted(lines: list[dict[str, Any]]) -> set[Series]:
    """What CloudWatch makes of the lines: embedded metrics."""
    return {
        series(directive["Namespace"], metric["Name"], {name: line[name] for name in names})
        for line in lines
        if "_aws" in line
        for directive in line["_aws"]["CloudWatchMetrics"]
        for names in directive["Dimensions"]
        for metric in directive["Metrics"]
    }


def anywhere(of: set[Series]) -> set[tuple[str, str, frozenset[str]]]:
    """By name and the names of the dimensions: not every operation can do everything."""
    return {(namespace, name, frozenset(dict(whose))) for namespace, name, whose in of}


def test_a_metric_that_is_watched_is_one_that_is_emitted(lines: list[dict[str, Any]]) -> None:
    template = synthesize_stage("prod")
    named = [metric for alarm in alarms(template).values() for metric in watched(alarm)]
    named += [metric for metric, _ in shown_anywhere(template)]
    ours = {series(*metric) for metric in named if not metric.namespace.startswith("AWS/")}

    assert anywhere(ours) <= anywhere(emitted(lines))
    assert {whose for *_, whose in ours} <= {whose for *_, whose in emitted(lines)}


def test_what_the_dashboard_searches_for_is_emitted(lines: list[dict[str, Any]]) -> None:
    found = {
        (namespace, frozenset(dict(whose)), dimension)
        for namespace, _, whose in emitted(lines)
        for dimension in whose
    }

    searches = searched(synthesize_stage("prod"))

    assert len(searches) == len(Operation)
    assert all((space, frozenset(names), one) in found for space, names, one in searches)


def fields(query: str) -> set[str]:
    """What a query reads of a log line, without what it makes itself."""
    query = re.sub(r'"[^"]*"|/[^/]*/', "", query)
    made = set(re.findall(r"\bas (\w+)", query))
    return set(re.findall(r"(?<![@\w.])[a-z_]\w*(?:\.\w+)?", query)) - LANGUAGE - made


def test_a_field_that_a_saved_query_names_is_logged(lines: list[dict[str, Any]]) -> None:
    """Logs Insights gives each member of a list a field of its own."""
    logged = {
        name
        for line in lines
        if "level" in line
        for member, value in line.items()
        for name in (
            [f"{member}.{n}" for n in range(len(value))] if isinstance(value, list) else [member]
        )
    }

    assert all(fields(query) for query in QUERIES.values())
    assert {name: fields(query) - logged for name, query in QUERIES.items()} == {
        name: set() for name in QUERIES
    }


@pytest.mark.parametrize("name", ACCESS_QUERIES)
def test_a_field_that_a_query_of_the_access_log_names_is_in_it(name: str) -> None:
    assert set() < fields(ACCESS_QUERIES[name]) <= ACCESS_LOG.keys()
