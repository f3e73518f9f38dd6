"""The page of `make run` in Chromium, before the deployed stack."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from functions import problems
from functions.problems import Problem
from local.breaches import PASSWORDS
from local.stack import Stack, User
from tests.e2e.conftest import NEW, OLD
from tests.support import ROOT
from tests.support.chromium import ORIGIN, chromium, tab
from tests.support.front import CognitoFront

THIRD = "a-third-quiet-harbour-53"
NOBODY = "nobody@example.com"
FORMS = ("sign-in", "request", "confirm", "update", "first")
AXE = (ROOT / "node_modules" / "axe-core" / "axe.min.js").read_text()
DESKTOP, PHONE = 1280, 320
"""Pixels. A window 1280 wide has 320 at a zoom of 400 % (WCAG 2.2, 1.4.10)."""
CATALOGUES = {
    file.stem: json.loads(file.read_text()) for file in (ROOT / "web" / "languages").iterdir()
}
ENGLISH = CATALOGUES["en"]
WORDS = ENGLISH["page"]


@pytest.fixture(scope="module")
def browser(stack: Stack) -> Iterator[Browser]:
    with chromium(stack) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, user: User) -> Iterator[Page]:
    """Show the user's address; nothing unexpected may be in the console in the end."""
    said: list[str] = []
    with tab(browser, viewport={"width": DESKTOP, "height": 960}) as page:
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(ORIGIN)
        expect(page.locator("#confirm .rules li")).not_to_have_count(0)
        fill(page, username=user.username)
        yield page
    # Chromium writes a line about each response that is not a success.
    assert [text for text in said if not text.startswith("Failed to load resource: ")] == []


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


def open_confirm(page: Page, username: str) -> None:
    page.goto(f"{ORIGIN}/#code=000000&username={username}")
    expect(page.locator("#confirm-new-password")).to_be_focused()


def paste(page: Page, field: str, text: str) -> None:
    page.evaluate("(text) => navigator.clipboard.writeText(text)", text)
    page.locator(f"#{field}").fill("")
    page.locator(f"#{field}").press("Control+V")


def open_update(page: Page, user: User) -> None:
    submit(page, username=user.username, password=user.password)
    expect(page.locator("#signed-in-as")).to_contain_text(user.username)
    press(page, "Change password")


def check(shown: Locator, problem: Problem) -> None:
    expect(shown).to_contain_text(problem.detail)
    expect(shown).to_contain_text(problem.recovery_suggestion)


def audit(page: Page, shown: str) -> None:
    """Assert that axe-core finds nothing, and that nothing is wider than the window."""
    assert card(page).get_attribute("id") == shown
    page.evaluate(AXE)
    run = "(options) => axe.run(options).then(({ violations }) => violations)"
    views: tuple[tuple[int, Any, object], ...] = (
        (PHONE, "light", {}),
        (DESKTOP, "dark", {"runOnly": "color-contrast"}),
        (DESKTOP, "light", {}),
    )
    backgrounds = set()
    for width, scheme, options in views:
        page.set_viewport_size({"width": width, "height": 700})
        page.emulate_media(color_scheme=scheme)
        found: list[dict[str, Any]] = page.evaluate(run, options)
        assert not [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        backgrounds.add(page.evaluate("getComputedStyle(document.documentElement).background"))
    assert len(backgrounds) == 2


def test_the_whole_story_is_told_by_keyboard_and_leaves_no_trace_in_the_browser(
    page: Page, stack: Stack, user: User
) -> None:
    sent: list[str] = []
    page.on("request", lambda one: sent.append(one.url))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])

    def type_in(field: str, text: str, *keys: str) -> None:
        expect(page.locator(f"#{field}")).to_be_focused()
        page.keyboard.type(text)
        for key in keys:
            page.keyboard.press(key)

    page.reload()
    expect(page.locator("#confirm .rules li")).not_to_have_count(0)
    for key in ("Tab", "Tab", "Control+A"):
        page.keyboard.press(key)
    type_in("sign-in-username", user.username, *["Tab"] * 4, "Enter")  # past the password
    type_in("request-title", "", "Tab", "Tab", "Enter")
    expect(page.locator("#code-sent")).to_contain_text("a***@e***")
    code = page.locator("#inbox code").text_content() or ""
    type_in("confirm-code", code, "Tab")
    page.evaluate("(text) => navigator.clipboard.writeText(text)", NEW)
    type_in("confirm-new-password", "", "Control+V", "Enter")
    expect(page.locator("#done")).to_contain_text("You are signed out of all devices.")
    type_in("done-title", "", "Tab", "Enter")
    type_in("sign-in-password", NEW, "Enter")
    expect(page.locator("#account")).to_contain_text(f"You are signed in as {user.username}.")
    type_in("account-title", "", "Tab", "Enter")
    type_in("update-old-password", NEW, "Tab", "Tab")
    type_in("update-new-password", THIRD, "Tab", "Tab", "Space", "Enter")
    expect(page.locator("#done")).to_contain_text("You are signed out of all devices.")

    assert stack.sign_in(User(user.username, THIRD))
    assert page.url == f"{ORIGIN}/"
    assert not [one for one in sent if code in one or NEW in one or THIRD in one]
    kept = "[history.state, document.cookie, localStorage.length, sessionStorage.length]"
    assert page.evaluate(kept) == [{"card": "done"}, "", 0, 0]
    log, secrets = page.locator("#requests"), (code, NEW, THIRD, "eyJ")
    masked = log.inner_html()
    press(page, "Show passwords, codes and tokens")
    assert [secret in log.inner_html() for secret in secrets] == [True] * len(secrets)
    assert [secret in masked for secret in secrets] == [False] * len(secrets)
    assert log.locator(".outcome").all_text_contents() == ["204", "200", "204", "200"]


def test_the_link_of_a_mail_fills_in_the_code_and_leaves_no_trace_of_it(
    page: Page, stack: Stack, user: User
) -> None:
    code = stack.request_code(user.username)
    link = f"{ORIGIN}/#{urlencode({'code': code, 'username': user.username})}"
    sent: list[str] = []
    page.on("request", lambda one: sent.append(f"{one.url.partition('#')[0]} {one.post_data}"))
    for opened in (ORIGIN, "about:blank"):
        page.goto(opened)
        page.goto(link)
        expect(page.locator("#confirm-new-password")).to_be_focused()
        expect(page.locator("#confirm-code")).to_have_value(code)
        expect(page.locator("#confirm-username")).to_have_value(user.username)
        assert page.url == f"{ORIGIN}/"
    assert not [one for one in sent if code in one]
    submit(page, newPassword=NEW)
    expect(card(page)).to_contain_text("Your password was changed")


def test_a_link_without_a_username_lets_the_user_type_it_and_keeps_it(
    page: Page, stack: Stack, user: User
) -> None:
    """The mail of a reset has such a link."""
    code = stack.request_code(user.username)
    page.goto("about:blank")
    page.goto(f"{ORIGIN}/#code=000000")
    expect(page.locator("#confirm-code")).to_have_value("000000")
    page.locator("#confirm-username").fill(user.username)
    page.evaluate(f"location.hash = '#code={code}'")
    expect(page.locator("#confirm-code")).to_have_value(code)
    expect(page.locator("#confirm-username")).to_have_value(user.username)
    submit(page, newPassword=NEW)
    expect(card(page)).to_contain_text("Your password was changed")


def test_the_page_names_the_user_who_signed_in_and_not_the_one_of_a_link(
    page: Page, user: User
) -> None:
    open_update(page, user)
    page.evaluate("location.hash = '#code=000000&username=eve@example.com'")
    expect(page.locator("#confirm-username")).to_have_value("eve@example.com")

    page.go_back()
    expect(page.locator("#update-username")).to_have_value(user.username)
    press(page, "Cancel")

    expect(page.locator("#signed-in-as")).to_have_text(f"You are signed in as {user.username}.")


def test_back_does_not_return_to_what_is_done(page: Page, user: User) -> None:
    open_update(page, user)
    submit(page, oldPassword=OLD, newPassword=NEW)
    expect(card(page)).to_contain_text("Your password was changed")

    page.locator("#done-next").click()
    expect(page.locator("#account")).to_be_visible()
    page.go_back()

    expect(page.locator("#account")).to_be_visible()


def texts(words: object) -> set[str]:
    """Return every text of a catalogue, or of a part of it."""
    return set().union(*map(texts, words.values())) if isinstance(words, dict) else {str(words)}


def check_buttons(page: Page) -> None:
    """Assert that the words of every button are on one line, on a phone too."""
    count = """(all) => all.filter((one) => {
      const range = document.createRange();
      range.selectNodeContents(one);
      return one.offsetParent && range.getClientRects().length > 1;
    }).map((one) => one.textContent)"""
    for width in (PHONE, DESKTOP):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.locator("button:not(.link)").evaluate_all(count) == []


def errors(page: Page, *fields: str) -> str:
    """Return what the card says of its first field; these must be the invalid ones."""
    marked = card(page).locator("[aria-invalid=true]")
    expect(marked).to_have_count(len(fields))
    assert tuple(one.get_attribute("name") for one in marked.all()) == fields
    expect(marked.first).to_be_focused()
    described = (marked.first.get_attribute("aria-describedby") or "").split()
    expect(card(page).locator(".problem")).to_be_empty()
    return " ".join(page.locator(f"#{one}").inner_text() for one in described)


def test_every_wrong_field_is_named_at_once_and_one_wrong_digit_costs_no_hour(page: Page) -> None:
    missing, malformed = WORDS["missing"], WORDS["malformed"]
    open_confirm(page, NOBODY)
    submit(page, confirmationCode="", newPassword="nobody")
    assert errors(page, "confirmationCode", "newPassword") == missing["confirmationCode"]
    unmet = page.locator("#confirm .rules [data-state=unmet]")
    expect(unmet).to_have_count(2)  # too short, and the name in it
    submit(page, confirmationCode="12345", newPassword="")
    assert errors(page, "confirmationCode", "newPassword") == malformed["confirmationCode"]
    refused = problems.CODE_REFUSED
    for number in range(3):
        submit(page, confirmationCode=f"00000{number}", newPassword=NEW)
        expect(page.locator("#requests .outcome[data-good=false]")).to_have_count(number + 1)
        told = f"{refused.detail} {refused.recovery_suggestion}"
        assert errors(page, "confirmationCode") == (
            told if number == 2 else WORDS["problems"]["code-refused"]
        )


def test_a_mistake_is_shown_at_its_field_in_each_language_and_axe_finds_nothing_on_any_card(
    page: Page, stack: Stack, user: User
) -> None:
    missing, malformed = WORDS["missing"], WORDS["malformed"]
    submit(page, username="", password="")
    assert errors(page, "username", "password") == missing["username"]
    for number, username in enumerate((user.username, NOBODY), 1):
        submit(page, username=username, password=THIRD)
        expect(page.locator("#requests .outcome[data-good=false]")).to_have_count(number)
        assert errors(page, "password") == "The email address or the password is wrong."
    audit(page, "sign-in")
    press(page, "Forgot your password?")
    for no_address in ("not an address", "ada@example"):
        submit(page, username=no_address)
        assert errors(page, "username") == malformed["username"]
    submit(page, username="two@example.com" + "x" * 128)
    assert "128" in errors(page, "username")
    audit(page, "request")
    open_confirm(page, NOBODY)
    submit(page, confirmationCode="", newPassword="")
    expect(card(page).locator("[aria-invalid=true]")).to_have_count(2)
    audit(page, "confirm")
    for language, words in CATALOGUES.items():
        page.locator("#language").select_option(language)
        expect(page.locator("html")).to_have_attribute("lang", language)
        seen = {*page.locator("#app").inner_text().splitlines()}
        assert len(texts(words) & seen) > 20
        assert not (texts(ENGLISH) - texts(words)) & seen
        check_buttons(page)
    page.locator("#language").select_option("en")
    submit(page, confirmationCode="000000", newPassword=PASSWORDS[0])
    assert ENGLISH["rules"]["breached"] in errors(page, "newPassword")
    page.locator("#confirm-new-password").press_sequentially("1")
    expect(card(page).locator("[aria-invalid], .errors li")).to_have_count(0)
    press(page, "Back to sign-in")
    open_update(page, user)
    submit(page, oldPassword=THIRD, newPassword=NEW)
    assert problems.WRONG_PASSWORD.detail in errors(page, "oldPassword")
    press(page, "Show passwords, codes and tokens")
    page.locator("#requests details").evaluate_all("(all) => all.forEach((x) => (x.open = true))")
    audit(page, "update")
    press(page, "Cancel")
    audit(page, "account")
    press(page, "Change password")

    pool = {"UserPoolId": stack.user_pool_id, "Username": user.username}
    stack.client("cognito-idp").admin_user_global_sign_out(**pool)
    submit(page, oldPassword=OLD, newPassword=NEW)

    expect(page.locator("#sign-in-password")).to_be_focused()
    check(card(page), problems.NOT_SIGNED_IN)
    page.go_back()
    expect(page.locator("#account")).not_to_be_visible()


def test_a_field_takes_what_a_mail_program_copies_and_what_a_japanese_keyboard_writes(
    page: Page, stack: Stack, user: User
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    around = "\ufeff \u200b{}\u00a0\u2060\n"
    paste(page, "sign-in-username", around.format(user.username))
    paste(page, "sign-in-password", user.password)
    press(page, "Sign in")
    expect(page.locator("#signed-in-as")).to_have_text(f"You are signed in as {user.username}.")
    press(page, "Change password")
    paste(page, "update-old-password", user.password)
    paste(page, "update-new-password", NEW)
    card(page).locator("[type=submit]").click()
    expect(card(page)).to_contain_text("Your password was changed")
    press(page, "Continue")
    press(page, "Sign out")
    press(page, "Forgot your password?")

    paste(page, "request-username", around.format(f"Ada Lovelace <{user.username}>"))
    card(page).locator("[type=submit]").click()
    expect(page.locator("#code-sent")).to_contain_text("a***@e***")
    code = stack.code(user.username) or ""
    dashed = f"{code[:3]}\u2011{code[3:]}".translate({n: n + 0xFEE0 for n in range(48, 58)})
    paste(page, "confirm-code", around.format(dashed))
    paste(page, "confirm-new-password", THIRD)
    card(page).locator("[type=submit]").click()

    expect(card(page)).to_contain_text("Your password was changed")
    assert stack.sign_in(User(user.username, THIRD))


def test_every_reason_of_a_refusal_is_at_its_field_and_no_list_of_met_rules_is_beside_it(
    page: Page, user: User, front: CognitoFront
) -> None:
    rules, errors = page.locator("#update .rules li"), page.locator("#update .errors li")
    sentences = ENGLISH["rules"]
    name = user.username.partition("@")[0]
    open_update(page, user)

    front.answer("ChangePassword", error="InvalidPasswordException", times=1)
    submit(page, oldPassword=OLD, newPassword=NEW)
    expect(errors).to_have_text([sentences["otherReason"]])
    expect(rules).to_have_count(0)
    expect(page.locator("#update .summary")).to_be_empty()
    page.locator("#update-new-password").press_sequentially("\u00ad")
    expect(errors).to_have_count(0)
    expect(rules.locator("visible=true")).not_to_have_count(0)
    submit(page)
    expect(errors).to_have_text([sentences["invisibleCharacter"]])
    expect(rules).to_have_count(0)

    submit(page, newPassword=f"{name} {NEW}")
    expect(errors).to_have_text([sentences["containsUsername"].format(part=name)])
    unmet = page.locator("#update .rules [data-state=unmet]")
    expect(unmet).to_contain_text(ENGLISH["page"]["rules"]["containsUsername"])

    submit(page, oldPassword="", newPassword=NEW)
    shown = page.locator("#update-old-password-errors")
    expect(shown).to_have_text(WORDS["missing"]["oldPassword"])
    submit(page, oldPassword=f"{OLD} ")
    wrong = problems.WRONG_PASSWORD
    expect(page.locator("#update-old-password-errors")).to_contain_text(wrong.detail)


def test_a_sign_in_that_is_too_old_leads_to_the_form_for_a_new_one(
    page: Page, stack: Stack, user: User
) -> None:
    problem, rule, most = problems.SIGN_IN_TOO_OLD, "maxSignInAge", 300
    sentence = problems.REQUEST_RULES[rule].format(maximum=most)
    error = problems.FieldError("Authorization", rule, sentence, {"maximum": most})
    answer = {
        "status": problem.status,
        "headers": {"Access-Control-Allow-Origin": "*"},
        "json": problem.document("a-request", [error]),
    }
    page.route(f"{stack.url}/update-password", lambda route: route.fulfill(**answer))
    open_update(page, user)
    submit(page, oldPassword=OLD, newPassword=NEW)

    expect(page.locator("#sign-in-password")).to_be_focused()
    check(card(page), problem)
    expect(card(page)).to_contain_text(sentence)
    page.unroute_all()
    open_update(page, user)
    submit(page, oldPassword=OLD, newPassword=NEW)
    expect(card(page)).to_contain_text("Your password was changed")


def test_a_failure_of_cognito_or_of_the_network_is_told_with_what_it_leaves_open(
    page: Page, stack: Stack, user: User, front: CognitoFront
) -> None:
    front.answer("ConfirmForgotPassword", error="InternalErrorException", status=500)
    open_confirm(page, user.username)
    shown = submit(page, newPassword=NEW)
    check(shown, problems.OUTCOME_UNKNOWN)
    expect(shown).to_contain_text("Request ID: ")

    # At a 502, the client would try again.
    proxy = {"status": 500, "headers": {"Access-Control-Allow-Origin": "*"}, "body": "<html>"}
    page.route(f"{stack.url}/**", lambda route: route.fulfill(**proxy))
    submit(page)
    for text in ENGLISH["problems"]["unexpected-response-of-change"].values():
        expect(shown).to_contain_text(text)

    page.route("**/local/sign-in", lambda route: route.abort("connectionreset"))
    press(page, "Back to sign-in")
    network_error = ENGLISH["problems"]["network-error"]["recoverySuggestion"]
    expect(submit(page, password=OLD)).to_contain_text(network_error)


def test_a_limit_counts_down_and_keeps_only_this_user_waiting(page: Page, stack: Stack) -> None:
    sent: list[Route] = []
    page.route(f"{stack.url}/**", lambda route: sent.append(route))  # noqa: PLW0108
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    press(page, "Forgot your password?")
    outcome, button = page.locator("#request"), page.locator("#request [type=submit]")
    timer, status = outcome.locator(".countdown"), outcome.locator(".status")
    exceeded = problems.ATTEMPTS_EXCEEDED

    def exceed(number: int) -> None:
        for _ in range(3):  # The second press, and the third, send nothing.
            button.click()
        expect(page.locator("#requests li")).to_have_count(number)
        headers = {"Access-Control-Expose-Headers": "*", "Retry-After": "3600"}
        headers |= {"Access-Control-Allow-Origin": "*"}
        body = json.dumps(exceeded.document("a-request"))
        sent[-1].fulfill(status=exceeded.status, headers=headers, body=body)
        check(outcome, exceeded)
        expect(outcome.locator(".problem")).to_be_focused()
        expect(button).to_be_disabled()
        expect(timer).to_have_text("60:00")

    exceed(1)
    once = status.text_content() or ""
    assert once.startswith("You can try again at ")
    page.locator("#request-username").press("Enter")
    page.clock.fast_forward(3_500_000)
    expect(timer).to_have_text("1:40")
    expect(status).to_have_text(once)
    page.clock.fast_forward(100_000)
    expect(timer).to_be_empty()
    expect(status).to_have_text("You can try again now.")

    exceed(2)
    page.clock.resume()  # axe-core waits for timers
    audit(page, "request")
    fill(page, username="grace@example.com")
    expect(button).to_be_enabled()
    assert len(sent) == 2


def test_a_code_is_sent_again_after_a_minute_and_only_to_another_name_before(
    page: Page, stack: Stack, user: User
) -> None:
    sent: list[str | None] = []
    answer = {"isPasswordReset": False, "nextStep": {"resetPasswordStep": "DONE"}}

    def respond(route: Route) -> None:
        sent.append(route.request.post_data)
        headers = {"Access-Control-Allow-Origin": "*"}
        route.fulfill(json=answer, headers=headers)

    page.route(f"{stack.url}/reset-password", respond)
    page.clock.install(time=0)
    page.clock.pause_at(1000)
    again, left = page.locator("#send-again"), page.locator("#send-again-in")
    press(page, "Forgot your password?")
    submit(page)

    for number in (1, 2):
        expect(page.locator("#code-sent")).to_contain_text("Only the latest code works.")
        expect(page.locator("#confirm-code")).to_be_focused()
        expect(left).to_have_text("1:00")
        expect(again).to_be_disabled()
        expect(page.locator("#send-again-status")).to_contain_text("You can send the code again at")
        page.clock.fast_forward(59_000)
        expect(left).to_have_text("0:01")
        page.clock.fast_forward(1000)
        expect(left).to_be_empty()
        options = {"clientMetadata": {"locale": "en"}}
        body = {"username": user.username, "options": options}
        assert sent == [json.dumps(body, separators=(",", ":"))] * number
        again.click()

    expect(page.get_by_text(ENGLISH["page"]["otherMail"])).to_be_visible()
    expect(left).to_have_text("1:00")
    page.clock.resume()  # axe-core waits for timers
    audit(page, "confirm")
    press(page, "Did not get a code?")
    expect(page.locator("#request [type=submit]")).to_be_disabled()
    fill(page, username=NOBODY)
    expect(page.locator("#request [type=submit]")).to_be_enabled()
    expect(again).to_be_enabled()

    open_confirm(page, NOBODY)
    page.route(f"{stack.url}/reset-password", lambda route: route.abort("connectionreset"))
    again.click()
    for text in ENGLISH["problems"]["network-error"].values():
        expect(page.locator("#request:visible .problem")).to_contain_text(text)


def test_the_page_speaks_the_language_of_the_browser_and_english_where_that_has_no_words(
    browser: Browser,
) -> None:
    for locale, language in (("pt-BR", "pt"), ("is", "en")):
        with tab(browser, locale=locale) as page:
            page.goto(ORIGIN)
            title = CATALOGUES[language]["page"]["title"]
            expect(page).to_have_title(title.format(name="Acme"))
            expect(page.locator("html")).to_have_attribute("lang", language)
    with tab(browser, locale="de") as page:
        german = {"page": {"title": "Nur ein Satz"}}
        page.route("**/languages/de.json", lambda route: route.fulfill(json=german))
        page.goto(ORIGIN)
        expect(page).to_have_title(german["page"]["title"])
        expect(page.locator("#request-title")).to_have_text(ENGLISH["page"]["resetPassword"])
    with tab(browser, java_script_enabled=False) as page:
        page.goto(ORIGIN)
        # A text that only `inner_text` includes.
        assert page.locator("body").inner_text().startswith("This page needs JavaScript.")


def test_a_password_is_hidden_when_it_is_sent_and_a_password_manager_knows_each_field(
    page: Page,
) -> None:
    field, button = page.locator("#sign-in-password"), page.locator("#sign-in-password-show")
    for key, kind in (("Enter", "text"), ("Enter", "password"), ("Space", "text")):
        button.press(key)
        expect(field).to_have_attribute("type", kind)
        expect(button).to_have_text("Hide" if kind == "text" else "Show")
    submit(page, password=THIRD)
    expect(field).to_have_attribute("type", "password")
    expect(button).to_have_text("Show")
    for new in page.locator("[autocomplete=new-password]").all():
        expect(new).to_have_attribute("passwordrules", "minlength: 15; maxlength: 256;")

    marks = "(all) => all.map((one) => `${one.form.id} ${one.autocomplete} ${one.type}`)"
    assert {*page.locator("input:not([type=checkbox])").evaluate_all(marks)} == {
        *(f"{form} username email" for form in FORMS),
        *(f"{form} current-password password" for form in ("sign-in", "update")),
        *(f"{form} new-password password" for form in ("confirm", "update", "first")),
        "confirm one-time-code text",
    }
    expect(page.locator("[maxlength], [pattern]")).to_have_count(0)


def test_going_back_forgets_the_secrets_and_the_inbox_offers_only_a_code_that_works(
    page: Page, stack: Stack, user: User
) -> None:
    mails = page.locator("#inbox > li")
    use = page.locator("#inbox").get_by_role("button", name="Use code")
    page.set_viewport_size({"width": PHONE, "height": 640})
    press(page, "Forgot your password?")
    submit(page)
    expect(mails.locator("time")).to_have_text(re.compile(r"\d:\d\d:\d\d"))
    fill(page, confirmationCode="123456", newPassword=NEW)
    page.go_back()
    expect(page.locator("#request-username")).to_have_value(user.username)
    secrets = page.locator("input:not([name=username], [type=checkbox])")
    assert {field.input_value() for field in secrets.all()} == {""}
    page.go_forward()
    stack.request_code(user.username)
    expect(mails).to_have_count(2)
    assert [button.is_enabled() for button in use.all()] == [True, False]

    # On a phone, the inbox is far below the field.
    latest = page.locator("#latest").get_by_role("button", name="Use code")
    expect(latest).to_be_in_viewport(ratio=1)
    expect(page.locator("#confirm-code")).to_be_in_viewport(ratio=1)
    latest.click()
    code = page.locator("#confirm-code").input_value()
    assert code == page.locator("#inbox code").first.text_content()
    submit(page, newPassword=NEW)

    expect(mails).to_have_count(3)
    expect(mails.first).to_contain_text(f"The password of your account {user.username} was changed")
    assert [button.is_enabled() for button in use.all()] == [False, False]
    audit(page, "done")
    press(page, "Sign in")
    fill(page, username=NOBODY)
    expect(mails).to_have_count(0)
    expect(page.get_by_text("There is no mail for this address yet.")).to_be_visible()


def check_row(page: Page, part: str, cells: list[str]) -> None:
    """Wait until a part was sent these: the address, the code, the password and the token."""
    shown = page.locator(f"#flow [data-part={part}]")
    expect(shown).to_have_attribute("data-reached", "true")
    expect(shown.locator("td")).to_have_text(cells)


def test_the_page_draws_what_each_part_was_sent_and_when(
    page: Page, stack: Stack, user: User
) -> None:
    yes, no = "Yes", "No"
    press(page, "Forgot your password?")
    submit(page)

    summary = page.locator("#flow-summary")
    expect(summary).to_contain_text("POST /reset-password: answered with 200 after ")
    only_address = [yes, no, no, no]
    for part in ("browser", "gateway", "function", "queue", "worker"):
        check_row(page, part, only_address)
    check_row(page, "table", [no] * 4)  # keyed hashes
    for part in ("cognito", "mailbox"):
        check_row(page, part, [yes, yes, no, no])
    expect(summary).to_contain_text(WORDS["flowApart"])
    expect(page.locator("#flow [data-part=breaches]")).to_have_attribute("data-reached", "false")

    submit(page, confirmationCode=stack.code(user.username) or "", newPassword=NEW)
    expect(card(page)).to_contain_text("Your password was changed")

    expect(summary).to_contain_text("POST /confirm-reset-password: answered with 204 after ")
    for part in ("browser", "gateway", "function", "cognito"):
        check_row(page, part, [yes, yes, yes, no])
    check_row(page, "table", [no] * 4)
    for part in ("queue", "worker", "mailbox"):
        check_row(page, part, only_address)


def test_a_user_without_a_password_chooses_the_first_one(
    page: Page, user: User, front: CognitoFront
) -> None:
    submit(page, username=user.username, password=user.password)
    press(page, "No password yet?")
    shown = submit(page, newPassword=NEW)
    expect(shown).to_contain_text(WORDS["problems"]["update-password-missing"])

    front.answer("ChangePassword", body={}, times=1)  # as AWS does for such a user
    submit(page)

    expect(card(page)).to_contain_text("Your password was changed")
    (sent,) = [one.body for one in front.requests if one.action == "ChangePassword"][-1:]
    assert "PreviousPassword" not in sent


def test_a_broken_rule_looks_broken_while_one_types(page: Page, user: User) -> None:
    open_confirm(page, user.username)
    field = page.locator("#confirm-new-password")
    states = "(all) => all.map((one) => one.dataset.state)"
    rules = page.locator("#confirm .rules li")

    field.press_sequentially(f"{user.username} ")
    expect(rules.filter(has_text=WORDS["rules"]["edgeSpace"])).to_have_attribute(
        "data-state", "unmet"
    )
    field.fill("short")
    assert rules.evaluate_all(states)[0] == "pending"
    page.locator("#confirm-code").focus()
    assert rules.evaluate_all(states)[0] == "unmet"


def test_the_story_starts_again(page: Page, stack: Stack) -> None:
    user = stack.demo_users[1]
    stack.create(User(user.username, NEW))
    stack.request_code(user.username)
    press(page, user.username)
    expect(page.locator("#inbox > li")).not_to_have_count(0)

    press(page, "Start again")

    expect(page.locator("#sign-in-username")).to_have_value(stack.demo_user.username)
    press(page, user.username)
    expect(page.locator("#inbox > li")).to_have_count(0)
    submit(page, password=user.password)
    expect(page.locator("#signed-in-as")).to_contain_text(user.username)


def test_a_password_manager_is_led_to_the_form_for_a_new_password(page: Page, user: User) -> None:
    page.goto(f"{ORIGIN}/.well-known/change-password")
    submit(page, username=user.username, password=user.password)

    expect(page.locator("#update-old-password")).to_be_focused()
    assert page.url == f"{ORIGIN}/"


def test_the_api_page_is_dark_in_the_dark_leads_back_and_shows_an_operation_on_a_screen(
    browser: Browser,
) -> None:
    wrong: list[str] = []
    with tab(browser, color_scheme="dark", viewport={"width": DESKTOP, "height": 1000}) as page:
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda one: wrong.append(one.text) if "Policy" in one.text else None)
        page.goto(f"{ORIGIN}/docs")
        for operation in page.locator(".opblock").all():
            operation.locator(".opblock-summary-control").click()
            expect(operation.locator(".responses-table")).to_be_visible()
            box = operation.bounding_box()
            assert box
            assert box["height"] < 1000
            operation.locator(".opblock-summary-control").click()
        background = "getComputedStyle(document.body).backgroundColor"
        night = page.evaluate(background)
        page.emulate_media(color_scheme="light")
        expect(page.locator("html.dark-mode")).to_have_count(0)
        assert page.evaluate(background) != night
        page.get_by_role("link", name="Back to the page").click()
        expect(page.locator("#sign-in")).to_be_visible()
    assert wrong == []
