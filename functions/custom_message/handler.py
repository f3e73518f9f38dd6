"""Write the messages in which Cognito sends codes: the trigger `CustomMessage` of a user pool.

Cognito replaces the placeholders, so this function sees no code. Its messages contain nothing of
the event but these placeholders.
"""

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from functions import problems
from functions.languages import DEFAULT, choose_language, read_texts
from functions.mail_layout import BUTTON, CODE, ENDING, PARAGRAPH, Block, add_name, format_html
from functions.operations import CUSTOM_MESSAGE
from functions.records import Record
from functions.settings import Runtime
from functions.telemetry.reporter import Reporter

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

_SAME: Final = {"ResendCode": "SignUp", "VerifyUserAttribute": "UpdateUserAttribute"}
"""The messages that have the texts of another one."""


class CustomMessage:
    """The Lambda handler of the trigger. It never raises, because Cognito would send no code."""

    def __init__(self, settings: Runtime) -> None:
        self._settings = settings
        self._reporter = Reporter(settings.stage)
        self._instrumented = self._reporter.instrument(self._handle)

    def __call__(self, event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
        """Return the event with our texts or, if anything fails, unchanged: Cognito has its own."""
        with suppress(Exception):
            self._instrumented(event, context)
        return event

    def _handle(self, event: dict[str, Any], context: "LambdaContext") -> None:
        record = Record(CUSTOM_MESSAGE, context.aws_request_id)
        try:
            record.pool, record.task = event["userPoolId"], event["triggerSource"]
            event["response"] |= self._write(event["request"], event["triggerSource"])
            record.succeed()
        except Exception as error:  # noqa: BLE001 - as above
            record.crash(error, problems.INTERNAL_ERROR)
        record.stop()
        self._reporter.report(record)

    def _write(self, request: dict[str, Any], source: str) -> dict[str, str]:
        """Return the message as mail and as text, in the user's language or the request's."""
        given = (request.get(one) or {} for one in ("userAttributes", "clientMetadata"))
        language = choose_language(*(one.get("locale") or "" for one in given)) or DEFAULT
        texts, kind = read_texts(language), source.removeprefix("CustomMessage_")
        kind = _SAME.get(kind, kind)
        resets = kind == "ForgotPassword"
        if resets and request["userAttributes"].get("cognito:user_status") == "RESET_REQUIRED":
            kind = "ResetRequired"
        if (found := texts["messages"].get(kind)) is None:
            return {}
        code, name = request["codeParameter"], request.get("usernameParameter")
        title, before, after, ending, sms = (t.format(code=code, username=name) for t in found)
        blocks = [Block(PARAGRAPH, before), Block(CODE, code)]
        if self._settings.code_url and resets:
            blocks.append(Block(BUTTON, texts["useCode"], f"{self._settings.code_url}#code={code}"))
        blocks += [Block(PARAGRAPH, after), Block(ENDING, ending)]
        return {
            "smsMessage": add_name(self._settings, sms),
            "emailSubject": add_name(self._settings, title),
            "emailMessage": format_html(self._settings, language, title, blocks),
        }


build: Final = CustomMessage
