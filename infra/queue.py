"""The worker's queue and its dead-letter queue."""

from aws_cdk import Acknowledgment, Duration, Validations
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from functions.operations import WORKER_ATTEMPTS
from functions.settings import Settings


class Queue(Construct):
    """Two encrypted queues; a message that failed too often moves to `dead_letters`."""

    def __init__(
        self, scope: Construct, id_: str, *, settings: Settings, visibility: Duration
    ) -> None:
        """Deliver a message again if it is not done after `visibility`."""
        super().__init__(scope, id_)
        if not settings.enforce_tls:
            Validations.of(self).acknowledge(
                Acknowledgment(id="AwsSolutions-SQS4", reason="The emulator speaks no TLS"),
            )
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=settings.enforce_tls,
            retention_period=Duration.days(14),
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=settings.enforce_tls,
            retention_period=Duration.days(4),
            visibility_timeout=visibility,
            dead_letter_queue=sqs.DeadLetterQueue(
                max_receive_count=WORKER_ATTEMPTS, queue=self.dead_letters
            ),
        )
