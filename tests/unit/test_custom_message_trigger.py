"""The example trigger, called with what it reads of the event that AWS documents."""

import re
from copy import deepcopy
from html import unescape
from runpy import run_path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.support import ROOT

PAGE = "https://app.example.com/reset"
EVENT: dict[str, Any] = {
    "triggerSource": "CustomMessage_ForgotPassword",
    "request": {
        "userAttributes": {"email": "ada+'\"<&#=@example.com", "email_verified": "true"},
        "codeParameter": "{####}",
    },
    "response": {"smsMessage": None, "emailMessage": None, "emailSubject": None},
}


def answer(**changes: Any) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RESET_PAGE", PAGE)
        handler = run_path(str(ROOT / "examples/custom_message_trigger/handler.py"))["handler"]
        answered: dict[str, Any] = handler(deepcopy(EVENT | changes), None)
    return answered


def test_the_link_has_the_code_and_the_address_in_its_fragment_alone() -> None:
    mail = answer()["response"]["emailMessage"]

    # As Cognito does it.
    (link,) = re.findall(r' href="([^"]*)"', mail.replace("{####}", "123456"))
    parts = urlsplit(unescape(link))
    assert parts._replace(fragment="").geturl() == PAGE
    email = EVENT["request"]["userAttributes"]["email"]
    assert parse_qs(parts.fragment) == {"code": ["123456"], "username": [email]}
    assert "<a ses:no-track " in mail
    assert len(mail) <= 20_000


@pytest.mark.parametrize(
    "change",
    [
        {"triggerSource": "CustomMessage_AdminCreateUser"},
        {"triggerSource": "CustomMessage_UpdateUserAttribute"},
        {"request": EVENT["request"] | {"userAttributes": {"phone_number": "+15550100"}}},
    ],
)
def test_every_other_message_stays_as_it_is(change: dict[str, Any]) -> None:
    assert answer(**change) == EVENT | change
