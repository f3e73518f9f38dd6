"""Reset a password as openapi.json says: `python examples/reset_password.py URL USERNAME`."""

import json
import sys
from getpass import getpass
from pathlib import Path

import httpx

DOCUMENT = json.loads((Path(__file__).parents[1] / "openapi.json").read_text())
PATHS = {
    operation["operationId"]: path
    for path, methods in DOCUMENT["paths"].items()
    for operation in methods.values()
}


def call(operation: str, **body: str) -> httpx.Response:
    """Send JSON; a failure is a problem document, which says what is wrong and what to do."""
    answer = httpx.post(url + PATHS[operation], json=body, timeout=30)
    if answer.is_error:
        problem = answer.json()
        wrong = [error["detail"] for error in problem.get("errors", [problem])]
        sys.exit("\n".join([*wrong, problem["recoverySuggestion"]]))
    return answer


url, username = sys.argv[1:]
step = call("reset_password", username=username).json()["nextStep"]
print("Sent to", step.get("codeDeliveryDetails", {}).get("destination", "the user"))
code, password = input("Code: "), getpass("New password: ")
call("confirm_reset_password", username=username, confirmationCode=code, newPassword=password)
print("The password is changed.")
