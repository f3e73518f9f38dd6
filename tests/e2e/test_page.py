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
    NOT_SIGNED_IN,
    OUTCOME_UNKNOWN,
    PASSWORD_REFUSED,
    PROBLEMS,
    TOO_MANY_REQUESTS,
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
CATALOGUES = {
    file.stem: json.loads(file.read_text()) for file in (ROOT / "web" / "languages").iterdir()
}


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
    expect(page.locator("#confirm .rules li")).not_to_have_count(0)
    fill(page, username=user.username)


def card(page: Page) -> Locator:
    """The one that is shown."""
    return page.locator(".card:visible")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def fill(page: Page, **values: str) -> None:
    for name, value in values.items():
        card(page).locator(f"[name={name}]").fill(value)


def submit(page: Page, **values: str) -> Locator:
    """Send the card's form, and return the element that shows a problem."""
    fill(page, **values)
    shown = card(page)
    shown.locator("[type=submit]").click()
    return page.locator(f"#{shown.get_attribute('id')} .problem")


def open_request(page: Page) -> None:
    press(page, "Forgot your password?")


def open_confirm(page: Page, username: str, code: str = "000000") -> None:
    page.goto(f"{ORIGIN}/#code={code}&username={username}")
    expect(page.locator("#confirm-new-password")).to_be_focused()


def sign_in(page: Page, user: User) -> None:
    submit(page, password=user.password)
    expect(page.locator("#signed-in-as")).to_contain_text(user.username)
    expect(page.get_by_role("button", name="Change password")).to_be_visible()


def open_update(page: Page, user: User) -> None:
    sign_in(page, user)
    press(page, "Change password")


def use_code(page: Page) -> str:
    """Ask for a code, take the one that is mailed, and return it."""
    open_request(page)
    submit(page)
    page.locator("#inbox").get_by_role("button", name="Use code").click()
    return page.locator("#confirm-code").input_value()


def answer(page: Page, stack: Stack, problem: Problem, **more: object) -> None:
    """Make the browser receive this answer instead of the service's."""
    headers = {"Access-Control-Allow-Origin": "*", "Access-Control-Expose-Headers": "Retry-After"}
    page.route(
        f"{stack.url}/**",
        lambda route: route.fulfill(
            status=problem.status,
            headers=problem.headers | headers,
            body=json.dumps(problem.document("a-request") | more),
        ),
    )


def check(shown: Locator, problem: Problem) -> None:
    expect(shown).to_contain_text(problem.detail)
    expect(shown).to_contain_text(problem.recovery_suggestion)


def rules(page: Page) -> dict[str, str]:
    """The state of each, as it is read aloud."""
    texts = card(page).locator(".rules li").all_text_contents()
    return {text: state for state, _, text in (one.partition(":") for one in texts)}


def unmet(page: Page) -> list[str]:
    return [text for text, state in rules(page).items() if state == "Not met"]


def test_the_whole_story_is_told_by_keyboard_alone(
    page: Page, stack: Stack, user: User, said: list[str]
) -> None:
    def type_in(field: str, text: str, *keys: str) -> None:
        expect(page.locator(f"#{field}")).to_be_focused()
        page.keyboard.type(text)
        for key in keys:
            page.keyboard.press(key)

    page.reload()
    expect(page.locator("#confirm .rules li")).not_to_have_count(0)
    for _ in ("language", "address"):
        page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    type_in("sign-in-username", user.username, *["Tab"] * 4, "Enter")  # past the password
    expect(page.locator("#request-title")).to_be_focused()
    expect(page.locator("#request-username")).to_have_value(user.username)
    for key in ("Tab", "Tab", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("#code-sent")).to_contain_text("a***@e***")
    type_in("confirm-code", page.locator("#inbox code").text_content() or "", "Tab")
    type_in("confirm-new-password", NEW, "Enter")
    expect(page.locator("#done-title")).to_be_focused()
    expect(page.locator("#done")).to_contain_text("You are signed out of all devices.")
    for key in ("Tab", "Enter"):
        page.keyboard.press(key)
    type_in("sign-in-password", NEW, "Enter")
    expect(page.locator("#account-title")).to_be_focused()
    expect(page.locator("#account")).to_contain_text(f"You are signed in as {user.username}.")
    for key in ("Tab", "Enter"):
        page.keyboard.press(key)
    type_in("update-old-password", NEW, "Tab", "Tab")
    type_in("update-new-password", THIRD, "Tab", "Tab", "Space", "Enter")
    expect(page.locator("#done-title")).to_be_focused()
    expect(page.locator("#done")).to_contain_text("You are signed out of all devices.")

    assert stack.sign_in(User(user.username, THIRD))
    assert said == []


def test_a_user_stays_signed_in_after_a_change_unless_they_end_every_session(
    page: Page, user: User
) -> None:
    open_update(page, user)
    submit(page, oldPassword=OLD, newPassword=NEW)
    expect(card(page)).to_contain_text("Use your new password the next time you sign in.")
    press(page, "Continue")
    expect(card(page)).to_contain_text(f"You are signed in as {user.username}.")

    press(page, "Sign out")

    expect(page.locator("#sign-in-password")).to_be_focused()


def test_what_was_typed_stands_in_no_url_history_referrer_cookie_or_storage(
    page: Page, stack: Stack, user: User
) -> None:
    sent: list[dict[str, str]] = []
    page.on("request", lambda one: sent.append({"url": one.url} | one.all_headers()))

    code = use_code(page)
    submit(page, newPassword=NEW)
    press(page, "Sign in")
    sign_in(page, User(user.username, NEW))

    assert len(code) == 6
    assert page.url == f"{ORIGIN}/"
    assert {stack.url + operation.path for operation in list(Operation)[:2]} <= {
        one["url"] for one in sent
    }
    assert not [one for one in sent if "referer" in one or code in one["url"] or NEW in one["url"]]
    assert page.evaluate(
        "[history.state, document.cookie, localStorage.length, sessionStorage.length]"
    ) == [{"card": "account"}, "", 0, 0]


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

    expect(page.locator("#confirm-new-password")).to_be_focused()
    expect(page.locator("#confirm-code")).to_have_value(code)
    expect(page.locator("#confirm-username")).to_have_value(user.username)
    assert page.url == f"{ORIGIN}/"
    assert not [one for one in sent if code in one]
    submit(page, newPassword=NEW)
    expect(card(page)).to_contain_text("Your password was changed")


def test_a_name_that_is_no_address_leads_to_the_code_too(page: Page) -> None:
    open_request(page)

    submit(page, username="ada")

    expect(page.locator("#code-sent")).to_contain_text("ada")
    expect(page.locator("#confirm")).to_be_visible()


def test_going_back_forgets_the_secrets_and_keeps_the_address(page: Page, user: User) -> None:
    fill(page, password=OLD)
    open_request(page)
    submit(page)
    fill(page, confirmationCode="123456", newPassword=NEW)

    page.go_back()
    expect(page.locator("#request-username")).to_have_value(user.username)
    page.go_back()

    expect(page.locator("#sign-in-username")).to_have_value(user.username)
    values = page.locator("input:not([name=username], [type=checkbox])").all()
    assert {field.input_value() for field in values} == {""}
    page.evaluate("history.replaceState({ card: 'update' }, '')")
    page.reload()
    expect(page.locator("#sign-in")).to_be_visible()


def test_the_log_masks_every_secret_until_it_is_told_not_to(page: Page, user: User) -> None:
    expect(submit(page, password=THIRD).locator("..").locator(".errors li")).to_have_count(1)
    open_update(page, user)
    submit(page, oldPassword=OLD, newPassword=NEW)
    expect(card(page)).to_contain_text("was changed")
    open_confirm(page, user.username, code="123456")
    submit(page, newPassword="short")
    expect(card(page).locator("[aria-invalid]")).to_have_count(1)
    log = page.locator("#requests")
    secrets = (THIRD, OLD, NEW, "123456", '"short"', "eyJ")

    masked = log.inner_html()
    page.get_by_role("button", name="Show passwords, codes and tokens").press("Enter")
    shown = log.inner_html()
    page.get_by_role("button", name="Show passwords, codes and tokens").press("Enter")

    assert [secret in masked for secret in secrets] == [False] * len(secrets)
    assert [secret in shown for secret in secrets] == [True] * len(secrets)
    assert log.inner_html() == masked
    titles = [text.rpartition(" ")[0] for text in log.locator("summary").all_text_contents()]
    assert [re.sub(" [0-9:]+$", "", title) for title in titles] == [
        "POST /confirm-reset-password 400",
        "POST /update-password 204",
        "POST /local/sign-in 200",
        "POST /local/sign-in 401",
    ]
    assert "Idempotency-Key: " in masked
    assert user.username in masked


def test_every_problem_is_shown_with_its_advice(page: Page, stack: Stack) -> None:
    open_request(page)
    button = page.locator("#request [type=submit]")
    for problem in PROBLEMS:
        if problem != NOT_SIGNED_IN:  # which sends the user to sign in
            answer(page, stack, problem)
            submit(page, username=f"{problem.slug}@example.com")

            check(card(page), problem)
            waits = problem.retry_after is not None
            expect(button).to_be_disabled() if waits else expect(button).to_be_enabled()
            page.unroute_all()


def test_a_mistake_is_shown_beside_its_field_which_gets_the_focus(page: Page, user: User) -> None:
    def errors(*fields: str) -> str:
        """What the card says of its fields, which must be the invalid ones."""
        marked = card(page).locator("[aria-invalid=true]")
        expect(marked).to_have_count(len(fields))
        assert tuple(one.get_attribute("name") for one in marked.all()) == fields
        expect(marked.first).to_be_focused()
        described = (marked.first.get_attribute("aria-describedby") or "").split()
        expect(card(page).locator(".problem")).to_be_empty()
        return " ".join(page.locator(f"#{one}").inner_text() for one in described)

    open_request(page)
    submit(page, username="")
    assert errors("username") == CATALOGUES["en"]["rules"]["required"]
    submit(page, username="two@example.com" + "x" * 128)
    assert "128" in errors("username")
    open_confirm(page, NOBODY)
    submit(page, confirmationCode="", newPassword="")
    assert errors("confirmationCode", "newPassword") == CATALOGUES["en"]["rules"]["required"]
    submit(page, confirmationCode="000000", newPassword=NEW)
    assert errors("confirmationCode") == f"{CODE_REFUSED.detail} {CODE_REFUSED.recovery_suggestion}"
    submit(page, newPassword="nobody ")
    assert "At least 15 characters" in errors("newPassword")
    submit(page, newPassword=PASSWORDS[0])
    assert CATALOGUES["en"]["rules"]["breached"] in errors("newPassword")
    press(page, "Back to sign-in")
    fill(page, username=user.username)
    open_update(page, user)
    submit(page, oldPassword=THIRD, newPassword=NEW)
    assert WRONG_PASSWORD.detail in errors("oldPassword")


def test_a_wrong_sign_in_says_the_same_of_everybody(page: Page, user: User) -> None:
    submit(page, password=THIRD)
    error = page.locator("#sign-in-password-errors")
    expect(error).to_have_text("The email address or the password is wrong.")
    of_a_user = page.locator("#sign-in").inner_html()

    submit(page, username=NOBODY)
    expect(page.locator("#requests .outcome[data-good=false]")).to_have_count(2)

    expect(error).to_have_text("The email address or the password is wrong.")
    assert page.locator("#sign-in").inner_html() == of_a_user


def test_a_user_whose_session_has_ended_is_asked_to_sign_in(
    page: Page, stack: Stack, user: User
) -> None:
    open_update(page, user)
    stack.client("cognito-idp").admin_user_global_sign_out(
        UserPoolId=stack.user_pool_id, Username=user.username
    )

    submit(page, oldPassword=OLD, newPassword=NEW)

    expect(page.locator("#sign-in-password")).to_be_focused()
    check(card(page), NOT_SIGNED_IN)
    page.go_back()
    expect(page.locator("#account")).not_to_be_visible()


def test_a_failure_of_cognito_is_told_with_what_it_leaves_open(
    page: Page, user: User, front: CognitoFront
) -> None:
    front.answer("ConfirmForgotPassword", error="InternalErrorException", status=500)
    open_confirm(page, user.username)

    shown = submit(page, newPassword=NEW)

    check(shown, OUTCOME_UNKNOWN)
    expect(shown).to_contain_text("Request ID: ")


def test_who_is_throttled_tries_again_by_itself_and_then_waits_a_second(
    page: Page, stack: Stack
) -> None:
    open_request(page)
    with stack.throttled(Operation.RESET_PASSWORD, rate=0.05, burst=1):
        submit(page)
        expect(page.locator("#confirm")).to_be_visible()
        page.go_back()

        check(submit(page), TOO_MANY_REQUESTS)

        expect(page.locator("#request .status")).to_have_text("You can try again now.")
    submit(page)
    expect(page.locator("#confirm")).to_be_visible()


@pytest.mark.parametrize(("locale", "language"), [("pt-BR", "pt"), ("is", "en")])
def test_the_page_speaks_the_language_of_the_browser(
    browser: Browser, locale: str, language: str
) -> None:
    words = CATALOGUES[language]
    with browser.new_context(locale=locale) as context:
        page = context.new_page()
        page.goto(ORIGIN)
        expect(page.locator("#sign-in-title")).to_have_text(words["page"]["signIn"])
        press(page, words["page"]["forgotPassword"])

        submit(page, username="")

        expect(page.locator("#request-username-errors")).to_have_text(words["rules"]["required"])
        assert page.locator("html").get_attribute("lang") == language
        assert page.title() == words["page"]["title"]


def sentences(words: object) -> set[str]:
    """Every text of a catalogue, or of a part of it."""
    if isinstance(words, dict):
        return set().union(*map(sentences, words.values()))
    return {str(words)}


def test_every_word_changes_with_the_language_even_those_of_an_error(
    page: Page, stack: Stack, user: User
) -> None:
    open_confirm(page, user.username)
    answer(page, stack, ATTEMPTS_EXCEEDED)
    fill(page, newPassword="ada")
    check(submit(page), ATTEMPTS_EXCEEDED)
    english = sentences(CATALOGUES["en"])
    for language, words in CATALOGUES.items():
        page.locator("#language").select_option(language)
        expect(page.locator("html")).to_have_attribute("lang", language)

        seen = {*page.locator("#app").inner_text().splitlines()}

        assert len(sentences(words) & seen) > 20
        assert language == "en" or not english & seen


def break_connection(route: Route) -> None:
    route.abort("connectionreset")


def answer_like_a_proxy(route: Route) -> None:
    headers = {"Access-Control-Allow-Origin": "*"}
    # At a 502, the client would try again.
    route.fulfill(status=500, headers=headers, body="<html>Something went wrong")


@pytest.mark.parametrize(
    ("handle", "slug"),
    [(break_connection, "network-error"), (answer_like_a_proxy, "unexpected-response")],
    ids=["no network", "a proxy"],
)
def test_what_the_service_did_not_say_has_advice_too(
    page: Page, stack: Stack, user: User, handle: Callable[[Route], None], slug: str
) -> None:
    page.route(f"{stack.url}/**", handle)
    open_request(page)
    asked = submit(page)
    for text in CATALOGUES["en"]["problems"][slug].values():
        expect(asked).to_contain_text(text)
    expect(asked).not_to_contain_text(OUTCOME_UNKNOWN.recovery_suggestion)

    open_confirm(page, user.username)
    chosen = submit(page, newPassword=NEW)

    expect(chosen).to_contain_text(OUTCOME_UNKNOWN.recovery_suggestion)


def test_an_answer_that_does_not_come_in_time_has_advice_too(page: Page) -> None:
    page.evaluate("AbortSignal.timeout = () => AbortSignal.abort()")
    open_request(page)

    check(submit(page), OUTCOME_UNKNOWN)


def test_a_sign_in_without_a_runner_has_advice_too(page: Page, said: list[str]) -> None:
    page.route("**/local/sign-in", break_connection)

    shown = submit(page, password=OLD)

    for text in CATALOGUES["en"]["problems"]["network-error"].values():
        expect(shown).to_contain_text(text)


@pytest.mark.parametrize("errors", ["text", [None, 5, {}]])
def test_a_form_ends_even_if_its_errors_cannot_be_read(
    page: Page, stack: Stack, user: User, errors: object
) -> None:
    answer(page, stack, PASSWORD_REFUSED, errors=errors)
    open_confirm(page, user.username)

    check(submit(page, newPassword=NEW), PASSWORD_REFUSED)

    expect(page.locator("#confirm .status")).to_be_empty()


def test_a_limit_counts_down_and_keeps_the_button_until_it_is_over(
    page: Page, user: User, front: CognitoFront
) -> None:
    page.clock.install()
    visit(page, user)
    open_update(page, user)
    front.answer("ChangePassword", error=ATTEMPTS_EXCEEDED.code)

    shown = submit(page, oldPassword=OLD, newPassword=NEW)

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
    open_request(page)
    check(submit(page), ATTEMPTS_EXCEEDED)
    button = page.locator("#request [type=submit]")
    expect(button).to_be_disabled()

    fill(page, username="grace@example.com")

    expect(button).to_be_enabled()
    expect(page.locator("#request .status")).to_be_empty()
    expect(page.locator("#request .countdown")).to_be_empty()


def test_a_sign_in_that_the_runner_cannot_read_ends(page: Page) -> None:
    expect(submit(page, password="x" * 10_000)).to_contain_text("at most 10,000 bytes")


def test_the_documentation_shows_the_operations_first_under_its_policy(page: Page) -> None:
    page.goto(f"{ORIGIN}/docs")

    for operation in Operation:
        expect(page.get_by_text(operation.path, exact=True).first).to_be_in_viewport()


def test_the_rules_are_judged_as_one_types(page: Page, user: User) -> None:
    open_confirm(page, user.username)
    field, said = page.locator("#confirm-new-password"), page.locator("#confirm .summary")
    assert set(rules(page).values()) == {"Not checked yet"}

    field.press_sequentially(user.username.partition("@")[0] + " ")
    assert unmet(page) == [
        "At least 15 characters",
        "No space at the beginning or end",
        "Does not contain your email address",
    ]
    expect(said).to_have_text(re.compile(r"^\d of \d rules are met\.$"))

    field.press_sequentially("harbour-of-mine")
    assert unmet(page) == ["Does not contain your email address"]

    field.fill(NEW)
    assert unmet(page) == []
    press(page, "Back to sign-in")
    open_update(page, user)
    fill(page, oldPassword=NEW, newPassword=NEW)
    assert unmet(page) == ["Differs from your current password"]


def test_the_page_and_the_service_judge_a_password_alike(page: Page) -> None:
    open_confirm(page, "demo@example.com")
    for password in ("ada", " x ", "a@example.com", PASSWORDS[0], " " + "é" * 14):
        fill(page, newPassword=password)
        before = unmet(page)

        submit(page)

        expect(page.locator("#confirm-new-password")).to_have_attribute("aria-invalid", "true")
        assert unmet(page) == (before or ["Not found in a data breach"])


def test_a_rule_that_only_the_service_knows_is_shown_until_the_password_changes(
    page: Page, stack: Stack, user: User
) -> None:
    error = FieldError("#/newPassword", "requireNumbers", "")
    answer(page, stack, PASSWORD_REFUSED, errors=[error.document()])
    open_confirm(page, user.username)
    submit(page, newPassword=NEW)
    shown, field = page.locator("#confirm .errors li"), page.locator("#confirm-new-password")
    expect(shown).to_have_text(CATALOGUES["en"]["rules"]["requireNumbers"])

    field.press_sequentially("1")

    expect(shown).to_have_count(0)
    expect(field).not_to_have_attribute("aria-invalid", "true")


def audit(page: Page, shown: str) -> None:
    """Assert that axe-core finds nothing, and that nothing is wider than the window."""
    assert card(page).get_attribute("id") == shown
    run = "(options) => axe.run(options).then(({ violations }) => violations)"
    themes: tuple[tuple[Any, object], ...] = (
        ("light", {}),
        ("dark", {"runOnly": "color-contrast"}),
    )
    for scheme, options in themes:
        page.emulate_media(color_scheme=scheme)
        found: list[dict[str, Any]] = page.evaluate(run, options)
        assert not [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [1280, PHONE])
def test_axe_finds_nothing_on_any_card_and_nothing_is_too_wide(
    page: Page, user: User, front: CognitoFront, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    page.evaluate(AXE)
    submit(page, password=THIRD)
    expect(page.locator("#sign-in .errors li")).to_have_count(1)
    audit(page, "sign-in")
    open_request(page)
    audit(page, "request")
    submit(page)
    expect(page.locator("#inbox code")).to_be_visible()
    submit(page, confirmationCode="1", newPassword="x " * 9)
    expect(page.locator("#confirm [aria-invalid]")).to_have_count(1)
    audit(page, "confirm")
    press(page, "Back to sign-in")
    sign_in(page, user)
    audit(page, "account")
    press(page, "Change password")
    page.locator("#reveal").click()
    front.answer("ChangePassword", error=ATTEMPTS_EXCEEDED.code)
    check(submit(page, oldPassword=OLD, newPassword=NEW), ATTEMPTS_EXCEEDED)
    for details in page.locator("#requests details").all():
        details.evaluate("(one) => { one.open = true; }")
    audit(page, "update")
    page.go_back()
    use = page.locator("#inbox").get_by_role("button", name="Use code")
    use.click()
    submit(page, newPassword=NEW)
    expect(page.locator("#done")).to_be_visible()
    expect(use).to_be_disabled()
    audit(page, "done")


def test_the_colours_follow_the_system(page: Page) -> None:
    background = partial(page.evaluate, "getComputedStyle(document.documentElement).background")
    page.emulate_media(color_scheme="light")
    light = background()
    page.emulate_media(color_scheme="dark")

    assert background() != light


FIELDS = {
    "sign-in": {"username": "username", "password": "current-password"},
    "request": {"username": "username"},
    "confirm": {
        "username": "username",
        "confirmationCode": "one-time-code",
        "newPassword": "new-password",
    },
    "update": {
        "username": "username",
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
    assert page.locator("#confirm-code").get_attribute("inputmode") == "numeric"


def test_a_field_takes_what_is_pasted(page: Page, user: User) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate("navigator.clipboard.writeText('pasted-quiet@harbour')")
    open_confirm(page, user.username)
    for name in ("confirm-code", "confirm-new-password"):
        field = page.locator(f"#{name}")
        field.fill("")

        field.press("Control+V")

        expect(field).to_have_value("pasted-quiet@harbour")


def test_a_code_may_be_pasted_with_the_spaces_around_it(page: Page) -> None:
    code = use_code(page)

    submit(page, confirmationCode=f" {code[:3]} {code[3:]} ", newPassword=NEW)

    expect(card(page)).to_contain_text("Your password was changed")


def test_a_password_is_seen_while_its_button_is_pressed_and_not_when_it_is_sent(
    page: Page,
) -> None:
    field = page.locator("#sign-in-password")
    button = page.get_by_role("button", name="Show Password", exact=True)
    field.fill(THIRD)
    seen = [(field.get_attribute("type"), button.get_attribute("aria-pressed"))]
    for _ in range(2):
        button.press("Enter")
        seen.append((field.get_attribute("type"), button.get_attribute("aria-pressed")))
    assert seen == [("password", "false"), ("text", "true"), ("password", "false")]

    button.press("Space")
    submit(page)

    expect(field).to_have_attribute("type", "password")
    expect(button).to_have_attribute("aria-pressed", "false")


def test_a_second_press_while_a_request_is_under_way_sends_nothing(
    page: Page, fronts: Fronts
) -> None:
    fronts.queue.answer("SendMessage", delay=1, times=1)
    open_request(page)

    for _ in range(3):
        submit(page)

    expect(page.locator("#confirm")).to_be_visible()
    expect(page.locator("#requests li")).to_have_count(1)


def test_an_inbox_has_the_mails_to_the_address_and_offers_only_a_code_that_works(
    page: Page, user: User
) -> None:
    mails = page.locator("#inbox > li")
    use = page.locator("#inbox").get_by_role("button", name="Use code")
    use_code(page)
    expect(mails.locator("time")).to_have_text(re.compile(r"\d:\d\d:\d\d"))
    page.go_back()
    submit(page)
    expect(mails).to_have_count(2)
    assert [button.is_enabled() for button in use.all()] == [True, False]

    use.first.click()
    submit(page, newPassword=NEW)

    expect(mails).to_have_count(3)
    expect(mails.first).to_contain_text(f"The password of your account {user.username} was changed")
    assert [button.is_enabled() for button in use.all()] == [False, False]
    press(page, "Sign in")
    fill(page, username=NOBODY)
    expect(mails).to_have_count(0)
    expect(page.get_by_text("There is no mail for this address yet.")).to_be_visible()


def test_on_a_phone_the_code_comes_to_its_field(page: Page) -> None:
    page.set_viewport_size({"width": PHONE, "height": 640})
    open_request(page)
    submit(page)

    use = page.locator("#latest").get_by_role("button", name="Use code")
    expect(use).to_be_in_viewport(ratio=1)
    expect(page.locator("#confirm-code")).to_be_in_viewport(ratio=1)
    use.click()

    expect(page.locator("#confirm-code")).to_have_value(re.compile(r"^\d{6}$"))


def test_without_scripts_a_sentence_says_what_is_missing(browser: Browser) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(ORIGIN)

        assert page.locator("body").inner_text().startswith("This page needs JavaScript.")


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

    expect(page.locator("#sign-in")).to_be_visible()
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
