"""A CustomMessage trigger of a user pool: its mail links to a page that fills in the code.

Cognito replaces the placeholder in the mail, so this function never sees the code. A custom text
needs a pool that sends its mail through Amazon SES.
"""

import os
from html import escape
from typing import Any
from urllib.parse import quote


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Set the mail of a forgotten password, and leave every other message as it is."""
    request = event["request"]
    email = request["userAttributes"].get("email")
    if event["triggerSource"] == "CustomMessage_ForgotPassword" and email:
        code = request["codeParameter"]
        # Browsers send a fragment to no server. SES would, in the links that it tracks.
        link = f"{os.environ['RESET_PAGE']}#code={code}&username={quote(email, safe='')}"
        event["response"]["emailSubject"] = "Choose a new password"
        event["response"]["emailMessage"] = (
            f'<p><a ses:no-track href="{escape(link)}">Choose a new password</a>'
            f" or enter the code {code}.</p>"
            "<p>If you did not ask for it, ignore this message.</p>"
        )
    return event
