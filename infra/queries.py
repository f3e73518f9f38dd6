"""The saved queries of CloudWatch Logs Insights, for incidents."""

from collections.abc import Sequence
from inspect import cleandoc
from typing import Final

from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.settings import Deployment

QUERIES: Final = {
    "request": """
        fields @timestamp, operation, task, attempt, retry_after, status, outcome, cause, note,
            degradations.0, degradations.1, repeated, duration, source_ip, user, xray_trace_id
        | filter request_id = "the requestId"
    """,
    "failures": """
        filter status >= 500
        | stats count(*) as requests, latest(note) as text, latest(request_id) as example
            by operation, outcome, cause
        | sort requests desc
    """,
    "crashes": r"""
        fields @timestamp, @message
        | filter ispresent(stack.0)
            or @message like /Task timed out|Runtime exited|Runtime\./
        | sort @timestamp desc
        | limit 20
    """,
    "worker": """
        filter operation = "worker" and ispresent(attempt)
        | stats count(*) as messages, latest(note) as text, latest(request_id) as example
            by task, outcome, cause, attempt
        | sort messages desc
    """,
    "support": """
        fields @timestamp, sender, task, outcome, cause, repeated, retry_after, user, request_id
        | filter ispresent(sender)
        | sort @timestamp desc
    """,
    "hidden": """
        filter ispresent(hidden)
        | stats count(*) as requests, latest(note) as text, latest(request_id) as example
            by operation, cause
        | sort requests desc
    """,
    "degradations": """
        filter ispresent(degradations.0)
        | stats count(*) as requests, latest(request_id) as example
            by operation, degradations.0, degradations.1
        | sort requests desc
    """,
    "attacked users": """
        filter ispresent(user)
        | stats count(*) as attempts, count_distinct(source_ip) as addresses
            by user, operation, outcome
        | sort attempts desc
        | limit 20
    """,
    "attacking addresses": """
        filter ispresent(source_ip)
        | stats count(*) as attempts, count_distinct(user) as users
            by source_ip, operation, outcome
        | sort attempts desc
        | limit 20
    """,
    "slowest requests": """
        fields duration, operation, outcome, cause, cold_start, request_id, xray_trace_id
        | filter ispresent(duration)
        | sort duration desc
        | limit 20
    """,
    "user": """
        fields @timestamp, operation, outcome, cause, hidden, repeated, source_ip, request_id
        | filter user = "the user reference"
        | sort @timestamp desc
    """,
}
"""Queries of the functions' log lines. Quoted text is a placeholder."""

ACCESS_QUERIES: Final = {
    "gateway": """
        filter failure != "-"
        | stats count(*) as requests, count_distinct(sourceIp) as addresses,
            latest(requestId) as example
            by method, path, status, failure
        | sort requests desc
    """
}
"""Queries of the access log, which also has requests that reached no function."""


class Queries(Construct):
    """The saved queries, in a folder of the stage."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: Deployment,
        functions: Sequence[logs.ILogGroup],
        access: logs.ILogGroup,
    ) -> None:
        super().__init__(scope, id_)
        for queries, log_groups in ((QUERIES, functions), (ACCESS_QUERIES, [access])):
            for name, query in queries.items():
                logs.CfnQueryDefinition(
                    self,
                    name.title().replace(" ", ""),
                    name=f"password-service-{settings.stage}/{name}",
                    log_group_names=[group.log_group_name for group in log_groups],
                    query_string=cleandoc(query),
                )
