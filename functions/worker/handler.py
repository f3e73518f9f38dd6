"""Carry out queued tasks. A task that fails is retried up to five times."""

import os
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from functions import problems
from functions.aws import clients, cognito, queue
from functions.aws.queue import Message, Task
from functions.operations import WORKER, WORKER_ATTEMPTS
from functions.problems import Failure
from functions.records import Cause, Degradation, Record
from functions.settings import Settings, names_read_by
from functions.telemetry.reporter import Reporter
from functions.worker.tasks import carry_out

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext

FINAL_CAUSES: Final[Mapping[str, Collection[str]]] = {
    Task.SEND_CODE: {
        "InvalidParameterException",
        "LimitExceededException",
        "NotAuthorizedException",
        "PasswordResetRequiredException",
        "UserLambdaValidationException",
        "UserNotConfirmedException",
        "UserNotFoundException",
        Cause.FEDERATED,
        Cause.INVITED,
        Cause.MESSAGE_EXPIRED,
        Cause.NOT_A_SIGN_IN_NAME,
        Cause.NO_VERIFIED_ADDRESS,
        "SendEmail.BadRequestException",  # no address at all
    },
    Task.CHECK_CHANGE: {Cause.NO_VERIFIED_ADDRESS, "SendEmail.BadRequestException"},
    Task.MAIL_CHANGE: {Cause.NO_VERIFIED_ADDRESS, "SendEmail.BadRequestException"},
}
"""The causes, by task, that a retry cannot change: only the account or the time is the reason."""


class RetryLaterError(Exception):
    """Tell Powertools that a message must be delivered again."""


class Worker:
    """The Lambda handler of the queue."""

    def __call__(self, event: dict[str, Any], context: "LambdaContext") -> Any:  # noqa: ANN401
        """Return the messages to deliver again, in Lambda's format for batches."""
        return self._instrumented(event, context)

    def start(self) -> None:
        """Prepare what the first message would wait for. A failure is retried by that message."""
        _ = self._instrumented
        with suppress(Exception):
            if self.settings.event_bus_name:
                clients.eventbridge()
            if self.settings.mail_from:
                clients.ses()
            if self.settings.claims:
                clients.dynamodb()
            cognito.prepare(self.settings, self.settings.worker_actions)

    @cached_property
    def settings(self) -> Settings:
        """The settings of this process. The environment is read once."""
        return Settings.read(os.environ, names_read_by(WORKER))

    @cached_property
    def _reporter(self) -> Reporter:
        return Reporter(lambda: self.settings.stage)

    @cached_property
    def _instrumented(self) -> Callable[[dict[str, Any], "LambdaContext"], Any]:
        return self._reporter.instrument(self.handler)

    def handler(self, event: dict[str, Any], context: "LambdaContext") -> Any:  # noqa: ANN401
        """Carry out every message of a batch, even if one fails."""
        return process_partial_response(
            event=event,
            record_handler=self.process,
            # A batch that failed as a whole is tried again like a part of one.
            processor=BatchProcessor(EventType.SQS, raise_on_entire_batch_failure=False),
            context=context,
        )

    def process(self, record: SQSRecord) -> None:
        """Carry out one message and record the outcome. Raise if it must be delivered again."""
        entry = Record(WORKER)
        clients.deadline.set(entry.started + clients.RETRY_TIME)
        entry.attempt = int(record.attributes.approximate_receive_count)
        retried = False
        try:
            message = Message.parse(record.body)
            entry.task, entry.request_id = message.task, message.request_id
            entry.source_ip, entry.user = message.source_ip, message.user
            entry.pool = self.settings.user_pool_id
            carry_out(message, self.settings, entry)
        except Failure as failure:
            entry.fail(failure)
            retried = failure.cause not in FINAL_CAUSES.get(entry.task or "", ())
            if not retried:
                entry.hidden = failure.account_dependent or None
            elif failure.account_dependent and not problems.is_known(failure.cause):
                entry.degrade(Degradation.UNKNOWN_EXCEPTION)
        except Exception as error:  # noqa: BLE001 - one message must not stop the others
            entry.crash(error)
            entry.fail(Failure(problems.INTERNAL_ERROR))
            retried = True
        else:
            entry.succeed()
        if retried and entry.attempt < WORKER_ATTEMPTS:
            entry.retry_after = _back_off(entry.attempt)
        entry.duration = round(time.monotonic() - entry.started, 3)
        self._reporter.report(entry)
        if retried:
            # After the last attempt, SQS moves it to the dead letters on the next delivery.
            queue.postpone(self.settings, record.receipt_handle, entry.retry_after or 0)
            raise RetryLaterError


def _back_off(attempt: int) -> int:
    """Return the seconds to wait after an attempt: 3, 9, 27, 81 and 243."""
    seconds: int = 3**attempt
    return seconds


handler = Worker()
