"""Open the page of a stack in Chromium, for tests and screenshots."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, expect, sync_playwright

from infra.settings import Deployment
from local import emulator
from local.stack import Stack
from local.web import Routes, pages, website
from tests.support import PATIENCE, ROOT

ORIGIN: Final = Deployment.of_stage("local").allowed_origins[0]
"""The page's address in the browser, no matter which port serves it."""

_PATIENCE: Final = 1000 * PATIENCE
"""Milliseconds."""


@contextmanager
def chromium(stack: Stack, more: Routes | None = None) -> Iterator[Browser]:
    """Serve the page, and start Debian's Chromium, or else Google's, until the block is left.

    `more` is served as well. Chromium lets nothing that Playwright fulfilled call a local server.
    """
    port = emulator.free_port()
    program = shutil.which("chromium") or shutil.which("google-chrome")
    arguments = [
        f"--host-resolver-rules=MAP {urlsplit(ORIGIN).netloc} {emulator.HOST}:{port}",
        # Otherwise each window starts a renderer for the menu of its address bar. The features that
        # Playwright disables are enabled again, because Chromium takes only the last list.
        "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")  # it does not start as root otherwise
    expect.set_options(timeout=_PATIENCE)
    with website(port) as routes, sync_playwright() as playwright:
        routes.update(pages(stack) | (more or {}))
        browser = playwright.chromium.launch(
            executable_path=program,
            args=arguments,
            timeout=_PATIENCE,
            # It would keep its crash reports in the home folder.
            env={**os.environ, "XDG_CONFIG_HOME": str(ROOT / ".local" / "config")},
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def tab(browser: Browser, **options: Any) -> Iterator[Page]:
    """Open an empty page in a context of its own; the options are those of `new_context`."""
    with browser.new_context(**options) as context:
        context.set_default_timeout(_PATIENCE)
        yield context.new_page()
