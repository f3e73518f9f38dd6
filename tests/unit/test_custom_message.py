"""The trigger `CustomMessage`, called with the event that AWS documents."""

import re
from html import unescape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from functions.languages import LANGUAGES, read_texts
from tests.unit.conftest import Configure, Service

RESET = "CustomMessage_ForgotPassword"
INVITATION = "CustomMessage_AdminCreateUser"
SOURCES = [
    *(RESET, INVITATION),
    *("CustomMessage_SignUp", "CustomMessage_ResendCode", "CustomMessage_Authentication"),
    *("CustomMessage_UpdateUserAttribute", "CustomMessage_VerifyUserAttribute"),
]
PAGE = "https://app.example.com/reset?a=1&b=2"
ATTRIBUTES = {
    "sub": "the-sub",
    "email": "ada+'\"<&#=@example.com",
    "email_verified": "true",
    "phone_number": "+15550100",
    "given_name": "Ada",
}
METADATA = {"campaign": "the-campaign"}
BRAND = "M&M's <b>\""
LONGEST = "N" * 64

each_language = pytest.mark.parametrize("language", LANGUAGES)
each_source = pytest.mark.parametrize("source", SOURCES)


def make_event(source: str = RESET, **request: Any) -> dict[str, Any]:
    """The event with Cognito's own example values; user data that must not come back."""
    return {
        "version": "1",
        "region": "us-east-1",
        "userPoolId": "us-east-1_EXAMPLE",
        "userName": "the-username",
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown", "clientId": "the-client"},
        "triggerSource": source,
        "request": {
            "userAttributes": ATTRIBUTES,
            "codeParameter": "{####}",
            "usernameParameter": "{username}" if source == INVITATION else None,
            "clientMetadata": METADATA,
        }
        | request,
        "response": {"smsMessage": None, "emailMessage": None, "emailSubject": None},
    }


def answer(service: Service, source: str = RESET, **request: Any) -> dict[str, str]:
    reply = service.deployment.write(make_event(source, **request))
    assert (reply.metrics, reply.log["level"], reply.log["task"]) == ({"Success"}, "INFO", source)
    response: dict[str, str] = reply.body["response"]
    return response


@each_language
def test_who_must_reset_is_told_so_and_not_that_the_password_stays(
    language: str, service: Service
) -> None:
    """An operator has the password refused before Cognito sends the code."""
    required = ATTRIBUTES | {"cognito:user_status": "RESET_REQUIRED"}
    locale = METADATA | {"locale": language}
    usual = answer(service, clientMetadata=locale)
    message = answer(service, clientMetadata=locale, userAttributes=required)
    texts = read_texts(language)["messages"]

    assert texts["ResetRequired"][0] in message["emailSubject"]
    assert texts["ResetRequired"][2] in unescape(message["emailMessage"])
    assert message["emailMessage"] != usual["emailMessage"]


@each_source
@each_language
def test_a_message_has_what_cognito_demands_and_tells_nothing_about_its_user(
    source: str, language: str, service: Service
) -> None:
    service.configure(mail_name=LONGEST, mail_logo="https://app.example.com/logo", code_url=PAGE)
    message = answer(service, source, clientMetadata=METADATA | {"locale": language})
    invites = source == INVITATION

    assert message["emailSubject"].startswith(f"{LONGEST}: ")
    assert len(message["emailSubject"]) <= 140
    # Cognito's own patterns, which allow only the white space of ASCII, and no formatting.
    assert message["emailSubject"].isprintable()
    assert message["emailMessage"].replace("\n", " ").isprintable()
    assert f'<html lang="{language}"' in message["emailMessage"]
    assert len(message["emailMessage"]) <= 20_000
    assert message["smsMessage"].startswith(f"{LONGEST}: ")
    assert len(message["smsMessage"]) <= 140
    for text in (message["emailMessage"], message["smsMessage"]):
        assert ("{####}" in text, "{username}" in text) == (True, invites)
    assert message["smsMessage"].count("{####}") == 1
    # The password of an invitation is last, so that nobody takes a full stop for a part of it.
    assert message["smsMessage"].endswith("{####}") == invites
    for value in (*ATTRIBUTES.values(), *METADATA.values(), "the-username", "the-client"):
        if value != "true":
            assert value not in str(message)


def test_each_message_says_how_long_its_code_is_valid(service: Service) -> None:
    told = {source: answer(service, source)["emailMessage"] for source in SOURCES}

    valid = {source: re.findall(r"valid for ([\w ]+)\.", mail) for source, mail in told.items()}
    assert valid == {source: ["24 hours"] for source in SOURCES} | {
        RESET: ["one hour"],
        INVITATION: ["a few days only"],
        "CustomMessage_Authentication": ["a few minutes"],
    }


@pytest.mark.parametrize(
    ("profile", "request_", "language"),
    [
        ("de-CH", "fr", "de"),
        ("", "fr", "fr"),
        (None, "pt_BR", "pt"),
        ("zh", "ja", "ja"),
        (None, "it", "en"),
        (None, None, "en"),
    ],
)
def test_the_language_is_that_of_the_profile_or_else_that_of_the_request(
    profile: str | None, request_: str | None, language: str, service: Service
) -> None:
    message = answer(
        service, userAttributes={"locale": profile}, clientMetadata={"locale": request_}
    )

    assert f'<html lang="{language}"' in message["emailMessage"]


@each_source
def test_only_the_mail_of_a_reset_has_a_link_and_its_code_is_in_the_fragment_only(
    source: str, service: Service, configure: Configure
) -> None:
    configure(code_url=PAGE)
    mail = answer(service, source)["emailMessage"]
    links = re.findall(r'<a ses:no-track href="([^"]*)"', mail.replace("{####}", "123456"))

    assert len(links) == mail.count("http") == (source == RESET)
    for link in links:
        parts = urlsplit(unescape(link))
        assert parts._replace(fragment="").geturl() == PAGE
        assert parse_qs(parts.fragment) == {"code": ["123456"]}
    configure()
    assert "http" not in answer(service, source)["emailMessage"]


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data.strip())


def test_the_brand_is_a_name_or_a_logo_with_the_name_as_its_text_and_is_escaped(
    service: Service, configure: Configure
) -> None:
    configure(mail_name=BRAND)
    plain = Tags(answer(service)["emailMessage"])
    configure(mail_name=BRAND, mail_logo="https://app.example.com/logo?a=1&b=2")
    pictured = Tags(answer(service)["emailMessage"])
    configure()
    nameless = Tags(answer(service)["emailMessage"])

    assert BRAND in plain.texts
    images = [attributes for tag, attributes in pictured.found if tag == "img"]
    assert [(i["src"], i["alt"]) for i in images] == [
        ("https://app.example.com/logo?a=1&b=2", BRAND)
    ]
    assert not {tag for tag, _ in plain.found + nameless.found} & {"img", "b", "script", "link"}
    assert "color-scheme" in str(plain.found)


@pytest.mark.parametrize(
    "event",
    [
        make_event(codeParameter=None) | {"request": {}},
        make_event() | {"request": None},
        make_event() | {"response": None},
        make_event(clientMetadata={"locale": 1}),
        {"triggerSource": RESET},
        {},
    ],
)
def test_a_crash_leaves_cognitos_own_message_and_is_logged_and_counted(
    event: dict[str, Any], service: Service
) -> None:
    reply = service.deployment.write(event)

    assert reply.body == event
    assert reply.metrics >= {"Crash"}
    assert reply.log["level"] == "ERROR"
    assert "the-sub" not in reply.printed


@pytest.mark.parametrize("source", ["CustomMessage_New", "PreSignUp_SignUp", "SignUp_"])
def test_every_other_event_stays_as_it_is(source: str, service: Service) -> None:
    event = make_event(source)

    assert service.deployment.write(event).body == event


def test_a_handler_that_cannot_even_log_stops_no_message(service: Service) -> None:
    """Cognito gives a trigger five seconds, and no code is sent if the trigger raises."""
    without_context: Any = None

    assert service.deployment.custom_message(make_event(), without_context) == make_event()
