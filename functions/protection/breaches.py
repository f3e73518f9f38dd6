"""Whether a password appeared in a data breach, by the range API of Have I Been Pwned.

Only five characters of the password's SHA-1 are sent (k-anonymity), and padding hides how many
passwords share them. NIST SP 800-63B-4 §3.1.1.2 requires such a check.
"""

import hashlib
import time
from typing import Final

import urllib3

from functions.records import Degradation
from functions.requests import Request

BUDGET: Final = 1.0
"""Seconds for everything. After that, the password is accepted."""

_PREFIX: Final = 5


def contain(request: Request, password: str) -> bool:
    """Fail open: a service that does not respond in time degrades the request."""
    endpoint = request.settings.breach_endpoint
    if not endpoint:
        return False
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    try:
        return _find(f"{endpoint}/{digest[:_PREFIX]}", digest[_PREFIX:])
    except urllib3.exceptions.HTTPError:
        request.record.degrade(Degradation.BREACH_CHECK_FAILED)
        return False


def _find(url: str, suffix: str) -> bool:
    deadline = time.monotonic() + BUDGET
    response = urllib3.request(
        "GET",
        url,
        headers={"Add-Padding": "true", "User-Agent": "password-service"},
        timeout=urllib3.Timeout(total=BUDGET),
        retries=False,
        preload_content=False,
    )
    if response.status != 200:  # noqa: PLR2004 - HTTP's own number
        raise urllib3.exceptions.HTTPError(response.status)
    body = b""
    for chunk in response.stream():
        body += chunk
        if time.monotonic() > deadline:
            raise urllib3.exceptions.TimeoutError
    # Padding lines have a count of 0.
    lines = (line.partition(":") for line in body.decode("ascii", "replace").splitlines())
    return any(tail == suffix and count.strip("0 ") for tail, _, count in lines)
