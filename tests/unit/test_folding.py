"""What people paste with a username or a code is no part of it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.fields import INVISIBLE
from functions.operations import Operation
from tests.support.contract import assert_is_problem
from tests.support.invocation import BODIES, CODE, USERNAME, Reply
from tests.unit.conftest import Service

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
NOISE = st.text(st.characters(categories=INVISIBLE))
DASHES = st.text(st.characters(categories=[*INVISIBLE, "Pd"]))
DIGITS = {
    digit: [chr(n) for n in range(0x1FBFA) if chr(n).isdecimal() and int(chr(n)) == int(digit)]
    for digit in "0123456789"
}


def insert(text: str, noise: list[str]) -> str:
    """The text with some of the noise before and after each character."""
    return "".join(a + b for a, b in zip(noise, [*text, ""], strict=True)) + noise[0]


def mixed(text: str, noise: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    length = len(text) + 1
    return st.lists(noise, min_size=length, max_size=length).map(lambda one: insert(text, one))


def confirmed(service: Service, **changes: str) -> tuple[Reply, dict[str, str]]:
    """The reply to a confirmation, and what Cognito was asked for."""
    service.cognito.reset()
    reply = service.invoke(CONFIRM, BODIES[CONFIRM] | changes)
    asked = [one.body for one in service.cognito.requests if one.action == CONFIRM.action]
    return reply, asked[0] if asked else {}


@given(typed=mixed("Demo@example.com", NOISE).filter(lambda text: len(text) <= 128))
def test_a_username_is_the_same_with_all_that_nobody_sees(service: Service, typed: str) -> None:
    service.configure(lower_case_usernames=False)

    (plain, expected), (reply, asked) = (
        confirmed(service, username="Demo@example.com"),
        confirmed(service, username=typed),
    )

    assert reply.status == 204
    assert reply.log["user"] == plain.log["user"]
    assert (asked["Username"], asked["SecretHash"]) == ("Demo@example.com", expected["SecretHash"])


@pytest.mark.parametrize(
    "name", ["\uff21da", "\ufb01ona", "Ada\u0301", "00441632960000", "<a@b.example>"]
)
def test_what_can_be_seen_in_a_username_reaches_cognito_as_it_was_typed(
    name: str, service: Service
) -> None:
    assert confirmed(service, username=name)[1]["Username"] == name


@given(data=st.data())
def test_a_code_of_digits_is_the_same_in_every_script_and_grouping(
    service: Service, data: st.DataObject
) -> None:
    digits = "".join(data.draw(st.sampled_from(DIGITS[one])) for one in CODE)
    typed = data.draw(mixed(digits, DASHES))

    reply, asked = confirmed(service, confirmationCode=typed)

    assert (reply.status, asked["ConfirmationCode"]) == (204, CODE)


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("AB-12", "AB-12"),
        (" aB-\uff11\u200b\n", "aB-\uff11"),
        ("\u2460\u2461", "\u2460\u2461"),
        ("-", "-"),
    ],
)
def test_a_code_of_a_trigger_keeps_all_that_can_be_seen(
    typed: str, sent: str, service: Service
) -> None:
    assert confirmed(service, confirmationCode=typed)[1]["ConfirmationCode"] == sent


@pytest.mark.parametrize("nothing", ["\u200b", " \n\t", "\ufeff\u00ad"])
@pytest.mark.parametrize(
    ("member", "code"),
    [
        ("username", "ConfirmResetPasswordUsername"),
        ("confirmationCode", "ConfirmResetPasswordConfirmationCode"),
    ],
)
def test_what_nobody_sees_is_an_empty_field(
    member: str, code: str, nothing: str, service: Service
) -> None:
    assert_is_problem(confirmed(service, **{member: nothing})[0], 400, f"Empty{code}")


@pytest.mark.usefixtures("dynamodb")
def test_the_destination_and_the_limits_are_those_of_the_folded_name(service: Service) -> None:
    service.configure(limits=True, reset_password_attempts=1)

    replies = [
        service.invoke(RESET, {"username": f"{noise}{USERNAME}"}) for noise in ("", "\ufeff")
    ]

    assert replies[0].body["nextStep"]["codeDeliveryDetails"]["destination"] == "d***@e***"
    assert replies[1].status == 429
    assert unicodedata.category("\ufeff") in INVISIBLE
