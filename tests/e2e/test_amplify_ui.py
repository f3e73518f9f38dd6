"""Amplify's own screens in Chromium, as `examples/amplify-ui/` uses them, before the stack."""

import json
import subprocess
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from functions.problems import CODE_REFUSED, PASSWORD_REFUSED, WRONG_PASSWORD
from local.stack import Stack, User
from local.web import Answer, Routes
from tests.e2e.conftest import NEW
from tests.support import PATIENCE, ROOT
from tests.support.chromium import ORIGIN, chromium, tab

EXAMPLE: Final = ROOT / "examples" / "amplify-ui"
BUILT: Final = ROOT / ".build" / "amplify-ui"
THIRD = "a-third-quiet-harbour-53"


def build(stack: Stack) -> Routes:
    """Build the example, and return its pages under a strict policy, configured for the stack."""
    esbuild = ROOT / "node_modules" / ".bin" / "esbuild"
    options = ("--bundle", "--format=esm", "--jsx=automatic", "--minify", "--log-level=warning")
    command = (esbuild, EXAMPLE / "main.jsx", *options, f"--outdir={BUILT}")
    subprocess.run(command, check=True, timeout=PATIENCE)
    stack.save()
    config = subprocess.check_output(
        ["node", EXAMPLE / "configure.js", str(stack.port)], timeout=PATIENCE
    )
    emulator = "{0.scheme}://{0.netloc}".format(urlsplit(stack.endpoint))
    policy = (
        f"default-src 'none'; connect-src 'self' {emulator}; script-src 'self'; style-src 'self'"
    )
    page = (EXAMPLE / "index.html").read_bytes()
    script, styles = ((BUILT / name).read_bytes() for name in ("main.js", "main.css"))
    return {
        ("GET", "/amplify-ui/"): lambda _: Answer("text/html", page, policy=policy),
        ("GET", "/amplify-ui/built/main.js"): lambda _: Answer("text/javascript", script),
        ("GET", "/amplify-ui/built/main.css"): lambda _: Answer("text/css", styles),
        ("GET", "/amplify-ui/config.json"): lambda _: Answer("application/json", config),
    }


@pytest.fixture
def page(stack: Stack) -> Iterator[Page]:
    wrong: list[str] = []
    with chromium(stack, build(stack)) as browser, tab(browser) as page:
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda one: wrong.append(one.text) if "Policy" in one.text else None)
        page.goto(f"{ORIGIN}/amplify-ui/")
        yield page
    assert wrong == []


def submit(page: Page, button: str, **values: str) -> None:
    for name, value in values.items():
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name=button, exact=True).click()


def test_the_example_has_the_versions_that_are_tested() -> None:
    ours, example = (json.loads((f / "package.json").read_text()) for f in (ROOT, EXAMPLE))

    wanted = example["dependencies"] | example["devDependencies"]
    assert wanted.items() <= ours["devDependencies"].items()


def test_amplifys_screens_reset_a_forgotten_password_and_then_change_it(
    page: Page, stack: Stack, user: User
) -> None:
    alert = page.get_by_role("alert")
    page.get_by_role("button", name="Forgot your password?").click()
    submit(page, "Send code", username=user.username)
    expect(page.locator("[name=confirmation_code]")).to_be_visible()

    submit(page, "Submit", confirmation_code="000000", password=NEW, confirm_password=NEW)
    expect(alert).to_contain_text(CODE_REFUSED.detail)
    expect(alert).to_contain_text(CODE_REFUSED.recovery_suggestion)
    submit(page, "Submit", password="eight-ch", confirm_password="eight-ch")
    expect(alert).to_contain_text(PASSWORD_REFUSED.detail)
    expect(alert).to_contain_text("at least 15 characters")
    code = stack.code(user.username) or ""
    submit(page, "Submit", confirmation_code=code, password=NEW, confirm_password=NEW)
    submit(page, "Sign in", username=user.username, password=NEW)
    expect(page.get_by_text(f"You are signed in as {user.username}.")).to_be_visible()

    submit(page, "Change password", old=THIRD, new=f"{THIRD}x")
    expect(alert).to_contain_text(WRONG_PASSWORD.detail)
    submit(page, "Change password", old=NEW, new=THIRD)
    expect(alert).to_have_text("The password is changed.")

    assert stack.sign_in(User(user.username, THIRD))
