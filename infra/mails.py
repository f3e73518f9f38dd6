"""The fate of the mails that Amazon SES has accepted."""

from typing import Final

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ses as ses
from constructs import Construct

_DIMENSION: Final = "ses:configuration-set"
"""The tag that SES puts on each mail: the name of its configuration set."""
NO_SET: Final = "none"
"""The value of that tag for a mail without a configuration set."""
_LOST: Final = {
    "Bounce": ses.EmailSendingEvent.BOUNCE,
    "Complaint": ses.EmailSendingEvent.COMPLAINT,
}
"""The metrics of mails that nobody got or wanted, and the events that they count.

SES accepts a mail to an address on its suppression list, sends none, and reports what had put the
address on the list: a bounce or a complaint. It rejects only mails with a virus.
"""


class Mails(Construct):
    """A configuration set, with which SES counts the mails that did not arrive."""

    def __init__(self, scope: Construct, id_: str) -> None:
        super().__init__(scope, id_)
        made = ses.ConfigurationSet(self, "Set")
        self.configuration_set: str = made.configuration_set_name
        """The name of the set."""
        source = ses.CloudWatchDimensionSource.MESSAGE_TAG
        dimension = ses.CloudWatchDimension(name=_DIMENSION, source=source, default_value=NO_SET)
        made.add_event_destination(
            "Lost",
            destination=ses.EventDestination.cloud_watch_dimensions([dimension]),
            events=[*_LOST.values()],
        )

    @property
    def lost(self) -> list[cloudwatch.Metric]:
        """The metrics of the mails that did not arrive."""
        whose = {_DIMENSION: self.configuration_set}
        return [
            cloudwatch.Metric(namespace="AWS/SES", metric_name=name, dimensions_map=whose)
            for name in _LOST
        ]
