"""A server of yours that resets a password for its user: Django, Flask, anything in Python.

Set PASSWORD_SERVICE_URL, and CALLER_SECRET to the secret of the setting `serverCallers`.
"""

import json
import os
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def reset_password(username: str, address: str) -> dict[str, Any]:
    """Ask for a code for a user, and return the answer or the problem.

    `address` is the user's, as your proxy saw it. Never take it from a header that the user can
    send.
    """
    request = Request(  # noqa: S310 - the address of your own service
        f"{os.environ['PASSWORD_SERVICE_URL']}/reset-password",
        data=json.dumps({"username": username}).encode(),
        headers={
            "Content-Type": "application/json",
            "Caller-Secret": os.environ["CALLER_SECRET"],
            "Caller-Address": address,
        },
    )
    try:
        with urlopen(request, timeout=30) as response:  # noqa: S310
            answer: dict[str, Any] = json.load(response)
    except HTTPError as error:
        answer = json.load(error)
    return answer
