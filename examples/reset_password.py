"""Reset a password as openapi.json says: `python examples/reset_password.py URL USERNAME`.

It needs nothing but Python.
"""

import json
import sys
from getpass import getpass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

DOCUMENT = json.loads((Path(__file__).parents[1] / "openapi.json").read_text())
PATHS = {
    operation["operationId"]: path
    for path, methods in DOCUMENT["paths"].items()
    for operation in methods.values()
}


def main(url: str, username: str) -> None:
    """Ask for a code, then for what the user got and wants."""

    def call(operation: str, **body: str) -> Any:  # noqa: ANN401 - the body of the response
        request = Request(  # noqa: S310 - the address of your own service
            url.rstrip("/") + PATHS[operation],
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=30) as response:  # noqa: S310
                return json.loads(response.read() or "null")
        except HTTPError as error:
            sys.exit(explain(error.read()))
        except OSError as error:
            sys.exit(f"{url} cannot be reached: {error}")

    step = call("reset_password", username=username)["nextStep"]
    print("Sent to", step.get("codeDeliveryDetails", {}).get("destination", "the user"))
    code, password = input("Code: "), getpass("New password: ")
    call("confirm_reset_password", username=username, confirmationCode=code, newPassword=password)
    print("The password is changed.")


def explain(content: bytes) -> str:
    """Return what a failure says: a problem document has what is wrong and what to do."""
    try:
        problem = json.loads(content)
    except ValueError:
        return "Something between here and the service responded. Check the URL."
    wrong = [error["detail"] for error in problem.get("errors", [problem])]
    return "\n".join([*wrong, problem["recoverySuggestion"]])


if __name__ == "__main__":
    if len(sys.argv) != 3:  # noqa: PLR2004 - its own name, a URL and a username
        sys.exit(__doc__)
    main(*sys.argv[1:])
