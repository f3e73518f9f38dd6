"""Carry out queued tasks. A task that fails is retried up to five times."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from functions import problems
from functions.aws import actions, queue
from functions.aws.actions import Action
from functions.messages import Message
from functions.operations import WORKER, WORKER_ATTEMPTS
from functions.problems import Failure
from functions.records import Degradation, Record
from functions.requests import Caller, Subject
from functions.settings import Runtime
from functions.times import DEFAULT, Times
from functions.work.lambda_handler import LambdaHandler
from functions.work.scope import Scope
from functions.worker import support, tasks

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class Worker(LambdaHandler):
    """The Lambda handler of the queue."""

    def find_actions(self) -> Iterator[Action]:
        """Yield the actions of the tasks."""
        return actions.of_worker(self.settings)

    def handle(self, event: dict[str, Any], context: "LambdaContext") -> dict[str, Any]:
        """Carry out messages, and return those to deliver again, in Lambda's format for batches."""
        failed = [one for one in event["Records"] if not self._process(one, context)]
        return {"batchItemFailures": [{"itemIdentifier": one["messageId"]} for one in failed]}

    def _process(self, delivery: dict[str, Any], context: "LambdaContext") -> bool:
        """Carry out one message, and return whether it is done with."""
        with self.record() as record:
            record.attempt = int(delivery["attributes"]["ApproximateReceiveCount"])
            done = self._carry_out(delivery, context, record)
            if not done and record.attempt < WORKER_ATTEMPTS:
                record.retry_after = 3**record.attempt  # 3, 9, 27, 81 and 243 seconds
        if not done:
            # After the last attempt, SQS moves it to the dead letters on the next delivery.
            seconds, name = record.retry_after or 0, delivery["eventSourceARN"].rpartition(":")[2]
            url = f"{self.settings.queue_url.rpartition('/')[0]}/{name}"
            queue.postpone(url, delivery["receiptHandle"], seconds)
        return done

    def _carry_out(
        self, delivery: dict[str, Any], context: "LambdaContext", record: Record
    ) -> bool:
        """Carry out a task, record its outcome, and return whether a retry would change nothing."""
        is_support = delivery["eventSourceARN"] == self.settings.support_queue_arn
        try:
            if is_support:
                record.sender = delivery["attributes"]["SenderId"]
                message = support.read(delivery["body"], self.settings)
            else:
                message = Message.parse(delivery["body"])
            record.task, record.request_id = message.task, message.request_id
            record.source_ip, record.user = message.source_ip or None, message.user
            record.pool = self.settings.user_pool_id
            caller = Caller(
                message.request_id,
                message.source_ip,
                language=message.language,
                context=context,
                message_id=delivery["messageId"],
            )
            about = message.parameters
            subject = Subject(about.get("sub", ""), about.get("username", ""))
            carry_out = support.carry_out if is_support else tasks.carry_out
            carry_out(Scope(self.settings, record, caller, subject), message)
        except Failure as failure:
            outcome = failure.outcome
            record.fail(failure, failure.problem)
            hides = outcome.final and outcome.of_account and not is_support
            record.hidden = hides or None
            if outcome.of_account and not outcome.is_known:
                record.degrade(Degradation.UNKNOWN_EXCEPTION)
            return outcome.final
        except Exception as error:  # noqa: BLE001 - one message must not stop the others
            record.crash(error, problems.INTERNAL_ERROR)
            return False
        record.succeed()
        return True


def build(settings: Runtime, time_limits: Times = DEFAULT) -> Worker:
    """Return the handler of a deployment."""
    return Worker(WORKER, settings, time_limits)
