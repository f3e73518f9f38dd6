"""The one log line of a request, whose members `functions/records.py` declares."""

import logging
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from functions.records import SERVICE
from functions.telemetry.traces import read_trace


class LineFormatter(LambdaPowertoolsFormatter):
    """Powertools' formatter, without its search for what our lines never have.

    That is an exception, JSON in the message, and members under any name. The search takes a tenth
    of the processor time of a call.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return Powertools' own members and the `members` of the record, as JSON."""
        line: dict[str, Any] = {
            **self.log_format,
            "level": record.levelname,
            "message": record.msg,
            "timestamp": self.formatTime(record),
            **getattr(record, "members", {}),
            "xray_trace_id": read_trace().get("Root"),
        }
        return self.json_serializer({k: v for k, v in line.items() if v is not None})


def make_logger() -> Logger:
    """Return the logger of the functions, whose times are in UTC."""
    # At DEBUG, botocore logs whole requests and responses, with passwords and the client secret.
    # Lambda's own log level could turn that on.
    for library in ("botocore", "urllib3"):
        logging.getLogger(library).setLevel(logging.WARNING)
    formatter = LineFormatter(location=None, use_rfc3339=True, utc=True)
    return Logger(service=SERVICE, logger_formatter=formatter)
