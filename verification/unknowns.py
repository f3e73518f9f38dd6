"""Check what AWS does differently from the emulator, as far as a client can see it."""

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from functions.operations import CUSTOM_MESSAGE
from functions.records import NAMESPACE, SERVICE, SUCCESS
from infra.gateway_responses import GATEWAY_RESPONSES
from verification.doctor import find_web_acl
from verification.runner import Check, Finding, check, holds, judge, not_observed, weakness
from verification.srp import prove
from verification.story import RESET, UPDATE
from verification.target import NotObservedError, Target

CHECKS: Final[list[Check]] = []
TOO_LARGE: Final = 65 * 1024
"""Bytes; the firewall and the function both take 64 KB at most."""
RECENT: Final = timedelta(days=30)
ATTEMPTS: Final = 25
"""Confirmations of one user: more than Cognito allows in an hour, one after the other."""


@check(CHECKS, remedy="Tell your clients to read x-amzn-Remapped-WWW-Authenticate as well.")
def unauthorized_header(target: Target) -> Finding:
    """A 401 has the header WWW-Authenticate, from the gateway and from a function."""
    guest = target.guest
    token = target.sign_in(guest.password)
    target.cognito.global_sign_out(AccessToken=token)
    passwords = {"oldPassword": guest.password, "newPassword": target.make_password()}
    replies = [target.post(UPDATE, passwords, token=one) for one in ("", token)]
    told = [f"{one} with {_challenges(one.headers)}" for one in replies]
    good = all(one.headers.get("WWW-Authenticate") for one in replies)
    return judge(f"{told[0]}, {told[1]}.", good=good)


def _challenges(headers: Mapping[str, str]) -> str:
    names = [name for name in headers if "authenticate" in name.lower()]
    return ", ".join(sorted(names)) or "no such header"


@check(
    CHECKS,
    remedy="Read the requestId from the header x-amzn-RequestId of these answers instead.",
    local="The emulator does not fill it in.",
)
def request_id(target: Target) -> Finding:
    """The gateway's own 405 has the request's ID."""
    reply = target.send("DELETE", RESET.path)
    shown = str(reply.body.get("requestId", ""))
    return judge(f"{reply}, requestId {shown or 'none'}.", good=shown and "$" not in shown)


@check(CHECKS, remedy="Deploy the stage again; if that does not help, list a single origin.")
def preflight(target: Target) -> Finding:
    """A preflight is answered for every allowed origin."""
    origins = target.settings.allowed_origins
    if not origins:
        return not_observed("allowedOrigins is empty.")
    asked = {"Access-Control-Request-Method": "POST"}
    answers = {
        one: target.send("OPTIONS", RESET.path, headers={"Origin": one, **asked}).headers
        for one in origins
    }
    refused = [
        o for o, h in answers.items() if h.get("Access-Control-Allow-Origin") not in {o, "*"}
    ]
    return judge(f"Refused: {', '.join(refused) or 'none'}.", good=not refused)


@check(CHECKS, remedy="Set firewall to block.")
def firewall_blocks(target: Target) -> Finding:
    """The firewall refuses a body that is too large before a function runs."""
    if not find_web_acl(target, target.api_stage["arn"]):
        return not_observed("The API has no web ACL.")
    reply = target.send(
        RESET.method, RESET.path, "x" * TOO_LARGE, {"Content-Type": "application/json"}
    )
    return judge(f"{reply}.", good=reply.status == 403)  # noqa: PLR2004 - HTTP's own number


@check(
    CHECKS, remedy="See cloudwatch-role; deploy the stage again.", local="The emulator writes none."
)
def access_log(target: Target) -> Finding:
    """API Gateway writes its access log."""
    if not target.access_group:
        return weakness("The API's stage has no access log.")
    lines = target.wait_for(lambda: _access_log(target, "", timedelta(hours=1)))
    return judge(f"{len(lines)} lines of the last hour.", good=lines)


@check(CHECKS, remedy="Add the response type to infra/gateway_responses.py.")
def killed_function(target: Target) -> Finding:
    """A function that was killed is answered by a gateway response of this service."""
    pattern = '{ $.status = "5*" && $.failure != "-" }'
    lines = _access_log(target, pattern, RECENT)
    seen = {found[1] for line in lines if (found := re.search(r'"failure": ?"(\w+)"', line))}
    if not seen:
        return not_observed(f"The gateway answered no 5XX itself in {RECENT.days} days.")
    return judge(f"Response types: {', '.join(sorted(seen))}.", good=seen <= {*GATEWAY_RESPONSES})


def _access_log(target: Target, pattern: str, age: timedelta) -> list[str]:
    if not target.access_group:
        raise NotObservedError("The API's stage has no access log.")
    events = target.client("logs").filter_log_events(
        logGroupName=target.access_group,
        startTime=int(1000 * (time.time() - age.total_seconds())),
        **({"filterPattern": pattern} if pattern else {}),
    )["events"]
    return [one["message"] for one in events]


@check(CHECKS, remedy="Nothing: confirm hides it, because only a real user may cause it.")
def unknown_user_throttle(target: Target) -> Finding:
    """Cognito throttles the confirmations of a name that nobody has, too."""
    client, cognito, stranger = target.service_client, target.cognito, target.address()
    seen = set()
    for _ in range(ATTEMPTS):
        try:
            cognito.confirm_forgot_password(
                ClientId=client["ClientId"],
                Username=stranger,
                ConfirmationCode="000000",
                Password=target.make_password(),
                **prove(client, stranger, "SecretHash"),
            )
        except ClientError as error:
            seen.add(error.response["Error"]["Code"])
    told = f"{ATTEMPTS} confirmations: {', '.join(sorted(seen))}."
    if "TooManyRequestsException" in seen:
        return holds(told)
    return not_observed(f"{told} So TooManyRequestsException may tell that a user exists.")


@check(
    CHECKS,
    remedy="Does the check code-mails hold? If so, read the log of the function custom_message.",
    local="The emulator calls no trigger for a reset.",
)
def reset_mail(target: Target) -> Finding:
    """Cognito has the function write the mail of a reset."""
    function = target.functions.get(CUSTOM_MESSAGE)
    if not function:
        return not_observed("codeMails is off.")

    def look() -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = target.client("logs").filter_log_events(
            logGroupName=function["LoggingConfig"]["LogGroup"],
            startTime=int(1000 * (time.time() - 3600)),
            filterPattern='{ $.task = "CustomMessage_ForgotPassword" && $.outcome = "Success" }',
        )["events"]
        return events

    found = target.wait_for(look)
    return judge(f"{len(found)} mails of the last hour.", good=found)


@check(CHECKS, remedy="Is X-Ray reachable, and tracing on?")
def traces(target: Target) -> Finding:
    """Traces of requests arrive in X-Ray."""
    host = urlsplit(target.url).netloc
    now = datetime.now(UTC)

    def look() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = target.client("xray").get_trace_summaries(
            StartTime=now - timedelta(hours=1),
            EndTime=datetime.now(UTC),
            FilterExpression=f'http.url CONTAINS "{host}"',
        )["TraceSummaries"]
        return found

    found = target.wait_for(look)
    return judge(f"{len(found)} traces of the last hour.", good=found)


@check(
    CHECKS,
    remedy="Do the functions' logs have lines with _aws? If so, run again in some minutes.",
    local="The emulator extracts none.",
)
def metrics(target: Target) -> Finding:
    """CloudWatch extracts the functions' metrics from their logs."""
    now = datetime.now(UTC)
    names = {"service": SERVICE, "stage": target.settings.stage}

    def look() -> list[dict[str, Any]]:
        points: list[dict[str, Any]] = target.client("cloudwatch").get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=SUCCESS,
            Dimensions=[{"Name": name, "Value": value} for name, value in names.items()],
            StartTime=now - timedelta(hours=1),
            EndTime=datetime.now(UTC) + timedelta(minutes=1),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return points

    count = sum(one["Sum"] for one in target.wait_for(look))
    return judge(f"{count:.0f} successes were counted in the last hour.", good=count)
