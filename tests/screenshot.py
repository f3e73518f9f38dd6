"""`make screenshot`: take the pictures of the page for the documentation."""

from typing import Any, Final

from local import emulator
from local.deployment import local_stack
from tests.support import ROOT
from tests.support.chromium import ORIGIN, chromium, tab

PICTURES: Final[dict[str, tuple[Any, int, int]]] = {
    "page.png": ("light", 1280, 860),
    "page-dark.png": ("dark", 1280, 860),
    "page-phone.png": ("light", 390, 844),
}
"""The colour scheme, the width and the height of each, in `docs/`."""


def main() -> None:
    """Show a code in the inbox and a new password that meets every rule but one."""
    emulator.isolate()
    with local_stack(emulator.free_port(), say=print) as stack, chromium(stack) as browser:
        for name, (scheme, width, height) in PICTURES.items():
            options = {"color_scheme": scheme, "device_scale_factor": 2}
            with tab(browser, viewport={"width": width, "height": height}, **options) as page:
                page.goto(ORIGIN)
                page.get_by_role("button", name="Forgot your password?").click()
                page.get_by_role("button", name="Send code").click()
                page.get_by_role("button", name="Use code").first.click()
                page.locator("#confirm-new-password").fill("a-demo-of-quiet-harbours")
                page.evaluate("scrollTo(0, 0)")
                page.screenshot(path=ROOT / "docs" / name)


main()
