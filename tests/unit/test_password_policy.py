"""The service enforces the policy that it tells, and its client judges by it."""

import json
import os
import re
import string
import subprocess
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from functions.aws.cognito import POLICY_LIFETIME
from functions.fields import NewPassword, Username
from functions.operations import Operation
from functions.settings import Runtime
from tests.support import ROOT
from tests.support.contract import assert_is_problem
from tests.support.front import CognitoFront
from tests.support.invocation import BODIES, Reply
from tests.unit.conftest import Configure, Invoke, Service
from tests.unit.test_passwords import STRICT, policy

POLICY, UPDATE = Operation.PASSWORD_POLICY, Operation.UPDATE_PASSWORD
CONFIRM = Operation.CONFIRM_RESET_PASSWORD
ALWAYS: dict[str, dict[str, Any]] = {
    "maxLength": {"maximum": 256},
    **{rule: {} for rule in ("pattern", "replacementCharacter", "invisibleCharacter", "edgeSpace")},
    **{rule: {} for rule in ("containsUsername", "sameAsOld")},
}


def rules(reply: Reply) -> dict[str, dict[str, Any]]:
    return {one["rule"]: one.get("params", {}) for one in reply.body["rules"]}


def test_lists_every_rule_of_a_strict_deployment(service: Service) -> None:
    policy(service.cognito, **STRICT, PasswordHistorySize=5)
    service.configure(
        forbidden_words=("Acme", "Rocket"), breach_endpoint="https://127.0.0.1:9/range"
    )

    assert rules(service.invoke(POLICY)) == ALWAYS | {
        "minLength": {"minimum": 12},
        **{f"require{kind}": {} for kind in ("Lowercase", "Uppercase", "Numbers", "Symbols")},
        "forbiddenWord": {"words": ["Acme", "Rocket"]},
        "breached": {},
        "usedBefore": {"size": 5},
    }


def test_anyone_may_keep_a_policy_for_five_minutes_and_a_failure_for_no_time(
    service: Service,
) -> None:
    assert service.invoke(POLICY).headers["Cache-Control"] == "public, max-age=300"

    service.configure()
    service.cognito.answer("DescribeUserPool", error="AccessDeniedException")
    reply = service.invoke(POLICY)

    assert_is_problem(reply, 503, "InternalErrorException")
    assert reply.log["cause"] == "PolicyUnreadable"


def test_gives_the_last_policy_while_the_pool_cannot_be_read(service: Service) -> None:
    first = service.invoke(POLICY)
    service.cognito.answer("DescribeUserPool", error="TooManyRequestsException")
    service.clock.now += POLICY_LIFETIME

    reply = service.invoke(POLICY)

    assert reply.text == first.text
    assert reply.metrics == {"Success", "PolicyUnreadable"}


def test_reads_the_pool_alone(cognito: CognitoFront, configure: Configure, invoke: Invoke) -> None:
    configure(limits=True)

    assert "user" not in invoke(POLICY).log
    assert {request.action for request in cognito.requests} == {"DescribeUserPool"}


type Judge = Callable[..., list[dict[str, Any]]]


@pytest.fixture(scope="module")
def judge() -> Iterator[Judge]:
    """The client's own verdict, by a process of Node that stays."""
    command = ["node", str(ROOT / "tests/web/judge.js")]
    environment = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as node:
        questions, answers = node.stdin, node.stdout
        assert questions
        assert answers

        def ask(*question: object) -> list[dict[str, Any]]:
            print(json.dumps(question), file=questions, flush=True)
            answer: list[dict[str, Any]] = json.loads(answers.readline())
            return answer

        yield ask
        questions.close()


CLOSE = [
    *("ß\u1e9es\u017f", "İ\u0131iI\u0307", "ςΣσΑ", "ﬁfiFI", "Åée\u0301A\u030a"),
    *("ᾳαΙ\u0345", "ŉǅꭰᏸ", "🔑a\U0001e921"),
    *("aA4@", "8bB", "0oO", "1l!|iI", "3eE", "5sS$", "7tT"),
    *(
        "a\uff21\u24d0\U0001d41a\u200d\u034f",
        "\u24601\U0001d7cfl\u00ad",
        "\u3164\uffa0\u115f\ufe0f\u2060a",
        "\uff76\uff9e\u30ac\u200d",
    ),
]
"""Letters that are the same to one way of comparing and not to another."""
ODD = ["", "", "", *" \u00a0\u1680\u3000\u2028\ufeff\u200b\u0085\x1c\0\ufffd", "\ud83d"]
LETTERS = [*"x\u4e09\u2188\u3248\U00010107"]
OTHERS = ["", *"5_-. \u0660\u093f"]
"""Characters directly before or after a short name: letters of any kind, and all else."""
assigned = st.characters(exclude_categories=["Cc", "Cn", "Cs"])
texts = st.sampled_from(CLOSE).flatmap(lambda close: st.text(close, min_size=1, max_size=6))
texts |= st.text(assigned, min_size=1, max_size=6)
# Short names that overlap themselves, and those that mean something in a regular expression.
texts |= st.text("an.", min_size=2, max_size=5)
texts |= st.text(string.punctuation, min_size=2, max_size=5)
names = st.builds(
    lambda plus, parts: plus + "@".join(parts),
    st.sampled_from(["", "+", "++"]),
    st.lists(texts, min_size=1, max_size=3),
)
WRITTEN: list[Callable[[str], str]] = [
    *(str, str.upper, str.lower, str.casefold, str.swapcase),
    lambda text: unicodedata.normalize("NFD", text),
    lambda text: text.translate(str.maketrans("ileoastb", "1!304$78")),
    lambda text: text.translate({n: n + 0xFEE0 for n in range(0x21, 0x7F)}),
    "\u200d".join,
    lambda text: text.rpartition("@")[0],
    lambda text: text.lstrip("+"),
]
REFUSED_FIRST = {"maxLength", "pattern", "replacementCharacter", "invisibleCharacter"}


@given(
    required=st.fixed_dictionaries({name: st.booleans() for name in STRICT if "Require" in name}),
    words=st.lists(texts.filter(lambda word: len(word) > 2), max_size=2),
    name=names,
    operation=st.sampled_from([CONFIRM, UPDATE]),
    data=st.data(),
)
def test_the_client_judges_as_the_service_does(
    required: dict[str, bool],
    words: list[str],
    name: str,
    operation: Operation,
    data: st.DataObject,
    judge: Judge,
    service: Service,
) -> None:
    part = data.draw(st.sampled_from(WRITTEN))(data.draw(st.sampled_from([name, *words])))
    around = texts | st.sampled_from(ODD) | st.sampled_from(LETTERS + OTHERS)
    before, after = data.draw(around), data.draw(around)
    password = (before + part + after) * data.draw(st.sampled_from([1, 1, 1, 1, 40]))
    assume(password)
    minimum = min(max(len(password) + data.draw(st.integers(-1, 1)), 6), 99)
    old = data.draw(st.sampled_from([password, "an old password"]))
    service.cognito.reset()
    service.configure(forbidden_words=tuple(words))
    policy(service.cognito, **required, MinimumLength=minimum)
    if operation is UPDATE:
        # Cognito's own pattern allows nothing that folding removes.
        name = str(Username().fold(name, Runtime()))
        service.cognito.answer("GetUser", body={"Username": name, "UserAttributes": []})
        user, body = {"username": name, "oldPassword": old}, {"oldPassword": old}
    else:
        user = body = {"username": name}

    broken = judge(service.invoke(POLICY).body, password, user)
    reply = service.invoke(operation, BODIES[operation] | body | {"newPassword": password})

    errors = [] if reply.status == 204 else reply.body["errors"]
    # An error of a name, or only of the old password, is not about the new one.
    assume(old == password or {one["pointer"] for one in errors} <= {"#/newPassword"})
    assume("#/username" not in {one["pointer"] for one in errors})
    refused = {one["rule"] for one in errors if one["pointer"] == "#/newPassword"}
    judged = {one["rule"] for one in broken}
    if operation is UPDATE and judged > {"containsUsername"}:
        judged -= {"containsUsername"}  # Cognito tells the names of those who break no other rule
    assert refused == (judged & REFUSED_FIRST or judged)
    numbers = {one["rule"]: one["params"] for one in errors if "params" in one}
    assert numbers == {one["rule"]: one["params"] for one in broken if one["rule"] in numbers}


NAMED = [
    ("ann@example.com", "planning cannot begin today", ""),
    ("annabel@example.com", "xannabelx harbour", "annabel"),
    *(("ann", f"harbour {one}ann{one} quiet", "ann") for one in OTHERS),
    *(("ann", f"harbour {one}ann ann{one}", "") for one in LETTERS),
    *((name, f"harbour {name}", name * (len(name) > 2)) for name in ("an", "ann", "anna")),
    *((name, f"harbour x{name}", name * (len(name) > 4)) for name in ("anna", "annab")),
    *((f"a{one}b", f"harbour a{one}b", f"a{one}b") for one in string.punctuation if one != "@"),
    *((f"a{one}b", "harbour axb aab abb ab", "") for one in string.punctuation),
    ("a-a", "xa-a-a harbour", "a-a"),
]
"""A name, a password, and the part of the name that it contains."""


@pytest.mark.parametrize(("name", "password", "part"), NAMED)
def test_a_short_name_counts_only_as_a_word_of_its_own_and_the_error_says_which(
    name: str, password: str, part: str, judge: Judge, service: Service
) -> None:
    broken = judge(service.invoke(POLICY).body, password, {"username": name})
    body = BODIES[CONFIRM] | {"username": name, "newPassword": password}
    reply = service.invoke(CONFIRM, body)
    errors = [] if reply.status == 204 else reply.body["errors"]

    told = [one["params"] for one in broken if one["rule"] == "containsUsername"]
    assert told == [{"part": part}] * bool(part)
    assert [one["params"] for one in errors if one["rule"] == "containsUsername"] == told


@pytest.mark.parametrize("rule", NewPassword.unrepeatable)
def test_a_password_that_nobody_can_type_again_is_refused_by_the_client_too(
    rule: str, judge: Judge, service: Service
) -> None:
    characters = re.findall(f"[{NewPassword.unrepeatable[rule]}]", "".join(map(chr, range(0xFFFF))))

    for one in characters:
        broken = judge(service.invoke(POLICY).body, f"a quiet{one}harbour", {})
        assert [each["rule"] for each in broken] == [rule]
