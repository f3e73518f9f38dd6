"""The server of the page: what it serves, and to whom."""

import json
import re
from collections.abc import Iterator

import pytest
import urllib3

from functions.problems import INTERNAL_ERROR, JSON, URN
from local import emulator
from local.stack import Stack
from local.web import WELL_KNOWN, Answer, pages, website

ENDPOINT = "http://127.0.0.1:9"
STACK = Stack(f"{ENDPOINT}/v1", ENDPOINT, emulator.Key.new(), "a-pool", "a-client", "another")
OWN = {"Content-Type": "application/json", "Origin": "http://localhost:3000"}


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    port = emulator.free_port()
    with website(port) as routes:
        routes.update(pages(STACK))
        routes["POST", "/echo"] = lambda sent: Answer("application/json", json.dumps(sent).encode())
        yield f"http://127.0.0.1:{port}"


def send(
    method: str, url: str, body: str = "", host: str = "localhost:3000", **headers: str
) -> urllib3.BaseHTTPResponse:
    with urllib3.PoolManager(retries=False) as pool:
        sent = {"Host": host} | {name.replace("_", "-"): text for name, text in headers.items()}
        return pool.request(method, url, body=body.encode(), headers=sent, redirect=False)


def test_the_page_takes_nothing_from_elsewhere_and_holds_no_script_or_style(site: str) -> None:
    page = send("GET", f"{site}/")

    assert not re.search(rb"<style|<script[^>]*>[^<]|\s(on\w+|style)=", page.data)
    policy = page.headers["Content-Security-Policy"]
    for directive in (
        "connect-src 'self' http://127.0.0.1:9",
        "script-src 'self'",
        "font-src 'self'",
        "img-src 'self'",
        "style-src 'self'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ):
        assert directive in policy.split("; ")


def test_every_answer_is_only_for_this_site_and_kept_nowhere(site: str) -> None:
    for path in ("/", "/page.js", "/nothing"):
        headers = send("GET", site + path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        for directive in ("default-src", "base-uri", "form-action", "frame-ancestors"):
            assert f"{directive} 'none'" in headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("method", "path", "changes", "body", "status"),
    [
        ("GET", "/../package.json", {}, "", 404),
        ("GET", "//etc/passwd", {}, "", 404),
        ("GET", "/local/news", {}, "", 502),
        ("POST", "/local/restart", {"Origin": "http://localhost:5173"}, "{}", 403),
        ("GET", "/", {"host": "rebound.example.com"}, "", 421),
        ("POST", "/echo", {"host": "[", "Origin": "http://["}, "{}", 400),
        ("POST", "/echo", {"host": "rebound.com", "Origin": "http://rebound.com"}, "{}", 421),
        ("POST", "/echo", {"Origin": "http://localhost:4000"}, "{}", 403),
        ("POST", "/echo", {"Origin": "null"}, "{}", 403),
        ("POST", "/echo", {"Content-Type": "text/plain"}, "{}", 403),
        ("POST", "/echo", {}, f'"{"a" * 10_000}"', 403),
        ("POST", "/echo", {}, "{", 400),
        ("POST", "/echo", {}, "[" * 9_000, 400),
        ("POST", "/local/sign-in", {}, "{}", 401),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_not_there_or_not_from_the_page_is_refused_with_a_problem(
    site: str, method: str, path: str, changes: dict[str, str], body: str, status: int
) -> None:
    answer = send(method, site + path, body, **(OWN | changes))

    document = answer.json()
    assert (answer.status, answer.headers["Content-Type"]) == (status, JSON)
    assert document.keys() == INTERNAL_ERROR.document("").keys()
    assert (document["status"], document["message"]) == (status, document["detail"])
    assert document["type"].startswith(URN)


def test_a_password_manager_is_led_to_the_form(site: str) -> None:
    answer = send("GET", site + WELL_KNOWN)

    assert (answer.status, answer.headers["Location"]) == (303, "/#change-password")


def test_a_post_is_taken_from_the_page(site: str) -> None:
    assert send("POST", f"{site}/echo", '{"a": 1}', **OWN).json() == {"a": 1}
    assert send("HEAD", f"{site}/", host="127.0.0.1").data == b""
