"""The worker's queues and their dead-letter queue."""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from functions.operations import WORKER_ATTEMPTS


class Queue(Construct):
    """Encrypted queues; a message of either that failed too often moves to `dead_letters`.

    No function may send to `support`, whose tasks only operators start.
    """

    def __init__(self, scope: Construct, id_: str, *, visibility: Duration) -> None:
        """Deliver a message again if it is not done after `visibility`."""
        super().__init__(scope, id_)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
        )
        self.queue = self._add("Queue", visibility)
        self.support = self._add("Support", visibility)

    def _add(self, id_: str, visibility: Duration) -> sqs.Queue:
        return sqs.Queue(
            self,
            id_,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(4),
            visibility_timeout=visibility,
            dead_letter_queue=sqs.DeadLetterQueue(
                max_receive_count=WORKER_ATTEMPTS, queue=self.dead_letters
            ),
        )
