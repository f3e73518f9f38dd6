"""`make screenshot`: take the pictures of the page and of a mail for the documentation."""

import json
from typing import Any, Final

import urllib3
from playwright.sync_api import expect

from functions.custom_message.handler import build
from local import emulator
from local.deployment import local_stack
from tests.support import ROOT
from tests.support.chromium import ORIGIN, chromium, tab
from tests.support.invocation import SETTINGS, Context

PICTURES: Final[dict[str, tuple[Any, int, int]]] = {
    "page.png": ("light", 1280, 860),
    "page-dark.png": ("dark", 1280, 860),
    "page-phone.png": ("light", 390, 844),
}
"""The colour scheme, the width and the height of each, in `docs/`."""
MAILS: Final[dict[str, tuple[Any, int, int]]] = {
    "mail.png": ("light", 640, 460),
    "mail-dark.png": ("dark", 640, 460),
    "mail-phone.png": ("light", 390, 560),
}


def main() -> None:
    """Show a code in the inbox and a new password that meets every rule but one; then a mail."""
    emulator.isolate()
    with local_stack(emulator.free_port(), say=print) as stack, chromium(stack) as browser:
        # The first request waits for cold starts, and its times would be in the picture.
        warm = {"username": stack.demo_users[-1].username}
        urllib3.request("POST", f"{stack.url}/reset-password", json=warm)
        stack.settle()
        for name, (scheme, width, height) in PICTURES.items():
            options = {"color_scheme": scheme, "device_scale_factor": 2}
            stack.restart()  # its user may be reset again at once
            with tab(browser, viewport={"width": width, "height": height}, **options) as page:
                page.goto(ORIGIN)
                page.get_by_role("button", name="Forgot your password?").click()
                page.get_by_role("button", name="Send code").click()
                expect(page.locator("#code-sent")).not_to_be_empty()
                expect(page.locator("#confirm .rules li")).not_to_have_count(0)
                page.get_by_role("button", name="Use code").first.click()
                page.locator("#confirm-new-password").fill("a-demo-of-quiet-harbours")
                reached = page.locator("#flow [data-part=mailbox][data-reached=true]")
                expect(reached).to_be_visible()
                page.evaluate("scrollTo(0, 0)")
                page.screenshot(path=ROOT / "docs" / name)
        mail = write_mail()
        for name, (scheme, width, height) in MAILS.items():
            options = {"color_scheme": scheme, "device_scale_factor": 2}
            with tab(browser, viewport={"width": width, "height": height}, **options) as page:
                page.set_content(mail)
                page.screenshot(path=ROOT / "docs" / name)


def write_mail() -> str:
    """Return the mail of a reset, with a code as Cognito puts it there."""
    event = json.loads((ROOT / "events/custom_message.json").read_text())
    event["request"]["clientMetadata"] = {"locale": "en"}
    settings = SETTINGS.replace(mail_name="Acme", code_url="https://app.example.com/reset")
    handler: Any = build(settings)
    message: str = handler(event, Context())["response"]["emailMessage"]
    return message.replace("{####}", "482916")


main()
