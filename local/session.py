"""`make run`: a local stack to try the service on."""

import json
import os
import select
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from threading import Thread
from typing import Final

from urllib3.exceptions import HTTPError

from local.breaches import PASSWORDS
from local.deployment import local_stack
from local.emulator import HOST
from local.processes import ROOT
from local.runs import check
from local.stack import Stack
from local.web import origins, pages, website

CHOSEN: Final = "second-quiet-harbour-42"
UPDATED: Final = "third-quiet-harbour-43"
"""The passwords that the second and the third printed command set."""

_PAUSE: Final = 0.3
"""Seconds between two checks of the mailbox, and of the terminal."""


def run(port: int, web_port: int, more_origins: Sequence[str]) -> None:
    """Deploy the stack, print a welcome, then print codes as they are mailed, until a signal.

    Pages of `more_origins` may call the API too.
    """
    if port == web_port:
        sys.exit("PORT and WEB_PORT must differ.")
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:5.1f} s  {line}", flush=True)

    Thread(target=_watch, daemon=True).start()
    check(port, "PORT", say)
    with (
        website(web_port, say) as routes,
        local_stack(port, say=say, origins=(*origins(web_port), *more_origins)) as stack,
    ):
        try:
            routes.update(pages(stack))
            stack.save()
            say("started")
            print(f"\n{_introduction(stack, web_port)}\n\nready {stack.url}", flush=True)
            _report_mails(stack)
        except KeyboardInterrupt:
            print("stopping", flush=True)


def _watch() -> None:
    """End this process when its terminal, the reader of its output or its parent is gone.

    Closing a terminal signals only the leader of the session. If that is make, it waits for this
    process instead of passing the signal on.
    """
    parent = os.getppid()
    poll = select.poll()
    for stream in (0, 1, 2):
        if stream == 1 or os.isatty(stream):
            poll.register(stream, 0)
    gone = select.POLLHUP | select.POLLERR
    while os.getppid() == parent and not any(event & gone for _, event in poll.poll(0)):
        time.sleep(_PAUSE)
    os.kill(os.getpid(), signal.SIGTERM)


def _report_mails(stack: Stack) -> None:
    seen = 0
    while True:
        try:
            mails = stack.mails()
        except HTTPError:
            sys.exit(
                "The emulator no longer responds, so this run has ended: start make run again."
            )
        for mail in mails[seen:]:
            what = f"code {mail.code}" if mail.code else mail.subject
            print(f"{time.strftime('%X')}  mailed to {mail.to}: {what}", flush=True)
        seen = len(mails)
        time.sleep(_PAUSE)


def _introduction(stack: Stack, web_port: int) -> str:
    user, *others = stack.demo_users
    reset = _curl(stack, "/reset-password", {"username": user.username})
    confirm = _curl(
        stack,
        "/confirm-reset-password",
        {"username": user.username, "confirmationCode": "CODE", "newPassword": CHOSEN},
    ).replace("CODE", f"""'"$({_make(stack, "code")})"'""")
    update = _curl(
        stack,
        "/update-password",
        {"oldPassword": CHOSEN, "newPassword": UPDATED},
        f"""-H "Authorization: Bearer $({_make(stack, f"token PASSWORD={CHOSEN}")})" """,
    )
    return f"""\
Page       http://{HOST}:{web_port}/
API docs   http://{HOST}:{web_port}/docs
Base URL   {stack.url}
Inbox      {stack.mailbox}
Username   {user.username} (or {" or ".join(one.username for one in others)})
Password   {user.password}
Breached   {PASSWORDS[0]} (try it as a new password: it is refused)

1. Request a code:

{reset}

2. Choose a new password with the code:

{confirm}

3. Change that password:

{update}

For the commands of the README: export URL={stack.url}

Codes appear here as they are mailed. Press Ctrl-C to stop everything."""


def _curl(stack: Stack, path: str, body: dict[str, str], headers: str = "") -> str:
    return (
        f"curl -si -w '\\n' {stack.url}{path} {headers}"
        f"-H 'Content-Type: application/json' -d '{json.dumps(body)}'"
    )


def _make(stack: Stack, target: str) -> str:
    """Return a command that works in any folder and uses this stack, even if others are running."""
    return f"make -sC {shlex.quote(str(ROOT))} {target} PORT={stack.port}"
