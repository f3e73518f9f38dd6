"""The pool's own policy and the user's context, before Cognito is asked, all rules at once."""

import math
import re
from typing import Any

import pytest

from functions.aws.cognito import POLICY_LIFETIME
from functions.operations import Operation
from tests.support.contract import assert_is_problem, ids
from tests.support.front import CognitoFront, Refusal
from tests.support.invocation import BODIES, SUB, TOKEN, Deployment, Reply
from tests.unit.conftest import Invoke, Service, sent

CONFIRM, UPDATE = Operation.CONFIRM_RESET_PASSWORD, Operation.UPDATE_PASSWORD
changing = pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)
STRICT = {
    "MinimumLength": 12,
    "RequireLowercase": True,
    "RequireNumbers": True,
    "RequireSymbols": True,
    "RequireUppercase": True,
}


def policy(cognito: CognitoFront, **rules: Any) -> None:
    cognito.answer("DescribeUserPool", body={"UserPool": {"Policies": {"PasswordPolicy": rules}}})


def choose(invoke: Invoke, operation: Operation, password: str) -> Reply:
    return invoke(operation, BODIES[operation] | {"newPassword": password})


@changing
def test_lists_every_unmet_rule_at_once(operation: Operation, service: Service) -> None:
    policy(service.cognito, **STRICT)

    reply = choose(service.invoke, operation, "\u00e9\u0660 ")

    assert_is_problem(reply, 400, "InvalidPasswordException")
    assert {rule for _, rule in reply.rules} == {
        *("minLength", "requireLowercase", "requireNumbers", "requireUppercase", "edgeSpace")
    }
    assert {pointer for pointer, _ in reply.rules} == {"#/newPassword"}
    assert "at least 12 characters" in reply.text
    assert sent(service.cognito, operation) == []


@pytest.mark.parametrize(
    ("password", "unmet"),
    [
        ("Aa1-aaaaaaaa", set()),
        ("Aa1 aaaaaaaa", set()),
        ("Aa1\\aaaaaaaa", set()),
        ("Aa1]aaaaaaaa", set()),
        ("aa1-aaaaaaaa", {"requireUppercase"}),
        ("AA1-AAAAAAAA", {"requireLowercase"}),
        ("Aaa-aaaaaaaa", {"requireNumbers"}),
        ("Aa1aaaaaaaaa", {"requireSymbols"}),
        ("Aa1\u00a7aaaaaaaa", {"requireSymbols"}),
        ("Aa1-aaaaaaa", {"minLength"}),
        (" Aa1-aaaaaaaa", {"edgeSpace"}),
        ("Aa1-aaaaaaaa\u3000", {"edgeSpace"}),
    ],
)
def test_judges_as_cognito_does(password: str, unmet: set[str], service: Service) -> None:
    policy(service.cognito, **STRICT)

    reply = choose(service.invoke, CONFIRM, password)

    assert (reply.status == 204) == (not unmet)
    assert not unmet or {rule for _, rule in reply.rules} == unmet


@pytest.mark.parametrize(
    ("username", "password", "refused"),
    [
        ("demo@example.com", "i am DEMO@Example.com!!", True),
        ("lovelace@example.com", "my name is Lovelace", True),
        ("andr\u00e9@example.com", "my name is andre\u0301 today", True),
        ("stra\u00dfe@example.com", "the STRASSE where I live", True),
        (
            "lovelace@example.com",
            "my name is \uff2c\uff4f\uff56\uff45\uff4c\uff41\uff43\uff45",
            True,
        ),
        (
            "lovelace@example.com",
            "my name is \u24db\u24de\u24e5\u24d4\u24db\u24d0\u24d2\u24d4",
            True,
        ),
        ("love\u00adlace@example.com", "my name is l\u200dovel\ufe0facee", True),
        ("\u200b\u00ad\ufe0f@example.com", "a quiet harbour in May", False),
        ("ab@example.com", "cabs are yellow here", False),
        ("ab", "cabs are yellow here", False),
        ("ann@example.com", "planning cannot begin today", False),
        ("the@example.com", "correct horse in a stable, breathe", False),
        ("info@example.com", "more information about rivers", False),
        ("info@example.com", "more INFO about rivers", True),
        ("ann@example.com", "ann2024ann2024ann", True),
        ("ann@example.com", "planning with_Ann", True),
        ("train@example.com", "constrained answers", True),
        ("joe1", "joe17 joe12 joe13", True),
        ("joe1", "banjoe1 banjoe1", False),
    ],
)
def test_refuses_a_password_that_contains_the_user_name(
    username: str, password: str, refused: bool, service: Service
) -> None:
    """Short names are refused only as words of their own."""
    reply = service.invoke(
        CONFIRM, BODIES[CONFIRM] | {"username": username, "newPassword": password}
    )

    assert (reply.status == 400) == refused
    if refused:
        (error,) = reply.body["errors"]
        assert error["rule"] == "containsUsername"
        assert error["params"]["part"] in {username, username.partition("@")[0]} | FOLDED
        assert error["params"]["part"] in error["detail"]


FOLDED = {"lovelace"}
ALIASES = {
    "sub": SUB,
    "email": "Lovelace@example.com",
    "phone_number": "+15550100",
    "preferred_username": "countess",
    "nickname": "computer",
}


@pytest.mark.parametrize(
    ("password", "refused"),
    [
        (f"this is {SUB}", True),
        ("my name is LOVELACE", True),
        ("call me at 15550100 now", True),
        ("the countess counts", True),
        ("my computer computes", False),
    ],
)
def test_refuses_each_name_that_a_signed_in_user_signs_in_by(
    password: str, refused: bool, service: Service
) -> None:
    attributes = [{"Name": name, "Value": value} for name, value in ALIASES.items()]
    service.cognito.answer("GetUser", body={"Username": SUB, "UserAttributes": attributes})

    reply = choose(service.invoke, UPDATE, password)

    assert (reply.status == 400) == refused
    assert not refused or reply.rules == {("#/newPassword", "containsUsername")}
    asked = [one.body for one in service.cognito.requests if one.action == "GetUser"]
    assert asked == [{"AccessToken": TOKEN}] * (SUB not in password)  # which is in the token


def test_a_dead_token_is_reported_before_a_stolen_password(service: Service) -> None:
    message = "Access Token has been revoked"
    service.cognito.answer("GetUser", error="NotAuthorizedException", message=message)

    reply = choose(service.invoke, UPDATE, "a quiet harbour in May")

    assert_is_problem(reply, 401, "NotAuthorizedException")
    assert sent(service.cognito, UPDATE) == []


@pytest.mark.parametrize(
    ("trouble", "degradation"),
    [
        ({"error": "TooManyRequestsException"}, {"NamesUnreadable"}),
        ({"reset": True}, {"NamesUnreadable"}),
        # A failure that only the account causes is no alarm: ChangePassword tells the caller.
        ({"error": "NotAuthorizedException", "message": "User is disabled."}, set[str]()),
    ],
)
def test_continues_with_the_name_in_the_token_if_the_others_cannot_be_read(
    trouble: dict[str, Any], degradation: set[str], service: Service
) -> None:
    service.cognito.answer("GetUser", **trouble)

    assert choose(service.invoke, UPDATE, f"this is {SUB}").rules == {
        ("#/newPassword", "containsUsername")
    }
    assert service.invoke(UPDATE).metrics == {"Success"} | degradation


def test_refuses_the_old_password_as_the_new_one(cognito: CognitoFront, invoke: Invoke) -> None:
    reply = choose(invoke, UPDATE, BODIES[UPDATE]["oldPassword"])

    assert reply.rules == {("#/newPassword", "sameAsOld")}
    assert sent(cognito, UPDATE) == []


@pytest.mark.parametrize(
    ("password", "refused"),
    [
        ("we work at acme rockets", True),
        ("the 4(me 8ook of rules!", False),
        ("the @CM3 book of rules", True),
        ("all 8i11ing departments", True),
        ("we like \uff21\u24d2\u200d\uff4d\u3164\U0001d41e here", True),
        ("a quiet harbour in May", False),
    ],
)
def test_refuses_a_forbidden_word_by_its_look_and_does_not_repeat_it(
    password: str, refused: bool, service: Service
) -> None:
    service.configure(forbidden_words=("Acme", "Billing", "\u200b\u00ad\ufe0f"))

    reply = choose(service.invoke, CONFIRM, password)

    assert (reply.status == 400) == refused
    assert not refused or reply.rules == {("#/newPassword", "forbiddenWord")}
    assert not {"acme", "billing"} & set(re.findall(r"\w+", (reply.text + reply.printed).lower()))


def test_reads_the_policy_again_after_five_minutes(service: Service) -> None:
    assert choose(service.invoke, CONFIRM, "sixteen letters!").status == 204
    policy(service.cognito, MinimumLength=20)
    assert choose(service.invoke, CONFIRM, "sixteen letters!").status == 204

    service.clock.now += POLICY_LIFETIME

    assert choose(service.invoke, CONFIRM, "sixteen letters!").rules == {
        ("#/newPassword", "minLength")
    }


def test_keeps_the_old_policy_while_it_cannot_be_read(service: Service) -> None:
    choose(service.invoke, CONFIRM, "sixteen letters!")
    service.cognito.answer("DescribeUserPool", error="TooManyRequestsException")
    service.clock.now += POLICY_LIFETIME

    reply = choose(service.invoke, CONFIRM, "weak")

    assert reply.rules == {("#/newPassword", "minLength")}
    assert "PolicyUnreadable" in reply.metrics


def test_lets_cognito_judge_if_the_policy_cannot_be_read_and_does_not_ask_with_every_request(
    service: Service,
) -> None:
    service.cognito.answer("DescribeUserPool", error="AccessDeniedException")
    service.cognito.answer(UPDATE.action, error="InvalidPasswordException")

    for _ in range(2):
        reply = choose(service.invoke, UPDATE, "weak")

        assert_is_problem(reply, 400, "InvalidPasswordException")
        assert reply.metrics == {"InvalidPasswordException", "PolicyUnreadable"}
        assert reply.log["degradations"] == ["PolicyUnreadable"]
    assert len(sent(service.cognito, UPDATE)) == 2
    assert [one.action for one in service.cognito.requests].count("DescribeUserPool") == 1


@pytest.mark.parametrize("error", ["InvalidPasswordException", "UserNotFoundException"])
def test_nobody_sees_cognitos_verdict_before_the_policy_was_read(
    error: str, service: Service
) -> None:
    """Cognito might look at an existing user's password before it looks at the code."""
    service.cognito.answer("DescribeUserPool", error="TooManyRequestsException")
    service.cognito.answer(CONFIRM.action, error=error)

    reply = choose(service.invoke, CONFIRM, "weak")

    assert_is_problem(reply, 503, "InternalErrorException")
    assert (reply.headers["Retry-After"], "Nothing was changed" in reply.text) == ("5", True)
    asked = {one.action for one in service.cognito.requests}
    assert asked == {"DescribeUserPool"}


@pytest.mark.parametrize("callers", [5, 6, 10, 20])
def test_a_burst_on_an_idle_stage_waits_for_five_reads_of_the_policy_a_second(
    callers: int, service: Service
) -> None:
    """The worst case: each caller has a process of their own, and no retry of a read helps."""
    reads: list[float] = []

    def respond(action: str, _: object) -> dict[str, Any]:
        if action == "DescribeUserPool":
            reads.append(service.clock.now)
            if reads.count(service.clock.now) > 5:  # Cognito's quota for one pool
                raise Refusal("TooManyRequestsException", "Rate exceeded")
        return {"UserPool": {}, "UserPoolClient": {}}

    service.cognito.respond = respond
    # The policy is kept for each pool, so a deployment with a new one is like a new process.
    waiting = [Deployment(service.clock) for _ in range(callers)]
    waits = []
    while waiting:
        replies = {one: one.invoke(CONFIRM) for one in waiting}
        waiting = [one for one, reply in replies.items() if reply.status == 503]
        waits.append(len(waiting))
        service.clock.sleep(max(int(r.headers.get("Retry-After", 0)) for r in replies.values()))

    assert waits == [max(0, callers - 5 * n) for n in range(1, math.ceil(callers / 5) + 1)]


@pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)
@pytest.mark.parametrize(
    ("characters", "rule"),
    [
        (
            "\u00ad\u061c\u200b\u200e\u200f\u202e\u2060\u2066\ufeff\ufffc",
            "invisibleCharacter",
        ),
        ("\ufffd", "replacementCharacter"),
        ("\u200c\u200d\U000e0067\U0001f469\u00a0\u0301", ""),
    ],
)
def test_only_a_new_password_must_be_one_that_can_be_typed_again(
    operation: Operation, characters: str, rule: str, service: Service
) -> None:
    for character in characters:
        password = f"a quiet {character} harbour"
        reply = choose(service.invoke, operation, password)

        expected = {("#/newPassword", rule)} if rule else set[tuple[str, str]]()
        assert (reply.rules if reply.status == 400 else set()) == expected
        old = BODIES[UPDATE] | {"oldPassword": password}
        assert service.invoke(UPDATE, old).status == 204


@pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=ids)
@pytest.mark.parametrize(
    ("error", "rule", "size"),
    [
        ("InvalidPasswordException", "otherReason", 0),
        ("PasswordHistoryPolicyViolationException", "usedBefore", 5),
    ],
)
def test_a_refusal_that_only_cognito_could_foresee_has_an_error_of_its_own(
    operation: Operation, error: str, rule: str, size: int, service: Service
) -> None:
    policy(service.cognito, MinimumLength=8, PasswordHistorySize=size)
    service.cognito.answer(operation.action, error=error, message="For a reason of its own")

    reply = service.invoke(operation)

    assert_is_problem(reply, 400, error)
    assert reply.rules == {("#/newPassword", rule)}
    assert reply.log["rules"] == [rule]
