"""A web page in any tab of the developer's browser reaches nothing but the API."""

import pytest
import urllib3

from local.stack import Stack
from tests.support import PATIENCE

LIST_FUNCTIONS = "/2015-03-31/functions/"
PAGES = {
    "another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "another port": {"Origin": "http://localhost:5173", "Sec-Fetch-Site": "same-site"},
    "a file": {"Origin": "null"},
    "an image": {"Sec-Fetch-Site": "cross-site"},
    "a name that was bound again": {"Host": "evil.example:4566", "Sec-Fetch-Site": "same-origin"},
}


def send(stack: Stack, method: str, path: str, **headers: str) -> urllib3.BaseHTTPResponse:
    # A form can send this type to any site without asking first.
    sent = {"Content-Type": "text/plain", **{k.replace("_", "-"): v for k, v in headers.items()}}
    url = stack.endpoint + path
    return urllib3.request(method, url, headers=sent, retries=False, timeout=PATIENCE)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", LIST_FUNCTIONS),
        ("OPTIONS", LIST_FUNCTIONS),
        ("POST", "/?Action=GetCallerIdentity&Version=2011-06-15"),
        ("GET", "/_ministack/ses/messages"),
        ("POST", "/_ministack/reset"),
    ],
)
def test_a_page_reaches_nothing_of_the_emulator(
    method: str, path: str, page: str, stack: Stack
) -> None:
    answer = send(stack, method, path, **PAGES[page])

    assert answer.status == 403
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_no_page_may_read_what_the_emulator_answers_to_programs(stack: Stack) -> None:
    answer = send(stack, "GET", "/_ministack/health")

    assert answer.status == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_page_reaches_the_api(stack: Stack) -> None:
    path = stack.url.removeprefix(stack.endpoint) + "/password-policy"

    answer = send(stack, "GET", path, **PAGES["another port"])

    assert answer.status == 200
