"""Characters that people paste with a username or a code are no part of it."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.fields import INVISIBLE
from functions.operations import Operation
from tests.support.contract import assert_is_problem
from tests.support.invocation import BODIES, CODE, SUB, USERNAME, Reply
from tests.unit.conftest import Service

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
NOISE = st.text(st.characters(categories=INVISIBLE))
DASHES = st.text(
    st.characters(categories=[*INVISIBLE, "Pd"], include_characters="\u2212\u2043\u30fc\uff70")
)
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


ADDRESSES = ("email",)
NUMBERS = ("phone_number",)
BOTH = (*ADDRESSES, *NUMBERS)
ANN, NUMBER = "ann@example.com", "+441632960000"


@pytest.mark.parametrize(
    ("attributes", "name", "typed"),
    [
        *(
            (attributes, ANN, typed)
            for attributes in (ADDRESSES, BOTH)
            for typed in (
                "mailto:ann@example.com",
                "MAILTO:ann%40example.com?subject=Hello",
                "<ann@example.com>",
                "Ann Example <ann@example.com>",
                '"Example, Ann" <ann@example.com>;',
                "<mailto:ann@example.com>",
                "\u201cann@example.com\u201d",
                "'ann@example.com'",
                " ann@example.com. ",
                "mailto://ann@example.com",
                "mailto:%E2%80%8Bann%01@example.com%20",
                "\u2018ann@example.com\u2019",
                "\u2039ann@example.com\u203a",
                "\u300cann@example.com\u300d",
                "\uff1cann@example.com\uff1e",
                "`ann@example.com`",
                "**ann@example.com**",
                "_'ann@example.com'_",
                "{ann@example.com}",
                "\u2022 ann@example.com",
                "\u2709\ufe0f ann@example.com",
                "\U0001f4e7ann@example.com",
                "ann@example.com!?\u2026",
                "ann@example.com\u3002",
                "ann@example.com'/\\",
            )
        ),
        *(
            (attributes, NUMBER, typed)
            for attributes in (NUMBERS, BOTH)
            for typed in (
                "00441632960000",
                "+44-1632-960-000",
                "+44 (0)1632 960000",
                "0044 (1632) 96 00 00",
                "+44\u20111632\u2013960.000",
                "tel:+441632960000",
                "\uff0b\uff14\uff14 1632/960000",
                "+\u0664\u06641632960000",
                "\uff0b\uff14\uff14\u30fc\uff11\uff16\uff13\uff12\u2212\uff19\uff16\uff10\uff10\uff10\uff10",
                "\uff08+44\uff091632 960000",
                "\u260e +44 1632 960000",
            )
        ),
        (ADDRESSES, "o'hara@example.com", "<o'hara@example.com>"),
        (ADDRESSES, "_ann{1}@example.com", "_ann{1}@example.com"),
        (ADDRESSES, "Ann@example.com", "Ann@example.com"),
        (
            ADDRESSES,
            "\u0438\u0432\u0430\u043d@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444",
            "<\u0438\u0432\u0430\u043d@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444>",
        ),
        (ADDRESSES, "ivan@xn--e1afmkfd.xn--p1ai", "mailto:ivan@xn--e1afmkfd.xn--p1ai"),
    ],
)
def test_where_people_have_no_other_name_it_is_taken_out_of_what_surrounds_it(
    attributes: tuple[str, ...], name: str, typed: str, service: Service
) -> None:
    service.configure(sign_in_attributes=attributes, lower_case_usernames=False)

    reply, asked = confirmed(service, username=typed)

    assert (reply.status, asked["Username"]) == (204, name)
    assert reply.log["user"] == confirmed(service, username=name)[0].log["user"]


@pytest.mark.parametrize(
    ("attributes", "names"),
    [
        (ADDRESSES, ["ann", "ann@", "@example.com", "ann@example", NUMBER, SUB]),
        (ADDRESSES, ["a@b.com,c@d.com", "ann@example.com?subject=x", "ann@192.0.2.1"]),
        (NUMBERS, [ANN, "5550100123", "+1 555", "+0 555 010 0123", SUB]),
        (BOTH, ["ann", "5550100123", SUB]),
    ],
)
def test_where_people_have_no_other_name_anything_else_is_answered_at_its_field(
    attributes: tuple[str, ...], names: list[str], service: Service
) -> None:
    service.configure(sign_in_attributes=attributes)

    for operation in (RESET, CONFIRM):
        for name in names:
            reply = service.invoke(operation, BODIES[operation] | {"username": name})

            assert_is_problem(reply, 400, "InvalidParameterException")
            assert reply.rules == {("#/username", "signInName")}
    assert service.cognito.requests == []
