"""`make screenshot`: take the README's picture of the page."""

from typing import Final

from local import emulator
from local.deployment import local_stack
from local.processes import ROOT
from tests.support.chromium import ORIGIN, chromium

FILE: Final = ROOT / "docs" / "page.png"


def main() -> None:
    """Go on until a new password is refused, with everything in sight that there is to see."""
    emulator.isolate()
    with local_stack(emulator.free_port(), say=print) as stack, chromium(stack) as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 960}, color_scheme="light")
        page.goto(ORIGIN)
        page.get_by_role("button", name="Send a code").click()
        page.get_by_role("button", name="Use it").click()
        page.locator("#confirm-new-password").fill("demo-harbour ")
        page.get_by_role("button", name="Set the password").click()
        page.locator("#confirm .origin").wait_for()
        page.screenshot(path=FILE)


main()
