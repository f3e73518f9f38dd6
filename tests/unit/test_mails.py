"""The mail after a change, once, in the user's language, and only to a verified address."""

import json
import re
import string
from typing import Any, NoReturn

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from functions.languages import LANGUAGES, choose_language, read_texts
from functions.messages import Message, Task
from functions.operations import WORKER_TIMEOUT, Operation
from functions.worker.mails import Mail
from tests.support import ROOT
from tests.support.front import CognitoFront, Refusal, make_user
from tests.support.invocation import BODIES, NOW, REQUEST_ID, SETTINGS, SUB, make_message
from tests.unit.conftest import Configure, Service, put

RESET, CONFIRM = Operation.RESET_PASSWORD, Operation.CONFIRM_RESET_PASSWORD
UPDATE = Operation.UPDATE_PASSWORD
FROM = "no-reply@example.com"
SECRETS = ("482916", "quiet", "header.")
TEXTS = {language: read_texts(language) for language in LANGUAGES}

changing = pytest.mark.parametrize("operation", [CONFIRM, UPDATE], ids=lambda one: one.id)


def mails(cognito: CognitoFront) -> list[dict[str, Any]]:
    """Return the requests that SES got."""
    return [request.body for request in cognito.requests if request.action == "SendEmail"]


def queued(cognito: CognitoFront) -> dict[str, Any]:
    """The one message on the queue, as SQS hands it to the worker."""
    (message,) = cognito.take_messages()
    return make_message(message["MessageBody"])


def text(mail: dict[str, Any]) -> str:
    body: str = mail["Content"]["Simple"]["Body"]["Text"]["Data"]
    return body


@pytest.fixture(autouse=True)
def mailing(configure: Configure, dynamodb: DynamoDBClient) -> None:
    configure(mail_from=FROM)


@changing
def test_a_change_is_mailed_to_its_user_after_the_response(
    operation: Operation, service: Service
) -> None:
    reply = service.invoke(operation)
    assert (reply.status, mails(service.cognito)) == (204, [])

    work = service.work()

    (mail,) = mails(service.cognito)
    assert (work.metrics, work.log["task"]) == ({"Success"}, "mail_change")
    assert mail["FromEmailAddress"] == FROM
    assert mail["Destination"] == {"ToAddresses": ["demo@example.com"]}
    assert "192.0.2.7" in text(mail)
    assert "2027-01-15 08:00 UTC" in text(mail)
    assert not any(secret in json.dumps(mail) for secret in SECRETS)


@changing
def test_no_mail_is_sent_for_a_change_that_was_refused_or_without_a_sender(
    operation: Operation, service: Service
) -> None:
    service.cognito.answer(operation.action, error="NotAuthorizedException", times=1)
    service.finish(operation)
    service.configure()
    service.finish(operation)

    assert mails(service.cognito) == []


def test_a_change_of_unknown_outcome_is_mailed_once_it_shows(service: Service) -> None:
    service.cognito.answer("ChangePassword", reset=True, forward=True)
    service.cognito.answer("AdminGetUser", body=make_user(changed_at=NOW + 1))
    service.finish(UPDATE)

    assert len(mails(service.cognito)) == 1


@changing
@pytest.mark.parametrize("acted", [True, False], ids=["confirmed", "of unknown outcome"])
def test_a_mail_goes_to_the_address_from_before_the_change_whatever_happens_to_the_account_next(
    operation: Operation, acted: bool, service: Service
) -> None:
    """A thief changes the address as soon as they can sign in, or deletes the account."""
    if not acted:
        service.cognito.answer(operation.action, reset=True, forward=True)
    service.invoke(operation)
    moved = make_user(email="thief@example.com", locale="de", changed_at=NOW + 1)
    service.cognito.respond = lambda _, body: (  # only the `sub` finds the account now
        moved | {"MessageId": "a-mail"} if body.get("Username") in {None, SUB} else nobody()
    )

    work = service.work()

    assert work.metrics == {"Success"}
    (mail,) = mails(service.cognito)
    assert mail["Destination"] == {"ToAddresses": ["demo@example.com"]}
    assert mail["Content"]["Simple"]["Subject"]["Data"] == TEXTS["en"]["passwordChanged"][0]


def test_a_client_that_may_not_read_the_address_leaves_it_to_the_worker(service: Service) -> None:
    attributes = [{"Name": "sub", "Value": SUB}]
    service.cognito.answer("GetUser", body={"Username": SUB, "UserAttributes": attributes})
    service.finish(UPDATE)

    assert [mail["Destination"]["ToAddresses"] for mail in mails(service.cognito)] == [
        ["demo@example.com"]
    ]


@changing
def test_an_owner_whom_cognito_did_not_tell_is_read_again_right_after_the_change(
    operation: Operation, service: Service
) -> None:
    action = "GetUser" if operation is UPDATE else "AdminGetUser"
    service.cognito.answer(action, error="ThrottlingException", times=3)
    service.invoke(operation)

    assert '"email": "demo@example.com"' in queued(service.cognito)["body"]


def test_a_user_who_is_gone_after_an_unknown_outcome_is_reported_once(service: Service) -> None:
    service.configure(mail_from=FROM, event_bus_name="the-bus")
    service.cognito.answer(CONFIRM.action, reset=True, forward=True)
    service.cognito.answer("AdminGetUser", body=make_user() | {"Username": "demo"})
    service.invoke(CONFIRM)
    service.cognito.answer("AdminGetUser", error="UserNotFoundException")
    service.work()

    assert told(service.cognito) == [("demo", SUB, "UserGone")]


def nobody() -> NoReturn:
    raise Refusal("UserNotFoundException", "")


def told(cognito: CognitoFront) -> list[tuple[str, str | None, str]]:
    """Return the users who, as the bus was told, could not be told, and why."""
    events = [one for one in put(cognito) if one["DetailType"] == "Password Change Unannounced"]
    details = [json.loads(one["Detail"]) for one in events]
    return [(one["username"], one.get("sub"), one["reason"]) for one in details]


@changing
def test_an_address_that_nobody_verified_gets_no_mail_and_is_counted_and_reported(
    operation: Operation, service: Service
) -> None:
    service.configure(mail_from=FROM, event_bus_name="the-bus")
    for action in ("GetUser", "AdminGetUser"):
        user = make_user(email_verified="false") | {"Username": "demo"}
        service.cognito.answer(action, body=user)
    service.invoke(operation)
    work = service.work()

    assert (mails(service.cognito), work.body["batchItemFailures"]) == ([], [])
    assert "NoVerifiedAddress" in work.metrics
    assert told(service.cognito) == [("demo", SUB, "NoVerifiedAddress")]


ADA = {"username": "ada"}
CHECKED = {"since": NOW, "task": "end_sessions", "parameters": ADA}


@pytest.mark.parametrize(
    ("task", "parameters", "reported"),
    [
        ("mail_change", ADA, True),  # of an older version
        ("end_sessions", ADA, True),
        ("forget_devices", ADA, True),
        ("check_change", {"username": "ada", "existed": True} | CHECKED, True),
        ("check_change", {"username": "ada", "existed": False} | CHECKED, False),
        ("check_change", {"username": "ada"} | CHECKED, False),  # of an older version
    ],
)
def test_a_user_who_is_gone_is_counted_and_reported_unless_there_never_was_one(
    task: str, parameters: dict[str, Any], reported: bool, service: Service
) -> None:
    service.configure(mail_from=FROM, event_bus_name="the-bus")
    for action in ("AdminGetUser", "AdminUserGlobalSignOut", "AdminListDevices"):
        service.cognito.answer(action, error="UserNotFoundException")
    message = Message(Task(task), REQUEST_ID, "192.0.2.7", None, parameters, NOW)

    work = service.deployment.work(make_message(json.dumps(message._asdict())))

    assert work.body["batchItemFailures"] == []
    assert ("UserGone" in work.metrics, "Success" in work.metrics) == (reported, not reported)
    assert told(service.cognito) == [("ada", None, "UserGone")] * reported


@pytest.mark.parametrize("gone", [False, True])
def test_whom_cognito_did_not_tell_before_a_confirmation_is_looked_up_after_it(
    gone: bool, service: Service
) -> None:
    service.cognito.answer("AdminGetUser", error="TooManyRequestsException")
    reply = service.invoke(CONFIRM)
    service.cognito.answer("AdminGetUser", body=make_user(email="new@example.com"))
    if gone:
        service.cognito.answer("AdminGetUser", error="UserNotFoundException")
    work = service.work()

    assert reply.metrics == {"Success", "NamesUnreadable"}
    assert ("UserGone" in work.metrics, len(mails(service.cognito))) == (gone, not gone)


def test_a_message_that_comes_twice_mails_once(service: Service) -> None:
    service.invoke(UPDATE)
    message = queued(service.cognito)
    for _ in range(2):
        assert service.deployment.work(message).metrics == {"Success"}

    assert len(mails(service.cognito)) == 1


def test_two_changes_are_two_mails_even_if_their_callers_chose_one_request_id(
    service: Service,
) -> None:
    for _ in range(2):
        service.finish(UPDATE)
        service.clock.now += 0.001

    assert len(mails(service.cognito)) == 2


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        ({"error": "TooManyRequestsException"}, "SendEmail.TooManyRequestsException"),
        ({"error": "MessageRejected"}, "SendEmail.MessageRejected"),
        ({"body": b"<html>"}, "SendEmail.ForeignAnswerError"),
        ({"reset": True, "forward": True}, "SendEmail.ConnectionClosedError"),
    ],
)
def test_a_mail_that_failed_is_sent_later(
    trouble: dict[str, Any], cause: str, service: Service
) -> None:
    service.cognito.answer("SendEmail", **trouble, times=1)
    service.cognito.answer("SendEmail", body={"MessageId": "a-mail"})
    service.invoke(UPDATE)
    message = queued(service.cognito)
    failed = service.deployment.work(message)
    service.deployment.work(message)

    assert failed.metrics >= {cause, "Retried"}
    assert len(mails(service.cognito)) == 2


def test_a_mail_of_a_killed_worker_is_sent_once_its_time_is_over(
    dynamodb: DynamoDBClient, service: Service
) -> None:
    service.invoke(UPDATE)
    message = queued(service.cognito)
    service.deployment.work(message)
    (item,) = dynamodb.scan(TableName=SETTINGS.table_name)["Items"]
    del item["outcome"]
    dynamodb.put_item(TableName=SETTINGS.table_name, Item=item)
    assert "RequestInProgressException" in service.deployment.work(message).metrics
    service.clock.now += WORKER_TIMEOUT + 1
    service.deployment.work(message)

    assert len(mails(service.cognito)) == 2


def test_an_address_that_ses_refuses_is_given_up_and_reported(service: Service) -> None:
    service.configure(mail_from=FROM, event_bus_name="the-bus")
    service.cognito.answer("SendEmail", error="BadRequestException")
    service.invoke(UPDATE)
    work = service.work()

    assert work.body["batchItemFailures"] == []
    assert "MailRefused" in work.metrics
    assert told(service.cognito) == [(SUB, SUB, "MailRefused")]


@pytest.mark.parametrize(
    ("address", "sent"),
    [
        ("ivan@xn--e1afmkfd.xn--p1ai", "ivan@xn--e1afmkfd.xn--p1ai"),
        ("иван@пример.рф", "иван@xn--e1afmkfd.xn--p1ai"),
        ("ann@straße.example", "ann@xn--strae-oqa.example"),  # not strasse.example
        (f"ann@{'a' * 64}.example", f"ann@{'a' * 64}.example"),
        ("ann@a..example", "ann@a..example"),
    ],
)
def test_a_domain_is_written_as_ses_wants_it(address: str, sent: str, service: Service) -> None:
    service.cognito.answer("GetUser", body=make_user(email=address))
    service.finish(UPDATE)

    assert [mail["Destination"]["ToAddresses"] for mail in mails(service.cognito)] == [[sent]]


@pytest.mark.parametrize("address", ["ivan@xn--e1afmkfd.xn--p1ai", "иван@пример.рф"])
@pytest.mark.parametrize("user", [None, make_user("EXTERNAL_PROVIDER")])
def test_an_international_address_counts_as_one(
    address: str, user: dict[str, Any] | None, service: Service
) -> None:
    service.configure(mail_from=FROM, mail_unknown_addresses=True)
    found = [user | {"Attributes": user["UserAttributes"]}] if user else []
    service.cognito.answer("AdminGetUser", error="UserNotFoundException")
    service.cognito.answer("ListUsers", body={"Users": found})
    service.finish(RESET, {"username": address})

    assert len(mails(service.cognito)) == 1


def test_a_table_that_fails_stops_no_mail(service: Service) -> None:
    service.configure(mail_from=FROM, table_name="a-table-that-is-not-there")
    work = service.finish(UPDATE)

    assert len(mails(service.cognito)) == 1
    assert work.metrics == {"Success", "IdempotencyFailed"}


def test_a_table_that_fails_later_makes_no_failure_of_a_mail_that_was_sent(
    dynamodb: DynamoDBClient, service: Service
) -> None:
    def respond(action: str, _: object) -> dict[str, Any]:
        if action == "SendEmail":
            dynamodb.delete_table(TableName=SETTINGS.table_name)
        return make_user() | {"MessageId": "a-mail"}

    service.invoke(UPDATE)
    service.cognito.respond = respond

    assert service.work().metrics == {"Success", "IdempotencyFailed"}


RANGES = [
    ("de-AT", "de"),
    ("pt_BR", "pt"),
    ("JA", "ja"),
    ("zh-Hant-TW", ""),
    ("../en", ""),
    ("", ""),
    # RFC 9110 §12.5.4: the highest weight, and of equal ones the first.
    ("de-CH, fr;q=0.9, en;q=0.8", "de"),
    ("en;q=0.8,fr;q=0.9", "fr"),
    ("de, fr;q=1.0, en", "de"),
    ("it-IT, es-419;q=0.7 , en ; q=0.3", "es"),
    ("fr;q=0, en;q=0.001", "en"),
    ("ja;q=0.5, *;q=0.9", "ja"),
    ("*", ""),
    ("de;q=0", ""),
    ("de;q=2, fr;q=0.1234, es;level=1, pt;q=0.2", "pt"),  # the others are malformed
    ("german, e\u017f, fr-", ""),
]
"""Values of `Accept-Language` and of a profile's `locale`, and the language that they ask for."""


@pytest.mark.parametrize("operation", [RESET, UPDATE], ids=lambda one: one.id)
@pytest.mark.parametrize(("accepted", "language"), RANGES)
def test_a_mail_is_in_the_language_of_the_request_and_no_response_is(
    operation: Operation, accepted: str, language: str, service: Service
) -> None:
    service.configure(mail_from=FROM, mail_unknown_addresses=True)
    service.cognito.answer("AdminGetUser", error="UserNotFoundException")
    service.cognito.answer("ListUsers", body={"Users": []})
    body = {name: value for name, value in BODIES[operation].items() if name != "options"}
    plain = service.invoke(operation, body)
    service.cognito.reset()
    service.cognito.answer("AdminGetUser", error="UserNotFoundException")
    service.cognito.answer("ListUsers", body={"Users": []})
    reply = service.invoke(operation, body, headers={"Accept-Language": accepted})
    assert (reply.status, reply.headers, reply.text) == (plain.status, plain.headers, plain.text)

    service.work()

    assert language_of(service.cognito) == (language or "en")


def language_of(cognito: CognitoFront) -> str:
    """The language of the one mail."""
    (mail,) = mails(cognito)
    simple = mail["Content"]["Simple"]
    (language,) = re.findall(r'<html lang="(\w+)"', simple["Body"]["Html"]["Data"])
    assert simple["Subject"]["Data"] in {TEXTS[language][one][0] for one in Mail}
    return str(language)


@pytest.mark.parametrize(("locale", "language"), RANGES)
def test_the_language_of_the_profile_comes_first(
    locale: str, language: str, service: Service
) -> None:
    service.cognito.answer("GetUser", body=make_user(locale=locale))
    service.finish(UPDATE, headers={"Accept-Language": "fr"})

    assert language_of(service.cognito) == (language or "fr")


@pytest.mark.parametrize(
    ("given", "locale"),
    [
        ({}, "de"),
        ({"locale": "ja-JP"}, "ja-JP"),  # as the caller chose it
        ({"locale": "it"}, "it"),
        ({str(n): "" for n in range(10)}, "de"),
    ],
)
def test_a_trigger_is_told_the_language_unless_the_caller_told_one(
    given: dict[str, str], locale: str, service: Service
) -> None:
    accepted = {"Accept-Language": "de-CH"}
    options = {"options": {"clientMetadata": given}}
    service.finish(RESET, BODIES[RESET] | options, headers=accepted)
    service.invoke(CONFIRM, BODIES[CONFIRM] | options, headers=accepted)
    service.work()
    service.configure(resend_invitations=True)
    service.cognito.answer("AdminGetUser", body=make_user("FORCE_CHANGE_PASSWORD"))
    service.finish(RESET, BODIES[RESET] | options, headers=accepted)

    told = {
        one.action: one.body["ClientMetadata"]
        for one in service.cognito.requests
        if "ClientMetadata" in one.body
    }
    language = choose_language(locale)
    assert told == {
        RESET.action: given | {"locale": locale},
        CONFIRM.action: given | {"locale": locale},
        "AdminCreateUser": {"locale": language} if language else {},
    }


def test_a_message_without_a_language_is_of_an_older_version(service: Service) -> None:
    service.invoke(UPDATE, headers={"Accept-Language": "de"})
    message = queued(service.cognito)
    body = json.loads(message["body"])
    assert body.pop("language") == "de"
    service.deployment.work(make_message(json.dumps(body)))

    assert language_of(service.cognito) == "en"


def read_languages(folder: str) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text()) for file in (ROOT / folder).glob("*.json")}


def placeholders(texts: Any, path: str = "") -> dict[str, set[str | None]]:
    """Return the placeholders of each text, by the text's path."""
    if isinstance(texts, str):
        return {path: {name for _, name, _, _ in string.Formatter().parse(texts)} - {None}}
    named = texts.items() if isinstance(texts, dict) else enumerate(texts)
    found = [placeholders(text, f"{path}.{name}".lstrip(".")) for name, text in named]
    return {path: names for one in found for path, names in one.items()}


@pytest.mark.parametrize("folder", ["functions/languages", "web/languages"])
def test_every_language_has_the_same_texts_with_the_same_placeholders(folder: str) -> None:
    languages = {name: placeholders(texts) for name, texts in read_languages(folder).items()}
    english = languages["en"]
    missing = [
        f"{name}: {path}" for name, own in languages.items() for path in english.keys() - own
    ]
    wrong = [
        f"{name}: {path}"
        for name, own in languages.items()
        for path in own
        if own[path] != english.get(path)
    ]

    assert set(languages) == set(LANGUAGES)
    assert not missing, f"users read these in English: {', '.join(missing)}"
    assert not wrong, f"these have other placeholders than in English: {', '.join(wrong)}"


def test_a_mail_says_where_help_is_and_its_settings_reach_ses(service: Service) -> None:
    url = "https://example.com/help?a=1&b=2"
    service.configure(
        mail_from=FROM,
        mail_name="Müller & Co",
        mail_reply_to="help@example.com",
        mail_configuration_set="passwords",
        support_url=url,
    )
    service.finish(UPDATE)

    (mail,) = mails(service.cognito)
    assert mail["FromEmailAddress"] == f"=?utf-8?b?TcO8bGxlciAmIENv?= <{FROM}>"
    assert mail["Content"]["Simple"]["Subject"]["Data"].startswith("Müller & Co: ")
    assert mail["ReplyToAddresses"] == ["help@example.com"]
    assert mail["ConfigurationSetName"] == "passwords"
    assert f"If it was not you, get help now.\n\nGet help: {url}\n" in text(mail)
    html = mail["Content"]["Simple"]["Body"]["Html"]["Data"]
    assert html.count('href="https://example.com/help?a=1&amp;b=2"') == 1
    assert html.count("http") == 1, "nothing else is remote"
    assert "<p " in html
    assert "Müller &amp; Co" in html
