"""The page of `make run` in Chromium, before the deployed stack."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from html import unescape
from runpy import run_path
from typing import Any
from urllib.parse import urldefrag

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Route, expect

from functions.operations import Operation
from functions.problems import (
    ATTEMPTS_EXCEEDED,
    CODE_REFUSED,
    CONFIRM_USERNAME_MISSING,
    NOT_SIGNED_IN,
    OUTCOME_UNKNOWN,
    PASSWORD_REFUSED,
    PROBLEMS,
    RESET_USERNAME_MISSING,
    TOO_MANY_REQUESTS,
    UPDATE_PASSWORD_MISSING,
    WRONG_PASSWORD,
    FieldError,
    Problem,
)
from local.breaches import PASSWORDS
from local.processes import ROOT
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD, Fronts, acted
from tests.support.chromium import ORIGIN, chromium
from tests.support.front import CognitoFront

# The machine may be busy with other checks.
expect.set_options(timeout=30_000)

THIRD = "a-third-quiet-harbour-53"
NOBODY = "nobody@example.com"
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
PHONE = 320
"""Pixels: what is 1280 wide at a zoom of 400 % (WCAG 2.2, 1.4.10)."""


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    with chromium(stack) as browser:
        yield browser


@pytest.fixture
def said(stack: Stack) -> Iterator[list[str]]:
    """The browser's console messages; a test that expects some clears them.

    Chromium always writes a line about a response that is not a success.
    """
    said: list[str] = []
    yield said
    assert not [text for text in said if not text.startswith(f"{stack.url}/: ")]


@pytest.fixture
def page(browser: Browser, stack: Stack, user: User, said: list[str]) -> Iterator[Page]:
    def hear(message: ConsoleMessage) -> None:
        url = message.location["url"]
        failed = message.text.startswith("Failed to load resource: ")
        asked = url.startswith(stack.url) or url == f"{ORIGIN}/local/sign-in"
        said.append(f"{stack.url}/: {message.text}" if failed and asked else message.text)

    with browser.new_context(viewport={"width": 1280, "height": 960}) as context:
        page = context.new_page()
        page.on("console", hear)
        page.on("pageerror", lambda error: said.append(str(error)))
        visit(page, user)
        yield page


def visit(page: Page, user: User) -> None:
    page.goto(ORIGIN)
    expect(page.locator("#demo-username")).not_to_be_empty()
    expect(page.locator("#confirm .rules li")).not_to_have_count(0)
    page.locator("#request-username").fill(user.username)


def fill(page: Page, form: str, **values: str) -> None:
    for name, value in values.items():
        page.locator(f"#{form} [name={name}]").fill(value)


def submit(page: Page, form: str, **values: str) -> Locator:
    """Press the form's button, and return the element that shows a problem."""
    fill(page, form, **values)
    page.locator(f"#{form} [type=submit]").click()
    return page.locator(f"#{form} .problem")


def sign_in(page: Page, user: User) -> None:
    submit(page, "sign-in", password=user.password)
    expect(page.locator("#update-username")).to_have_value(user.username)


def answer(page: Page, stack: Stack, problem: Problem) -> None:
    """Make the browser receive this answer instead of the service's."""
    headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
    page.route(
        f"{stack.url}/**",
        lambda route: route.fulfill(
            status=problem.status,
            headers=problem.headers | headers,
            body=json.dumps(problem.document("a-request")),
        ),
    )


def check(shown: Locator, problem: Problem) -> None:
    expect(shown).to_contain_text(f"{problem.code} · {problem.status}")
    expect(shown).to_contain_text(problem.detail)
    expect(shown).to_contain_text(problem.recovery_suggestion)


def rules(page: Page, form: str) -> dict[str, str]:
    """The state of each, as it is read aloud."""
    texts = page.locator(f"#{form} .rules li").all_text_contents()
    return {text: state for state, _, text in (one.partition(": ") for one in texts)}


def unmet(page: Page, form: str) -> list[str]:
    return [text for text, state in rules(page, form).items() if state == "Not met"]


def audit(page: Page) -> None:
    """Assert that axe-core finds nothing, and that nothing is wider than the window."""
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(({ violations }) => violations)")
    assert not [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_whole_story_is_told_by_keyboard_alone(
    page: Page, stack: Stack, user: User, said: list[str]
) -> None:
    page.reload()
    expect(page.locator("#demo-username")).not_to_be_empty()
    page.keyboard.press("Tab")
    expect(page.locator("#request-username")).to_be_focused()
    page.keyboard.press("Control+A")
    page.keyboard.type(user.username)
    page.keyboard.press("Enter")
    expect(page.locator("#confirm-code")).to_be_focused()
    expect(page.locator("#request .status")).to_contain_text("a***@e***")
    code = page.locator("#inbox code").text_content()
    assert code
    page.keyboard.type(code)
    page.keyboard.press("Tab")
    page.keyboard.type(NEW)
    page.keyboard.press("Enter")
    expect(page.locator("#sign-in-password")).to_be_focused()
    page.keyboard.type(NEW)
    page.keyboard.press("Enter")
    expect(page.locator("#update-old-password")).to_be_focused()
    page.keyboard.type(NEW)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type(THIRD)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")

    done = page.locator("#update .status")
    expect(done).to_have_text("The password is changed, and every session has ended.")
    expect(page.locator("#update-username")).to_have_value("")
    assert stack.sign_in(User(user.username, THIRD))
    assert said == []


def test_what_was_typed_stands_in_no_url_history_referrer_cookie_or_storage(
    page: Page, stack: Stack, user: User
) -> None:
    sent: list[dict[str, str]] = []
    page.on("request", lambda one: sent.append({"url": one.url} | one.all_headers()))
    length = page.evaluate("history.length")

    submit(page, "request")
    page.get_by_role("button", name="Use it").click()
    code = page.locator("#confirm-code").input_value()
    submit(page, "confirm", newPassword=NEW)
    expect(page.locator("#confirm .status")).to_contain_text("set")
    sign_in(page, User(user.username, NEW))

    assert len(code) == 6
    assert (page.url, page.evaluate("history.length")) == (f"{ORIGIN}/", length)
    assert {stack.url + operation.path for operation in list(Operation)[:2]} <= {
        one["url"] for one in sent
    }
    assert not [one for one in sent if "referer" in one or code in one["url"] or NEW in one["url"]]
    assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == [
        "",
        0,
        0,
    ]


@pytest.mark.parametrize("opened", ["about:blank", ORIGIN])
def test_the_link_of_a_mail_fills_in_the_code_and_leaves_no_trace_of_it(
    page: Page, stack: Stack, user: User, opened: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = stack.request_code(user.username)
    monkeypatch.setenv("RESET_PAGE", ORIGIN)
    trigger = run_path(str(ROOT / "examples/custom_message_trigger/handler.py"))["handler"]
    event = {
        "triggerSource": "CustomMessage_ForgotPassword",
        "request": {"userAttributes": {"email": user.username}, "codeParameter": "{####}"},
        "response": {},
    }
    mail = trigger(event, None)["response"]["emailMessage"].replace("{####}", code)
    page.goto(opened)
    sent: list[str] = []
    page.on(
        "request",
        lambda one: sent.append(f"{urldefrag(one.url)[0]} {one.all_headers()} {one.post_data}"),
    )

    page.goto(unescape(mail.split('href="')[1].split('"')[0]))

    expect(page.locator("#confirm-code")).to_have_value(code)
    expect(page.locator("#confirm-code")).to_be_focused()
    expect(page.locator("#confirm-username")).to_have_value(user.username)
    expect(page.locator("#demo-username")).not_to_be_empty()
    assert page.url == f"{ORIGIN}/"
    assert not [one for one in sent if code in one]
    submit(page, "confirm", newPassword=NEW)
    expect(page.locator("#confirm .status")).to_contain_text("The password is set")


def test_the_log_masks_every_secret_until_it_is_told_not_to(
    page: Page, stack: Stack, user: User
) -> None:
    expect(submit(page, "sign-in", password=THIRD)).not_to_be_empty()
    sign_in(page, user)
    submit(page, "confirm", confirmationCode="123456", newPassword="short")
    expect(page.locator("#confirm .problem")).to_contain_text("InvalidPasswordException")
    submit(page, "update", oldPassword=OLD, newPassword=NEW)
    expect(page.locator("#update .status")).to_contain_text("changed")
    log = page.locator("#requests")
    secrets = (THIRD, OLD, NEW, "123456", '"short"', "eyJ")

    masked = log.inner_html()
    page.get_by_role("button", name="Show passwords, codes and tokens").press("Enter")
    shown = log.inner_html()
    page.get_by_role("button", name="Show passwords, codes and tokens").press("Enter")

    assert [secret in masked for secret in secrets] == [False] * len(secrets)
    assert [secret in shown for secret in secrets] == [True] * len(secrets)
    assert log.inner_html() == masked
    titles = log.locator("summary").all_text_contents()
    assert titles == [
        "POST /update-password → 204",
        "POST /confirm-reset-password → 400",
        "POST /local/sign-in → 200",
        "POST /local/sign-in → 401",
    ]
    assert "Idempotency-Key: " in masked
    assert user.username in masked


def test_every_problem_is_shown_with_its_advice(page: Page, stack: Stack) -> None:
    button = page.locator("#request [type=submit]")
    for problem in PROBLEMS:
        answer(page, stack, problem)

        shown = submit(page, "request", username=f"{problem.slug}@example.com")

        check(shown, problem)
        expect(shown).to_contain_text("a-request")
        expect(button).to_be_disabled() if problem.retry_after else expect(button).to_be_enabled()
        page.unroute_all()


MISTAKES: list[tuple[str, dict[str, str], Problem, list[str]]] = [
    ("request", {"username": ""}, RESET_USERNAME_MISSING, ["username"]),
    (
        "confirm",
        {"username": "", "confirmationCode": "", "newPassword": ""},
        CONFIRM_USERNAME_MISSING,
        ["username", "confirmationCode", "newPassword"],
    ),
    (
        "confirm",
        {"username": NOBODY, "confirmationCode": "000000", "newPassword": NEW},
        CODE_REFUSED,
        [],
    ),
    (
        "confirm",
        {"username": NOBODY, "confirmationCode": "000000", "newPassword": "ada "},
        PASSWORD_REFUSED,
        ["newPassword"],
    ),
    ("update", {"oldPassword": THIRD, "newPassword": NEW}, WRONG_PASSWORD, []),
    (
        "update",
        {"oldPassword": "", "newPassword": ""},
        UPDATE_PASSWORD_MISSING,
        ["oldPassword", "newPassword"],
    ),
]


def test_a_mistake_is_shown_beside_its_field_which_gets_the_focus(page: Page, user: User) -> None:
    sign_in(page, user)

    for form, values, problem, invalid in MISTAKES:
        check(submit(page, form, **values), problem)

        marked = page.locator(f"#{form} [aria-invalid=true]")
        assert [one.get_attribute("name") for one in marked.all()] == invalid
        for field in marked.all():
            described = page.locator(f"#{field.get_attribute('aria-describedby')}")
            expect(described).to_contain_text(re.compile("required|characters"))
        if invalid:
            expect(marked.first).to_be_focused()


def test_a_wrong_sign_in_says_the_same_of_everybody(page: Page, user: User) -> None:
    shown = submit(page, "sign-in", password=THIRD)
    expect(shown).to_contain_text("NotAuthorizedException · 401")
    of_a_user = shown.inner_html()

    submit(page, "sign-in", username=NOBODY, password=THIRD)
    expect(page.locator("#requests li")).to_have_count(2)

    expect(shown).to_contain_text("or reset the password")
    assert shown.inner_html() == of_a_user


def test_who_is_not_signed_in_is_told_so(page: Page, stack: Stack, user: User) -> None:
    shown = submit(page, "update", oldPassword=OLD, newPassword=NEW)
    expect(shown).to_contain_text("UserUnAuthenticatedException")
    expect(shown).to_contain_text(NOT_SIGNED_IN.recovery_suggestion)

    sign_in(page, user)
    stack.client("cognito-idp").admin_user_global_sign_out(
        UserPoolId=stack.user_pool_id, Username=user.username
    )
    check(submit(page, "update"), NOT_SIGNED_IN)
    expect(page.locator("#update-username")).to_have_value("")


def test_a_failure_of_cognito_is_told_with_what_it_leaves_open(
    page: Page, front: CognitoFront
) -> None:
    front.answer("ConfirmForgotPassword", error="InternalErrorException", status=500)

    check(submit(page, "confirm", confirmationCode="000000", newPassword=NEW), OUTCOME_UNKNOWN)


def test_who_is_throttled_tries_again_by_itself_and_then_waits_a_second(
    page: Page, stack: Stack
) -> None:
    with stack.throttled(Operation.RESET_PASSWORD, rate=0.05, burst=1):
        expect(submit(page, "request")).to_be_empty()
        expect(page.locator("#request .status")).to_contain_text("on its way")

        check(submit(page, "request"), TOO_MANY_REQUESTS)

        expect(page.locator("#request .status")).to_have_text("You can try again now.")
    expect(submit(page, "request")).to_be_empty()
    expect(page.locator("#request .status")).to_contain_text("on its way")


@pytest.mark.parametrize(
    ("locale", "language"), [("pt-BR", "pt"), ("ja", "ja"), ("de-AT", "de"), ("is", "en")]
)
def test_a_problem_is_told_in_the_language_of_the_browser(
    browser: Browser, locale: str, language: str
) -> None:
    catalogue = json.loads((ROOT / f"web/languages/{language}.json").read_text())
    with browser.new_context(locale=locale) as context:
        page = context.new_page()
        page.goto(ORIGIN)
        expect(page.locator("#demo-username")).not_to_be_empty()

        shown = submit(page, "confirm", username="", confirmationCode="1", newPassword=NEW)

        for text in catalogue["problems"][CONFIRM_USERNAME_MISSING.slug].values():
            expect(shown).to_contain_text(text)
        expect(page.locator("#confirm-username-errors li")).to_have_text(
            catalogue["rules"]["required"]
        )
        assert shown.get_attribute("lang") == language


def break_connection(route: Route) -> None:
    route.abort("connectionreset")


def answer_like_a_proxy(route: Route) -> None:
    headers = {"Access-Control-Allow-Origin": "*"}
    route.fulfill(status=502, headers=headers, body="<html>Bad gateway")


@pytest.mark.parametrize(
    ("handle", "name", "advice"),
    [
        (break_connection, "NetworkError", "Check the connection and try again."),
        (answer_like_a_proxy, "Unknown · 502", "Something between this page and the service"),
    ],
    ids=["no network", "a proxy"],
)
def test_what_the_service_did_not_say_has_advice_too(
    page: Page, stack: Stack, handle: Callable[[Route], None], name: str, advice: str
) -> None:
    page.route(f"{stack.url}/**", handle)

    asked = submit(page, "request")
    chosen = submit(page, "confirm", confirmationCode="123456", newPassword=NEW)

    for shown in (asked, chosen):
        expect(shown).to_contain_text(name)
        expect(shown).to_contain_text(advice)
    expect(chosen).to_contain_text(OUTCOME_UNKNOWN.recovery_suggestion)
    expect(asked).not_to_contain_text(OUTCOME_UNKNOWN.recovery_suggestion)


def test_an_answer_that_does_not_come_in_time_has_advice_too(page: Page) -> None:
    page.evaluate("AbortSignal.timeout = () => AbortSignal.abort()")

    shown = submit(page, "request")

    expect(shown).to_contain_text("TimeoutError")
    expect(shown).to_contain_text(OUTCOME_UNKNOWN.recovery_suggestion)


def test_a_sign_in_without_a_runner_has_advice_too(page: Page, said: list[str]) -> None:
    page.route("**/local/sign-in", break_connection)

    expect(submit(page, "sign-in", password=OLD)).to_contain_text("Check the connection")


def test_a_limit_counts_down_and_keeps_the_button_until_it_is_over(
    page: Page, user: User, front: CognitoFront
) -> None:
    page.clock.install()
    visit(page, user)
    sign_in(page, user)
    front.answer("ChangePassword", error=ATTEMPTS_EXCEEDED.code)

    shown = submit(page, "update", oldPassword=OLD, newPassword=NEW)

    check(shown, ATTEMPTS_EXCEEDED)
    timer, status = page.locator("#update .countdown"), page.locator("#update .status")
    button = page.locator("#update [type=submit]")
    expect(timer).to_have_text(re.compile(r"60:00|59:\d\d"))
    expect(status).to_contain_text("You can try again at ")
    expect(button).to_be_disabled()
    expect(shown).to_be_focused()
    page.locator("#update-new-password").press("Enter")
    once = status.text_content()

    page.clock.fast_forward(3_500_000)
    expect(timer).to_have_text(re.compile(r"1:\d\d"))
    expect(status).to_have_text(once or "")
    expect(button).to_be_disabled()

    page.clock.fast_forward(100_000)
    expect(timer).to_be_empty()
    expect(status).to_have_text("You can try again now.")
    expect(button).to_be_enabled()
    assert acted(front).count("ChangePassword") == 1


def test_a_limit_of_one_user_keeps_no_other_one_waiting(page: Page, stack: Stack) -> None:
    answer(page, stack, ATTEMPTS_EXCEEDED)
    check(submit(page, "request"), ATTEMPTS_EXCEEDED)
    button, status = page.locator("#request [type=submit]"), page.locator("#request .status")
    expect(button).to_be_disabled()

    fill(page, "request", username="grace@example.com")

    expect(button).to_be_enabled()
    expect(status).to_be_empty()
    expect(page.locator("#request .countdown")).to_be_empty()


def test_a_sign_in_that_the_runner_cannot_read_ends(page: Page) -> None:
    shown = submit(page, "sign-in", password="x" * 10_000)

    expect(shown).to_contain_text("ForbiddenException · 403")


def test_the_documentation_is_drawn_under_its_policy(page: Page) -> None:
    page.goto(f"{ORIGIN}/docs")

    for operation in Operation:
        expect(page.get_by_text(operation.path, exact=True).first).to_be_visible()


def test_the_rules_are_judged_as_one_types(page: Page, user: User) -> None:
    field, said = page.locator("#confirm-new-password"), page.locator("#confirm .summary")
    assert set(rules(page, "confirm").values()) == {"Not known yet"}

    field.press_sequentially(user.username.partition("@")[0] + " ")
    assert unmet(page, "confirm") == [
        "At least 15 characters",
        "No space at the beginning or end",
        "Does not contain your username",
    ]
    expect(said).to_have_text("3 rules are not met.")

    field.press_sequentially("harbour-of-mine")
    assert unmet(page, "confirm") == ["Does not contain your username"]
    expect(said).to_have_text("1 rule is not met.")

    field.fill(NEW)
    assert unmet(page, "confirm") == []
    expect(said).to_have_text("No rules are not met.")
    fill(page, "update", oldPassword=NEW, newPassword=NEW)
    assert unmet(page, "update") == ["Differs from the current password"]


def test_the_page_and_the_service_judge_a_password_alike(page: Page, front: CognitoFront) -> None:
    for password in ("ada", " x ", "a@example.com", PASSWORDS[0], " " + "é" * 14):
        fill(page, "confirm", username="demo@example.com", newPassword=password)
        before = unmet(page, "confirm")

        shown = submit(page, "confirm", confirmationCode="123456")

        expect(shown).to_contain_text("Exception · 400")
        breached = [rule for rule in rules(page, "confirm") if "breaches" in rule]
        assert unmet(page, "confirm") == (before or breached)


def test_a_rule_that_only_the_service_knows_is_shown_until_the_password_changes(
    page: Page, stack: Stack
) -> None:
    errors = [FieldError("#/newPassword", "requireNumbers", "")]
    body = json.dumps(PASSWORD_REFUSED.document("a-request", errors))
    headers = {"Access-Control-Allow-Origin": "*"}
    page.route(
        f"{stack.url}/**", lambda route: route.fulfill(status=400, headers=headers, body=body)
    )

    check(submit(page, "confirm", confirmationCode="123456", newPassword=NEW), PASSWORD_REFUSED)
    assert unmet(page, "confirm") == ["The password must contain a digit."]

    page.locator("#confirm-new-password").press_sequentially("1")
    assert unmet(page, "confirm") == []
    expect(page.locator("#confirm-new-password")).not_to_have_attribute("aria-invalid", "true")


@pytest.mark.parametrize("width", [1280, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_too_wide(
    page: Page, user: User, front: CognitoFront, scheme: Any, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    page.emulate_media(color_scheme=scheme)
    audit(page)

    submit(page, "request")
    expect(page.locator("#inbox code")).to_be_visible()
    audit(page)

    for form in ("confirm", "update", "sign-in"):
        expect(submit(page, form)).not_to_be_empty()
    expect(submit(page, "confirm", confirmationCode="1", newPassword="x " * 9)).not_to_be_empty()
    audit(page)

    sign_in(page, user)
    page.locator("#reveal").click()
    front.answer("ChangePassword", error=ATTEMPTS_EXCEEDED.code)
    check(submit(page, "update", oldPassword=OLD, newPassword=NEW), ATTEMPTS_EXCEEDED)
    for details in page.locator("#requests details").all():
        details.evaluate("(one) => { one.open = true; }")
    audit(page)


def test_the_colours_follow_the_system(page: Page) -> None:
    background = partial(page.evaluate, "getComputedStyle(document.documentElement).background")
    page.emulate_media(color_scheme="light")
    light = background()
    page.emulate_media(color_scheme="dark")

    assert background() != light


FIELDS = {
    "request": {"username": "username"},
    "confirm": {
        "username": "username",
        "confirmationCode": "one-time-code",
        "newPassword": "new-password",
    },
    "sign-in": {"username": "username", "password": "current-password"},
    "update": {
        "signedIn": "username",
        "oldPassword": "current-password",
        "newPassword": "new-password",
    },
}


def test_a_password_manager_knows_each_field(page: Page) -> None:
    for form, known in FIELDS.items():
        fields = page.locator(f"#{form} input:not([type=checkbox])").all()

        named = {field.get_attribute("name") or "": field for field in fields}
        assert {name: f.get_attribute("autocomplete") for name, f in named.items()} == known
        for name, field in named.items():
            secret = name.lower().endswith("password")
            assert (field.get_attribute("type") == "password") == secret
            assert field.get_attribute("maxlength") is None
            assert field.get_attribute("pattern") is None
        assert page.locator(f"#{form}").get_attribute("method") == "post"


def test_a_field_takes_what_is_pasted(page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('pasted-quiet@harbour')")
    for name in ("request-username", "confirm-code", "confirm-new-password", "update-old-password"):
        field = page.locator(f"#{name}")
        field.fill("")

        field.press("Control+V")

        expect(field).to_have_value("pasted-quiet@harbour")


def test_a_code_may_be_pasted_with_the_spaces_around_it(page: Page, user: User) -> None:
    submit(page, "request")
    code = page.locator("#inbox code").text_content()
    assert code

    submit(page, "confirm", confirmationCode=f" {code[:3]} {code[3:]} ", newPassword=NEW)

    expect(page.locator("#confirm .status")).to_contain_text("The password is set")


def test_a_password_is_seen_while_its_button_is_pressed_and_not_when_it_is_sent(
    page: Page,
) -> None:
    field = page.locator("#sign-in-password")
    button = page.get_by_role("button", name="Show password", exact=True)
    field.fill(THIRD)
    seen = [(field.get_attribute("type"), button.get_attribute("aria-pressed"))]
    for _ in range(2):
        button.press("Enter")
        seen.append((field.get_attribute("type"), button.get_attribute("aria-pressed")))
    assert seen == [("password", "false"), ("text", "true"), ("password", "false")]

    button.press("Space")
    submit(page, "sign-in")

    expect(field).to_have_attribute("type", "password")
    expect(button).to_have_attribute("aria-pressed", "false")


def test_a_second_press_while_a_request_is_under_way_sends_nothing(
    page: Page, fronts: Fronts
) -> None:
    fronts.queue.answer("SendMessage", delay=1, times=1)

    for _ in range(3):
        submit(page, "request")

    expect(page.locator("#request .status")).to_contain_text("on its way")
    expect(page.locator("#requests li")).to_have_count(1)


def test_an_inbox_is_that_of_the_address_in_the_form(page: Page, user: User) -> None:
    submit(page, "request")
    expect(page.locator("#inbox li")).to_have_count(1)

    page.locator("#request-username").fill(NOBODY)
    submit(page, "request")
    expect(page.locator("#request .status")).to_contain_text("n***@e***")

    expect(page.locator("#inbox li")).to_have_count(0)
    expect(page.get_by_text("No mail has come for this address.")).to_be_visible()


def test_the_policy_stops_what_was_injected(page: Page, said: list[str]) -> None:
    injected = """
        <script>document.title = 'injected'</script>
        <img src="x" onerror="document.title = 'injected'">
        <img src="http://127.0.0.1:9/?code=123456">
        <style>body { display: none }</style>
    """

    read = "fetch('/').then(async (r) => [Object.fromEntries(r.headers), await r.text()])"
    headers, html = page.evaluate(read)
    body = html.replace("</body>", injected)
    page.route(f"{ORIGIN}/", lambda route: route.fulfill(headers=headers, body=body))
    page.reload()

    expect(page.locator("#demo-username")).not_to_be_empty()
    expect(page.locator("body")).to_be_visible()
    assert page.title() == "Password service"
    with pytest.raises(Exception, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<p>injected</p>'")
    blocked = [text for text in said if "Content Security Policy" in text]
    assert len(blocked) >= 4
    said.clear()


def test_the_client_sends_no_cookie(browser: Browser, stack: Stack) -> None:
    # One site with the page's origin, or else the browser itself would keep the cookie back.
    endpoint = stack.url.replace("127.0.0.1", "localhost")
    with browser.new_context(bypass_csp=True) as context:
        context.add_cookies([{"name": "session", "value": "a-cookie", "url": endpoint}])
        page = context.new_page()
        page.goto(ORIGIN)
        call = """async (endpoint) => {
            const { configure, resetPassword } = await import('/password-service.js');
            configure({ endpoint });
            return resetPassword({ username: 'nobody@example.com' });
        }"""
        with page.expect_request(f"{endpoint}/reset-password") as sent:
            output = page.evaluate(call, endpoint)

        assert output["nextStep"]["codeDeliveryDetails"]["destination"] == "n***@e***"
        assert "cookie" not in sent.value.all_headers()
