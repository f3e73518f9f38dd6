"""Users for whom Cognito has no code get what helps them, and no caller sees a difference."""

import json
from typing import Any

import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from functions.operations import Operation
from functions.worker.dead_ends import MAILS_TO_STRANGERS, PAUSE
from tests.support.front import CognitoFront, Refusal, make_user
from tests.support.invocation import SUB, USERNAME
from tests.unit.conftest import Configure, Service
from tests.unit.test_mails import FROM, mails, text

RESET = Operation.RESET_PASSWORD
INVITED = make_user("FORCE_CHANGE_PASSWORD")
FEDERATED = make_user("EXTERNAL_PROVIDER")
UNCONFIRMED = make_user("UNCONFIRMED", email_verified="false")
UNVERIFIED = make_user(email_verified="false")
UNVERIFIED_WITH_PHONE = make_user(email_verified="false", phone_number_verified="true")
NOBODY: dict[str, Any] = {"error": "UserNotFoundException"}
ON: dict[str, Any] = {"event_bus_name": "the-bus", "mail_from": FROM, "resend_invitations": True}


def acts(cognito: CognitoFront) -> list[str]:
    """Return the actions that were done for the user."""
    looks = {"AdminGetUser", "ListUsers", "DescribeUserPoolClient"}
    return [one.action for one in cognito.requests if one.action not in looks]


def reason(cognito: CognitoFront) -> str:
    (request,) = (one for one in cognito.requests if one.action == "PutEvents")
    (entry,) = request.body["Entries"]
    assert entry["DetailType"] == "Password Reset Undeliverable"
    detail = json.loads(entry["Detail"])
    assert (detail["username"], detail["sub"]) == (USERNAME, SUB)
    name: str = detail["reason"]
    return name


def recipient(mail: dict[str, Any]) -> str:
    (address,) = mail["Destination"]["ToAddresses"]
    return str(address)


def only(service: Service, name: str, user: dict[str, Any]) -> None:
    """Play a pool that minds the case of names and has one user."""

    def respond(action: str, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("Username", name) != name:
            raise Refusal("UserNotFoundException", "")
        answers: dict[str, dict[str, Any]] = {
            "DescribeUserPoolClient": {"UserPoolClient": {}},
            "ListUsers": {"Users": []},
            "PutEvents": {"FailedEntryCount": 0},
        }
        return answers.get(action, user | {"MessageId": "a-mail"})

    service.cognito.respond = respond


def found(*users: dict[str, Any]) -> dict[str, Any]:
    """The answer of ListUsers."""
    return {"Users": [user | {"Attributes": user["UserAttributes"]} for user in users]}


@pytest.fixture(autouse=True)
def helping(configure: Configure, dynamodb: DynamoDBClient) -> None:
    configure(**ON)


@pytest.mark.parametrize(
    ("user", "act", "cause"),
    [
        (INVITED, "AdminCreateUser", "Invited"),
        (FEDERATED, "SendEmail", "Federated"),
        (UNCONFIRMED, "ResendConfirmationCode SendEmail", "Unconfirmed"),
        (UNVERIFIED, "PutEvents", "NoVerifiedAddress"),
    ],
    ids=["invited", "federated", "unconfirmed", "unverified"],
)
def test_users_to_whom_cognito_sends_no_code_get_help(
    user: dict[str, Any], act: str, cause: str, service: Service
) -> None:
    usual = service.invoke(RESET)
    service.work()
    service.cognito.reset()
    service.cognito.answer("AdminGetUser", body=user)

    reply = service.invoke(RESET)
    work = service.work()

    assert (reply.status, reply.text) == (usual.status, usual.text)
    assert acts(service.cognito) == act.split()
    assert work.body["batchItemFailures"] == []
    assert work.metrics >= {cause, "Hidden"}
    assert work.log["level"] == "WARNING"


@pytest.mark.parametrize(
    ("user", "name"),
    [(INVITED, USERNAME), (INVITED | {"Username": "demo"}, "demo")],
    ids=["a pool with addresses alone", "a pool with usernames"],
)
def test_an_invitation_names_the_user_as_the_pool_does(
    user: dict[str, Any], name: str, service: Service
) -> None:
    service.cognito.answer("AdminGetUser", body=user)
    service.finish(RESET)

    assert service.cognito.requests[-1].body == {
        "UserPoolId": service.deployment.settings.user_pool_id,
        "Username": name,
        "MessageAction": "RESEND",
        "ClientMetadata": {"locale": "en"},
        "DesiredDeliveryMediums": ["EMAIL"],
    }


@pytest.mark.parametrize("user", [INVITED, FEDERATED, UNCONFIRMED])
def test_one_name_gets_one_mail_in_ten_minutes(user: dict[str, Any], service: Service) -> None:
    service.cognito.answer("AdminGetUser", body=user)
    service.finish(RESET)
    first = acts(service.cognito)
    service.clock.now += PAUSE - 1
    service.finish(RESET)
    assert acts(service.cognito) == first
    service.clock.now += 2
    service.finish(RESET)

    assert acts(service.cognito) == first * 2


@pytest.mark.parametrize("settings", [{}, ON])
def test_a_user_who_never_confirmed_gets_the_sign_up_code_whatever_the_settings_are(
    settings: dict[str, Any], service: Service
) -> None:
    service.configure(**settings)
    service.cognito.answer("AdminGetUser", body=UNCONFIRMED | {"Username": "demo"})
    body = {"username": USERNAME, "options": {"clientMetadata": {"shop": "berlin"}}}
    service.finish(RESET, body)

    (code,) = (
        one.body for one in service.cognito.requests if one.action == "ResendConfirmationCode"
    )
    assert (code["Username"], code["ClientMetadata"]) == ("demo", {"shop": "berlin"})
    assert "SecretHash" in code
    assert [recipient(one) for one in mails(service.cognito)] == ([USERNAME] if settings else [])


@pytest.mark.parametrize("action", ["ResendConfirmationCode", "SendEmail"])
def test_an_operator_is_told_about_a_user_to_whom_nothing_can_be_sent_again(
    action: str, service: Service
) -> None:
    """The pool verifies no addresses, or SES refuses the one that somebody typed."""
    error = {"SendEmail": "BadRequestException"}.get(action, "InvalidParameterException")
    service.cognito.answer("AdminGetUser", body=UNCONFIRMED)
    service.cognito.answer(action, error=error)
    work = service.finish(RESET)

    assert work.body["batchItemFailures"] == []
    assert reason(service.cognito) == work.log["cause"]
    assert work.log["cause"] == ("MailRefused" if action == "SendEmail" else "Unconfirmed")


@pytest.mark.parametrize(
    ("user", "off", "asked", "cause"),
    [
        (INVITED, {"resend_invitations": False}, [], "Invited"),
        (FEDERATED, {"mail_from": ""}, [], "Federated"),
        (make_user("EXTERNAL_PROVIDER", email_verified="false"), {}, [], "Federated"),
        # Cognito only claims to have sent a code.
        (UNVERIFIED_WITH_PHONE, {}, [RESET.action], "NoVerifiedAddress"),
    ],
    ids=["invited", "federated", "federated without a verified address", "with a phone"],
)
def test_an_operator_is_told_about_users_who_cannot_be_helped(
    user: dict[str, Any], off: dict[str, Any], asked: list[str], cause: str, service: Service
) -> None:
    service.configure(**ON | off)
    service.cognito.answer("AdminGetUser", body=user)
    assert cause in service.finish(RESET).metrics
    assert (acts(service.cognito), reason(service.cognito)) == ([*asked, "PutEvents"], cause)


def test_an_address_that_the_pool_cannot_use_is_told_to_an_operator(service: Service) -> None:
    service.cognito.answer(RESET.action, error="InvalidParameterException")
    assert "NoVerifiedAddress" in service.finish(RESET).metrics
    assert reason(service.cognito) == "NoVerifiedAddress"


@pytest.mark.parametrize(
    "user",
    [
        make_user(),
        make_user("RESET_REQUIRED"),
        make_user(phone_number_verified="true"),
        make_user("FORCE_CHANGE_PASSWORD", enabled=False),
    ],
    ids=["confirmed", "to be reset", "with a phone", "disabled"],
)
def test_everybody_else_is_left_to_cognito(user: dict[str, Any], service: Service) -> None:
    service.cognito.answer("AdminGetUser", body=user)
    assert service.finish(RESET).metrics == {"Success"}
    assert acts(service.cognito) == [RESET.action]


@pytest.mark.parametrize("hidden", [True, False], ids=["Cognito hides it", "Cognito says it"])
@pytest.mark.parametrize("told", [True, False])
def test_an_unknown_address_is_told_only_if_the_setting_says_so(
    hidden: bool, told: bool, service: Service
) -> None:
    service.configure(**ON, mail_unknown_addresses=told)
    service.cognito.answer("AdminGetUser", **NOBODY)
    if not hidden:
        service.cognito.answer(RESET.action, **NOBODY)
    work = service.finish(RESET)

    assert work.metrics == {"UserNotFoundException", "Hidden"}
    assert acts(service.cognito) == [RESET.action, *(["SendEmail"] if told else [])]


def test_a_user_whom_a_trigger_brings_from_elsewhere_gets_a_code_alone(service: Service) -> None:
    service.configure(**ON, mail_unknown_addresses=True)
    service.cognito.answer("AdminGetUser", **NOBODY, times=1)
    service.cognito.answer("AdminGetUser", body=make_user())
    assert service.finish(RESET).metrics == {"Success"}
    assert acts(service.cognito) == [RESET.action]


@pytest.mark.parametrize(
    ("users", "off", "act", "cause"),
    [
        ([FEDERATED], {}, "SendEmail", "Federated"),
        ([FEDERATED], {"mail_from": ""}, "PutEvents", "Federated"),
        ([make_user("EXTERNAL_PROVIDER", email_verified="false")], {}, "PutEvents", "Federated"),
        ([make_user()], {}, "PutEvents", "NotASignInName"),
        ([UNVERIFIED], {}, "PutEvents", "NoVerifiedAddress"),
        ([INVITED], {}, "AdminCreateUser", "Invited"),
        ([make_user("EXTERNAL_PROVIDER", enabled=False)], {}, "", "UserNotFoundException"),
        ([make_user("EXTERNAL_PROVIDER", enabled=False), FEDERATED], {}, "SendEmail", "Federated"),
    ],
)
def test_who_cannot_sign_in_by_the_address_is_found_by_it(
    users: list[dict[str, Any]], off: dict[str, Any], act: str, cause: str, service: Service
) -> None:
    service.configure(**ON | {"mail_unknown_addresses": True} | off)
    service.cognito.answer("AdminGetUser", **NOBODY)
    service.cognito.answer("ListUsers", body=found(*users))
    work = service.finish(RESET)

    assert work.metrics == {cause, "Hidden"} | ({work.log["outcome"]})
    assert acts(service.cognito) == [RESET.action, *([act] if act else [])]
    (search,) = (one.body for one in service.cognito.requests if one.action == "ListUsers")
    assert search["Filter"] == 'email = "demo@example.com"'


def named(name: str, **attributes: Any) -> dict[str, Any]:
    """A user with a username of their own."""
    return make_user(**attributes) | {"Username": name}


@pytest.mark.parametrize(
    ("users", "names"),
    [
        ([named("ann")], "ann"),
        ([named("zoe"), named("ann")], "ann, zoe"),
        ([named("eve", email_verified="false", phone_number_verified="true"), named("ann")], "ann"),
        ([named("old", enabled=False), named("ann")], "ann"),
        ([FEDERATED, named("ann")], "ann"),
        ([make_user(), named("ann")], "ann"),
    ],
    ids=["one", "two", "claimed", "disabled", "federated", "sub"],
)
def test_the_names_of_local_users_are_mailed_to_the_verified_address_that_is_stored(
    users: list[dict[str, Any]], names: str, service: Service
) -> None:
    for user in users:
        for attribute in user["UserAttributes"]:
            if attribute["Name"] == "email":
                attribute["Value"] = "stored@example.com"
    body = {"username": "typed@example.com"}
    usual = service.invoke(RESET, body)
    service.cognito.reset()
    service.cognito.answer("AdminGetUser", **NOBODY)
    service.cognito.answer("ListUsers", body=found(*users))
    assert service.invoke(RESET, body)[:3] == usual[:3]
    works = [service.work(), service.finish(RESET, body)]

    (mail,) = mails(service.cognito)
    assert recipient(mail) == "stored@example.com"
    assert f"different name or spelling: {names}\n" in text(mail)
    assert not [one for one in (SUB, "typed") if one in json.dumps(mail)]
    assert "PutEvents" not in acts(service.cognito)
    for work in works:
        assert work.body["batchItemFailures"] == []
        assert work.log["cause"] == "NotASignInName"


def test_a_user_is_found_behind_pages_of_others_who_claim_the_address(service: Service) -> None:
    service.cognito.answer("AdminGetUser", **NOBODY)
    claimed = [named(f"eve{n}", email_verified="false") for n in range(60)]
    for users in ([], claimed):
        page = found(*users) | {"PaginationToken": f"after {len(users)}"}
        service.cognito.answer("ListUsers", body=page, times=1)
    service.cognito.answer("ListUsers", body=found(named("ann")))
    service.finish(RESET)

    asked = [one.body for one in service.cognito.requests if one.action == "ListUsers"]
    assert [one.get("PaginationToken") for one in asked] == [None, "after 0", "after 60"]
    (mail,) = mails(service.cognito)
    assert "different name or spelling: ann\n" in text(mail)


def test_a_search_without_an_end_is_given_up(service: Service) -> None:
    service.cognito.answer("AdminGetUser", **NOBODY)
    service.cognito.answer("ListUsers", body=found() | {"PaginationToken": "more"})
    assert service.finish(RESET).body["batchItemFailures"] == []


def test_an_address_is_not_told_the_names_of_another(service: Service) -> None:
    service.cognito.answer("AdminGetUser", **NOBODY)
    users = named("ann", email="ann@example.com"), named("eve", email="Ann@example.com")
    service.cognito.answer("ListUsers", body=found(*users))
    service.finish(RESET)

    (mail,) = mails(service.cognito)
    assert recipient(mail) == "ann@example.com"
    assert "different name or spelling: ann\n" in text(mail)


@pytest.mark.parametrize("mail_from", [FROM, ""])
@pytest.mark.parametrize("typed", ["Ann", "Ann@Example.com"])
def test_a_pool_that_minds_the_case_is_asked_as_typed_and_then_in_lower_case(
    typed: str, mail_from: str, service: Service
) -> None:
    service.configure(**ON | {"lower_case_usernames": False, "mail_from": mail_from})
    only(service, typed.lower(), make_user(email="ann@example.com"))
    work = service.finish(RESET, {"username": typed})

    names = [one.body["Username"] for one in service.cognito.requests if "Username" in one.body]
    assert names == [typed, typed, typed.lower()]
    assert work.log["cause"] == "NotASignInName"
    assert acts(service.cognito) == [RESET.action, "SendEmail" if mail_from else "PutEvents"]
    for mail in mails(service.cognito):
        assert recipient(mail) == "ann@example.com"
        assert f"different name or spelling: {typed.lower()}\n" in text(mail)


def test_a_user_who_is_told_another_spelling_can_use_it_at_once_and_once(service: Service) -> None:
    service.configure(**ON | {"lower_case_usernames": False, "code_pause": 60})
    only(service, "ann", make_user(email="ann@example.com") | {"Username": "ann"})
    typed = ("Ann", "Ann", "ann", "ann", "ANN")
    causes = [service.finish(RESET, {"username": name}).log.get("cause") for name in typed]

    repeated = "ResetRepeated"
    assert causes == ["NotASignInName", repeated, None, repeated, repeated]


def test_a_name_in_one_spelling_is_not_reset_at_once_in_another(service: Service) -> None:
    service.configure(**ON | {"lower_case_usernames": False, "code_pause": 60})
    causes = [service.finish(RESET, {"username": one}).log.get("cause") for one in ("Ann", "ann")]

    assert causes == [None, "ResetRepeated"]


def test_an_address_that_is_told_its_names_is_not_searched_for_again_at_once(
    service: Service,
) -> None:
    service.configure(**ON | {"lower_case_usernames": False, "code_pause": 60})
    service.cognito.answer("AdminGetUser", **NOBODY)
    service.cognito.answer("ListUsers", body=found(named("ann")))
    causes = [service.finish(RESET).log["cause"] for _ in range(2)]

    assert causes == ["NotASignInName", "ResetRepeated"]


def test_a_user_who_typed_other_letters_gets_the_help_of_the_right_ones(service: Service) -> None:
    service.configure(**ON | {"lower_case_usernames": False})
    only(service, USERNAME, INVITED)
    service.finish(RESET, {"username": USERNAME.title()})

    assert service.cognito.requests[-1].action == "AdminCreateUser"
    assert service.cognito.requests[-1].body["Username"] == USERNAME


def test_a_name_in_other_letters_gets_no_second_mail(service: Service) -> None:
    service.configure(**ON, mail_unknown_addresses=True, lower_case_usernames=False)
    service.cognito.answer("AdminGetUser", **NOBODY)
    for name in ("eve@example.com", "Eve@Example.com"):
        service.finish(RESET, {"username": name})
    assert len(mails(service.cognito)) == 1


def test_the_spellings_of_a_mailbox_get_one_mail_that_repeats_nothing_of_them(
    service: Service,
) -> None:
    service.configure(**ON, mail_unknown_addresses=True)
    service.cognito.answer("AdminGetUser", **NOBODY)
    for name in ("call.0900", "call.0900+1", "CALL0900+a.b", "c.all0900"):
        service.finish(RESET, {"username": f"{name}@example.net"})
    (mail,) = mails(service.cognito)
    service.finish(RESET, {"username": "call.0900@example.org"})

    assert len(mails(service.cognito)) == 2
    assert not [typed for typed in ("0900", "example.net") if typed in json.dumps(mail["Content"])]


@pytest.mark.parametrize("table", ["the-table", "a-table-that-is-not-there"])
def test_addresses_without_an_account_share_a_budget_of_mails(table: str, service: Service) -> None:
    service.configure(**ON, mail_unknown_addresses=True, table_name=table)
    service.cognito.answer("AdminGetUser", **NOBODY)
    for n in range(MAILS_TO_STRANGERS + 1):
        service.finish(RESET, {"username": f"eve{n}@example.com"})

    assert len(mails(service.cognito)) == (MAILS_TO_STRANGERS if table == "the-table" else 0)


@pytest.mark.parametrize(
    "name",
    ["demo", '"@example.com', "\\@example.com", "a@b.com,c@d.com", "a@b@c", "a@-"],
)
def test_a_name_that_is_no_plain_address_is_neither_searched_for_nor_mailed(
    name: str, service: Service
) -> None:
    service.configure(**ON, mail_unknown_addresses=True)
    service.cognito.answer("AdminGetUser", **NOBODY)
    service.finish(RESET, {"username": name})

    assert not {"ListUsers", "SendEmail"} & {one.action for one in service.cognito.requests}


def test_an_address_is_searched_for_as_typed_and_then_in_lower_case(service: Service) -> None:
    service.configure(**ON | {"lower_case_usernames": False})
    service.cognito.answer("AdminGetUser", **NOBODY)
    service.cognito.answer("ListUsers", body=found(), times=1)
    service.cognito.answer("ListUsers", body=found(named("ann")))
    service.finish(RESET, {"username": "Demo@example.com"})

    searches = [one.body["Filter"] for one in service.cognito.requests if "Filter" in one.body]
    assert searches == ['email = "Demo@example.com"', 'email = "demo@example.com"']
    assert len(mails(service.cognito)) == 1


def test_nobody_who_exists_reads_that_they_have_no_account(service: Service) -> None:
    service.configure(**ON, mail_unknown_addresses=True)
    service.cognito.answer(RESET.action, **NOBODY)
    service.finish(RESET)

    assert mails(service.cognito) == []


def test_a_look_up_that_fails_is_made_again(service: Service) -> None:
    service.cognito.answer("AdminGetUser", error="InternalErrorException", status=500)
    assert len(service.finish(RESET).body["batchItemFailures"]) == 1
    assert acts(service.cognito)[0] != RESET.action


@pytest.mark.parametrize(
    "trouble",
    [{"error": "CodeDeliveryFailureException"}, {"reset": True}],
    ids=["known", "unknown"],
)
@pytest.mark.parametrize(
    ("user", "action"),
    [(INVITED, "AdminCreateUser"), (UNCONFIRMED, "ResendConfirmationCode")],
    ids=["invitation", "sign-up code"],
)
def test_what_cognito_failed_to_send_again_is_sent_later(
    trouble: dict[str, Any], user: dict[str, Any], action: str, service: Service
) -> None:
    service.cognito.answer("AdminGetUser", body=user)
    service.cognito.answer(action, **trouble, times=1)
    service.cognito.answer(action, body={})
    works = []
    for _ in range(2):
        service.invoke(RESET)
        works.append(service.work())

    assert [len(work.body["batchItemFailures"]) for work in works] == [1, 0]
    assert acts(service.cognito).count(action) == 2


def test_a_mail_that_failed_is_sent_later_and_the_code_before_it_is_not(service: Service) -> None:
    service.cognito.answer("AdminGetUser", body=UNCONFIRMED)
    service.cognito.answer("SendEmail", error="SendingPausedException", times=1)
    works = [service.finish(RESET) for _ in range(2)]

    assert [len(work.body["batchItemFailures"]) for work in works] == [1, 0]
    assert [one for one in acts(service.cognito) if one != "ChangeMessageVisibility"] == [
        *("ResendConfirmationCode", "SendEmail", "SendEmail")
    ]


def test_without_an_event_bus_nobody_is_told(service: Service) -> None:
    service.configure(mail_from=FROM)
    service.cognito.answer("AdminGetUser", body=UNVERIFIED)
    assert "NoVerifiedAddress" in service.finish(RESET).metrics
    assert acts(service.cognito) == []
