"""The pages of `make run`, and the few things that they ask of the runner: only on loopback."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from functions import problems
from functions.problems import Problem
from local import emulator
from local.deployment import read_settings
from local.processes import ROOT
from local.runs import hold
from local.servers import serve
from local.stack import ChallengeError, Stack, User

PORT: Final = 3000
"""The one whose origins the stage `local` allows."""
WELL_KNOWN: Final = "/.well-known/change-password"
"""Where password managers take a user whose password should be changed (W3C)."""

_HOSTS: Final = (emulator.HOST, "localhost")
_WEB: Final = ROOT / "web"
_PACKAGES: Final = ROOT / "node_modules"
_FONT: Final = "atkinson-hyperlegible-{0}/files/atkinson-hyperlegible-{0}-latin-wght-normal.woff2"
_PAGE: Final = {
    "/": _WEB / "index.html",
    **{
        f"/{name}": _WEB / name
        for name in (
            *("icon.svg", "page.css", "page.js", "elements.js", "flow.js", "inbox.js"),
            *("language.js", "request-log.js", "password-service.js"),
        )
    },
    "/fonts/text.woff2": _PACKAGES / "@fontsource-variable" / _FONT.format("next"),
    "/fonts/code.woff2": _PACKAGES / "@fontsource-variable" / _FONT.format("mono"),
}
_DOCS: Final = {
    "/docs": _WEB / "docs.html",
    "/docs.css": _WEB / "docs.css",
    "/docs.js": _WEB / "docs.js",
    "/swagger-ui-bundle.js": _PACKAGES / "swagger-ui-dist" / "swagger-ui-bundle.js",
    "/swagger-ui.css": _PACKAGES / "swagger-ui-dist" / "swagger-ui.css",
}
_JSON: Final = "application/json"
_MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": _JSON,
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""With the policy below, what a page in production should have as well."""

_NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
"""The content security policy of what needs nothing."""
_TRUSTED_TYPES: Final = "require-trusted-types-for 'script'; trusted-types 'none'"

_MAX_BODY: Final = 10_000
"""Bytes."""

_UNREADABLE: Final = Problem(
    "unreadable-request",
    "InvalidParameterException",
    HTTPStatus.BAD_REQUEST,
    "Unreadable request",
    "The request cannot be read.",
    "Reload the page and try again.",
)
_ANOTHER_SITE: Final = Problem(
    "another-site",
    "ForbiddenException",
    HTTPStatus.FORBIDDEN,
    "Not from this page",
    "Only the local page can send this request, with at most 10,000 bytes of JSON.",
    "Use the page that make run serves.",
)
_ANOTHER_HOST: Final = Problem(
    "another-host",
    "ForbiddenException",
    HTTPStatus.MISDIRECTED_REQUEST,
    "Wrong host name",
    "This server responds only to the names 127.0.0.1 and localhost.",
    "Open the address that make run printed.",
)
_NOT_FOUND: Final = Problem(
    "page-not-found",
    "NotFoundException",
    HTTPStatus.NOT_FOUND,
    "Page not found",
    "There is nothing at this path.",
    "Open the address that make run printed.",
)
_NO_EMULATOR: Final = Problem(
    "emulator-unreachable",
    "InternalErrorException",
    HTTPStatus.BAD_GATEWAY,
    "Emulator unreachable",
    "The emulator does not respond.",
    "Start make run again.",
)
_SIGN_IN_REFUSED: Final = Problem(
    "sign-in-refused",
    "NotAuthorizedException",
    HTTPStatus.UNAUTHORIZED,
    "Sign-in refused",
    "The username or the password is wrong.",
    "Enter both again, or reset the password.",
)
_SIGN_IN_INCOMPLETE: Final = Problem(
    "sign-in-incomplete",
    "NotAuthorizedException",
    HTTPStatus.FORBIDDEN,
    "Sign-in incomplete",
    "Cognito asks for another step.",
    "Sign in as the demo user instead.",
)


class Answer(NamedTuple):
    """The answer to a request. `policy` is its content security policy; it may lead elsewhere."""

    media_type: str
    content: bytes
    status: HTTPStatus = HTTPStatus.OK
    policy: str = _NOTHING
    location: str = ""


type Routes = dict[tuple[str, str], Callable[[Any], Answer]]
"""The answers by method and path; each function gets the JSON that was sent, or None."""


def origins(port: int) -> list[str]:
    """Return those of the pages."""
    return [f"http://{host}:{port}" for host in _HOSTS]


@contextmanager
def website(port: int, say: Callable[[str], None] = print) -> Iterator[Routes]:
    """Serve what is put into the dictionary; it is empty at first."""
    routes: Routes = {}
    handler = type("Handler", (_Handler,), {"routes": routes})
    with hold(port, "WEB_PORT", say), serve(handler, port):
        yield routes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    routes: Routes

    def handle(self) -> None:
        # A browser that is closed drops its connections.
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        self._send(self._answer("GET"))

    do_HEAD = do_GET  # noqa: N815 - the name is http.server's

    def do_POST(self) -> None:
        # An unread rest would be taken for the next request.
        self.close_connection = True
        if not _is_own(self.headers):
            self._send(_refuse(_ANOTHER_SITE))
            return
        try:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        except (ValueError, RecursionError):
            self._send(_refuse(_UNREADABLE))
        else:
            self._send(self._answer("POST", sent))

    def _answer(self, method: str, sent: object = None) -> Answer:
        try:
            host = urlsplit(f"//{self.headers['Host']}").hostname
        except ValueError:
            return _refuse(_UNREADABLE)
        # If another name that leads here were answered, its scripts would be same-origin.
        if host not in _HOSTS:
            return _refuse(_ANOTHER_HOST)
        route = self.routes.get((method, self.path.partition("?")[0]))
        try:
            return route(sent) if route else _refuse(_NOT_FOUND)
        except (BotoCoreError, HTTPError):
            return _refuse(_NO_EMULATOR)  # the emulator is stopping

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", answer.policy)
        if answer.location:
            self.send_header("Location", answer.location)
        self.send_header("Content-Type", answer.media_type)
        self.send_header("Content-Length", str(len(answer.content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing between the lines that tell of codes."""


def _is_own(headers: Message) -> bool:
    """Whether a post is from a page of this site: a browser says so, and no form can send JSON."""
    length = headers["Content-Length"] or ""
    return (
        headers["Origin"] == f"http://{headers['Host']}"
        and headers["Content-Type"] == _JSON
        and re.fullmatch("[0-9]{1,5}", length) is not None
        and int(length) <= _MAX_BODY
    )


def pages(stack: Stack) -> Routes:
    """The page with what it asks of the runner, and the documentation of the API."""
    forgotten: set[str] = set()
    api = "{0.scheme}://{0.netloc}".format(urlsplit(stack.url))
    own = f"{_NOTHING}; connect-src 'self' {api}; script-src 'self'"
    page = f"{own}; font-src 'self'; img-src 'self'; style-src 'self'; {_TRUSTED_TYPES}"
    # Swagger UI styles its elements itself, and its icons are data.
    docs = f"{own}; font-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"
    return {
        **{("GET", path): partial(_file, file, page) for path, file in _PAGE.items()},
        **{("GET", path): partial(_file, file, docs) for path, file in _DOCS.items()},
        **{
            ("GET", f"/languages/{file.name}"): partial(_file, file, _NOTHING)
            for file in (_WEB / "languages").iterdir()
        },
        ("GET", "/openapi.json"): lambda _: _document(stack),
        ("GET", "/config.json"): lambda _: _configuration(stack),
        ("GET", WELL_KNOWN): lambda _: _redirect("/#change-password"),
        ("GET", "/local/news"): lambda _: _news(stack, forgotten),
        ("POST", "/local/restart"): lambda _: _restart(stack, forgotten),
        ("POST", "/local/sign-in"): partial(_sign_in, stack),
    }


def _file(file: Path, policy: str, _: object) -> Answer:
    # Read each time, so that a change shows without a new deployment.
    return Answer(_MEDIA_TYPES[file.suffix], file.read_bytes(), policy=policy)


def _document(stack: Stack) -> Answer:
    document = json.loads((ROOT / "openapi.json").read_text())
    return _json(document | {"servers": [{"url": stack.url}]})


def _configuration(stack: Stack) -> Answer:
    users = [user._asdict() for user in stack.demo_users]
    name = read_settings().mail_name
    return _json({"endpoint": stack.url, "name": name, "demoUsers": users})


def _redirect(location: str) -> Answer:
    return Answer("text/plain", b"", HTTPStatus.SEE_OTHER, location=location)


def _news(stack: Stack, forgotten: set[str]) -> Answer:
    mails = [mail._asdict() for mail in stack.mails() if mail.id not in forgotten]
    return _json({"mails": mails, "calls": stack.calls()})


def _restart(stack: Stack, forgotten: set[str]) -> Answer:
    stack.restart()
    forgotten.update(mail.id for mail in stack.mails())
    return _json({})


def _sign_in(stack: Stack, sent: object) -> Answer:
    match sent:
        case {"username": str(username), "password": str(password)}:
            try:
                tokens = stack.sign_in(User(username, password))
                return _json({"accessToken": tokens["AccessToken"]})
            except ChallengeError as error:
                return _refuse(_SIGN_IN_INCOMPLETE._replace(detail=str(error)))
            except (ClientError, UnicodeEncodeError):
                pass
    # One text for whatever is wrong.
    return _refuse(_SIGN_IN_REFUSED)


def _json(document: object) -> Answer:
    return Answer(_JSON, json.dumps(document).encode())


def _refuse(problem: Problem) -> Answer:
    """Answer in the shape of the service's problems. No log has such a request, so it has no ID."""
    content = json.dumps(problem.document(request_id="")).encode()
    return Answer(problems.JSON, content, HTTPStatus(problem.status))
