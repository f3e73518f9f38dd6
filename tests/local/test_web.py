"""The server of the page: what it serves, and to whom."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import urllib3

from functions.problems import INTERNAL_ERROR, JSON, URN
from local import emulator
from local.stack import Stack
from local.web import Answer, pages, website

STACK = Stack("http://127.0.0.1:9/v1", "http://127.0.0.1:9", "a-pool", "a-client", "another")


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    port = emulator.free_port()
    with website(port) as routes:
        routes.update(pages(STACK))
        routes["POST", "/echo"] = lambda sent: Answer("application/json", json.dumps(sent).encode())
        yield f"http://127.0.0.1:{port}"


def send(method: str, url: str, body: str = "", **headers: str) -> urllib3.BaseHTTPResponse:
    pool = urllib3.PoolManager(retries=False)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    response = pool.request(method, url, body=body.encode(), headers=sent)
    pool.clear()
    return response


def imported(site: str, script: str) -> set[str]:
    """The paths of the modules that a script needs, all the way down."""
    source = send("GET", site + script).data.decode()
    modules = {f"/{name}" for name in re.findall(r"^.* from '\./(.+)';$", source, re.MULTILINE)}
    return modules.union(*(imported(site, module) for module in modules))


def test_the_page_is_made_of_what_it_names_and_of_nothing_from_elsewhere(site: str) -> None:
    page = send("GET", f"{site}/").data.decode()

    parts = {*re.findall(r'(?:href|src)="([^"]+)"', page), *imported(site, "/page.js")}

    assert {"/page.js", "/request-log.js", "/password-service.js"} < parts
    assert {send("GET", site + part).status for part in parts} == {200}
    assert not re.search(r"<style|<script[^>]*>[^<]|\s(on\w+|style)=", page)


def test_every_answer_is_only_for_this_site_and_kept_nowhere(site: str) -> None:
    for path in ("/", "/page.js", "/nothing"):
        headers = send("GET", site + path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        for directive in ("default-src", "base-uri", "form-action", "frame-ancestors"):
            assert f"{directive} 'none'" in headers["Content-Security-Policy"]


def test_scripts_may_connect_to_the_api_alone(site: str) -> None:
    policy = send("GET", f"{site}/").headers["Content-Security-Policy"]

    assert "connect-src 'self' http://127.0.0.1:9;" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize(
    "path", ["/../package.json", "/%2e%2e/package.json", "/web/", "/index.html", "//etc/passwd"]
)
def test_what_is_not_in_the_table_is_not_there(site: str, path: str) -> None:
    host = urlsplit(site)
    assert send("GET", f"{host.scheme}://{host.netloc}{path}").status == 404


@pytest.mark.parametrize("host", ["rebound.example.com", "127.0.0.1.example.com:3000", ""])
def test_another_host_name_that_leads_here_is_refused(site: str, host: str) -> None:
    assert send("GET", f"{site}/", Host=host).status == 421


@pytest.mark.parametrize("host", ["localhost:3000", "127.0.0.1"])
def test_both_names_of_this_machine_are_taken(site: str, host: str) -> None:
    assert send("GET", f"{site}/", Host=host).status == 200


def test_a_head_is_answered_as_a_get_without_the_content(site: str) -> None:
    get, head = send("GET", f"{site}/"), send("HEAD", f"{site}/")

    assert (head.status, head.data) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_host_that_is_none_is_a_bad_request(site: str, method: str) -> None:
    headers = {"Content_Type": "application/json", "Host": "[", "Origin": "http://["}
    assert send(method, f"{site}/echo", "{}", **headers).status == 400


def test_what_the_runner_cannot_ask_any_more_is_a_bad_gateway(site: str) -> None:
    assert send("GET", f"{site}/local/inbox").status == 502


def test_every_refusal_is_a_problem_document(site: str) -> None:
    own = {"Content_Type": "application/json", "Origin": site}
    answers = [
        send("GET", f"{site}/nothing"),
        send("GET", f"{site}/", Host="rebound.example.com"),
        send("GET", f"{site}/", Host="["),
        send("GET", f"{site}/local/inbox"),
        send("POST", f"{site}/echo", "{}"),
        send("POST", f"{site}/echo", "{", **own),
        send("POST", f"{site}/local/sign-in", "{}", **own),
    ]

    assert [answer.status for answer in answers] == [404, 421, 400, 502, 403, 400, 401]
    for answer in answers:
        document = answer.json()
        assert answer.headers["Content-Type"] == JSON
        assert document.keys() == INTERNAL_ERROR.document("").keys()
        assert (document["status"], document["message"]) == (answer.status, document["detail"])
        assert document["type"].startswith(URN)
    assert len({answer.json()["type"] for answer in answers}) == len(answers) - 1


OWN = {"Content_Type": "application/json", "Host": "localhost:3000"}


@pytest.mark.parametrize(
    ("changes", "body", "status"),
    [
        ({}, '{"a": 1}', 200),
        ({"Origin": "http://localhost:4000"}, "{}", 403),
        ({"Origin": "null"}, "{}", 403),
        ({"Content_Type": "text/plain"}, "{}", 403),
        ({}, f'"{"a" * 10_000}"', 403),
        ({"Content_Length": "9" * 5_000}, "{}", 403),
        ({}, "{", 400),
        ({}, "[" * 9_000, 400),
        ({"Host": "rebound.example.com", "Origin": "http://rebound.example.com"}, "{}", 421),
    ],
    ids=[
        "own",
        "another site",
        "a sandbox",
        "a form",
        "too long",
        "huge",
        "no JSON",
        "deep",
        "another host",
    ],
)
def test_a_post_is_taken_from_the_page_alone(
    site: str, changes: dict[str, str], body: str, status: int
) -> None:
    headers = OWN | {"Origin": "http://localhost:3000"} | changes
    answer = send("POST", f"{site}/echo", body, **headers)

    assert answer.status == status
    assert status != 200 or answer.json() == json.loads(body)


def test_a_post_that_does_not_say_where_it_comes_from_is_refused(site: str) -> None:
    assert send("POST", f"{site}/echo", "{}", **OWN).status == 403
