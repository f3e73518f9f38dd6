"""Whether a password is known to be stolen: the range API of Have I Been Pwned.

Only five characters of the password's SHA-1 leave (k-anonymity), and padding hides how many
passwords share them. NIST SP 800-63B-4 §3.1.1.2 asks for such a comparison.
"""

import hashlib
import time
from typing import Final

import urllib3

from functions.metrics import Incident
from functions.settings import settings

BUDGET: Final = 1.0
"""Seconds for everything; then the password passes."""

_PREFIX: Final = 5


def contain(password: str, incidents: list[Incident]) -> bool:
    """Fail open: a service that does not answer in time is an incident, not a refusal."""
    endpoint = settings().breach_endpoint
    if not endpoint:
        return False
    digest = hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()
    try:
        return _find(f"{endpoint}/{digest[:_PREFIX]}", digest[_PREFIX:])
    except urllib3.exceptions.HTTPError:
        incidents.append(Incident.BREACH_CHECK_FAILED)
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
    # A line that pads has a count of 0.
    lines = (line.partition(":") for line in body.decode("ascii", "replace").splitlines())
    return any(tail == suffix and count.strip("0 ") for tail, _, count in lines)
