"""What AWS does not document, or no emulator does, and a client can see."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from functions.problems import GATEWAY, MEANINGS
from functions.records import NAMESPACE, SERVICE, SUCCESS
from verification.runner import Check, Finding, check, holds, judge, not_observed, weakness
from verification.srp import prove
from verification.story import RESET, UPDATE
from verification.target import CLIENTS, GUEST, POOL, SETTINGS, STAGE, NotObservedError, Target

ASKED: Final = 21
"""Cognito documents between 5 and 20 attempts of a user in an hour."""
TOO_LARGE: Final = 65 * 1024
"""Bytes; the firewall and the function both take 64 KB at most."""
RECENT: Final = timedelta(days=30)
PATTERNS: Final = [part for name, part, _, _ in MEANINGS if name == "NotAuthorizedException"]
TEXTS: Final = "Add the text to MEANINGS in functions/problems.py."


@check(remedy="Tell your clients to read x-amzn-Remapped-WWW-Authenticate as well.")
def unauthorized_header(target: Target) -> Finding:
    """The gateway's own 401 has the header WWW-Authenticate."""
    reply = target.post(UPDATE, {"oldPassword": "a", "newPassword": "b"})
    return judge(f"{reply} with {_challenges(reply.headers)}.", good=_named(reply.headers))


@check(*GUEST, remedy="Tell your clients to read x-amzn-Remapped-WWW-Authenticate as well.")
def remapped_header(target: Target) -> Finding:
    """A function's own 401 has the header WWW-Authenticate."""
    token = target.sign_in(target.guest.password)
    target.cognito.global_sign_out(AccessToken=token)
    passwords = {"oldPassword": target.guest.password, "newPassword": target.make_password()}
    reply = target.post(UPDATE, passwords, token=token)
    return judge(f"{reply} with {_challenges(reply.headers)}.", good=_named(reply.headers))


def _named(headers: Any) -> bool:  # noqa: ANN401 - urllib3's, which ignore case
    return bool(headers.get("WWW-Authenticate"))


def _challenges(headers: Any) -> str:  # noqa: ANN401 - as above
    names = [name for name in headers if "authenticate" in name.lower()]
    return ", ".join(sorted(names)) or "no such header"


@check(remedy="Read the requestId from the header x-amzn-RequestId of these answers instead.")
def request_id(target: Target) -> Finding:
    """The gateway's own 405 has the request's ID."""
    reply = target.send("DELETE", RESET.path)
    shown = str(reply.body.get("requestId", ""))
    return judge(f"{reply}, requestId {shown or 'none'}.", good=shown and "$" not in shown)


@check(*SETTINGS, remedy="Deploy the stage again; if that does not help, list one origin alone.")
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


@check(*POOL, *STAGE, remedy="Is the web ACL on the API's stage, and firewall set to block?")
def firewall_blocks(target: Target) -> Finding:
    """The firewall refuses a body that is too large before a function runs."""
    reply = target.send(
        RESET.method, RESET.path, "x" * TOO_LARGE, {"Content-Type": "application/json"}
    )
    return judge(f"{reply}.", good=reply.status == 403)  # noqa: PLR2004 - HTTP's own number


@check(*POOL, *STAGE, "logs:FilterLogEvents", remedy="See cloudwatch-role; deploy the stage again.")
def access_log(target: Target) -> Finding:
    """API Gateway writes its access log."""
    if not _access_group(target):
        return weakness("The API's stage has no access log.")
    lines = target.wait_for(lambda: _access_log(target, "", timedelta(hours=1)))
    return judge(f"{len(lines)} lines of the last hour.", good=lines)


@check(
    *POOL,
    *STAGE,
    "logs:FilterLogEvents",
    remedy="Add the response type to GATEWAY in functions/problems.py.",
)
def killed_function(target: Target) -> Finding:
    """A function that was killed is answered by a gateway response of this service."""
    pattern = '{ $.status = "5*" && $.failure != "-" }'
    lines = _access_log(target, pattern, RECENT)
    seen = {found[1] for line in lines if (found := re.search(r'"failure": ?"(\w+)"', line))}
    if not seen:
        return not_observed(f"The gateway answered no 5XX itself in {RECENT.days} days.")
    return judge(f"Response types: {', '.join(sorted(seen))}.", good=seen <= {*GATEWAY})


def _access_group(target: Target) -> str:
    arn: str = target.api_stage.get("accessLogSettings", {}).get("destinationArn", "")
    return arn.partition(":log-group:")[2].partition(":")[0]


def _access_log(target: Target, pattern: str, age: timedelta) -> list[str]:
    group = _access_group(target)
    if not group:
        raise NotObservedError("The API's stage has no access log.")
    events = target.client("logs").filter_log_events(
        logGroupName=group,
        startTime=int(1000 * (time.time() - age.total_seconds())),
        **({"filterPattern": pattern} if pattern else {}),
    )["events"]
    return [one["message"] for one in events]


@check(
    *GUEST,
    remedy="Anyone can find out whether a password is in a known user's history: switch the"
    " history off, or accept it in docs/threat-model.md.",
)
def code_before_password(target: Target) -> Finding:
    """Cognito checks the code before it looks into the history of passwords."""
    if not target.pool.get("Policies", {}).get("PasswordPolicy", {}).get("PasswordHistorySize"):
        return not_observed("The pool remembers no passwords.")
    _ask(target, "forgot_password", target.guest.username)
    short, present = (
        _ask(target, "confirm_forgot_password", target.guest.username, password, "000000")
        for password in ("short", target.guest.password)
    )
    return judge(
        f"With a wrong code, a short password: {short}; the present one: {present}.",
        good="Password" not in present,
    )


@check(
    *GUEST,
    "cognito-idp:AdminGetUser",
    remedy="An anonymous caller can have a user signed out during an outage: see"
    " docs/threat-model.md#what-is-not-known-about-cognito.",
)
def refusals_keep_date(target: Target) -> Finding:
    """A code that is sent, and a confirmation that is refused, leave the last-modified date."""
    before = _modified(target)
    _ask(target, "forgot_password", target.guest.username)
    sent = _modified(target)
    password = target.make_password()
    _ask(target, "confirm_forgot_password", target.guest.username, password, "000000")
    refused = _modified(target)
    return judge(
        f"ForgotPassword {'keeps' if sent == before else 'moves'} it, a refused"
        f" ConfirmForgotPassword {'keeps' if refused == sent else 'moves'} it.",
        good=before == sent == refused,
    )


@check(
    *GUEST,
    "cognito-idp:AdminGetUser",
    remedy="The worker cannot tell whether a change with an unknown outcome was made: end sessions"
    " by hand after a 504.",
)
def change_moves_date(target: Target) -> Finding:
    """A change of the password moves the last-modified date."""
    guest, chosen = target.guest, target.make_password()
    token = target.sign_in(guest.password)
    before = _modified(target)
    # Cognito's dates may have whole seconds.
    time.sleep(1)
    target.cognito.change_password(
        AccessToken=token, PreviousPassword=guest.password, ProposedPassword=chosen
    )
    guest.password = chosen
    after = _modified(target)
    return judge(f"It moved by {(after - before).total_seconds():.0f} s.", good=after > before)


def _modified(target: Target) -> datetime:
    user = target.cognito.admin_get_user(
        UserPoolId=target.pool["Id"], Username=target.guest.username
    )
    date: datetime = user["UserLastModifiedDate"]
    return date


@check(*CLIENTS, remedy="Nothing: the service answers both alike.")
def limits_for_unknown(target: Target) -> Finding:
    """It is known whether Cognito limits the attempts for users who do not exist."""
    nobody = target.address()
    for number in range(1, ASKED + 1):
        answer = _ask(target, "forgot_password", nobody)
        if answer == "LimitExceededException":
            return holds(f"It does, at attempt {number}.")
        if answer != "accepted":
            return holds(f"It does not, and answers {answer} to attempt {number}.")
    return holds(f"It does not: {ASKED} attempts were accepted.")


@check(
    *GUEST,
    "cognito-idp:AdminDisableUser",
    "cognito-idp:AdminEnableUser",
    remedy=TEXTS,
)
def not_authorized_texts(target: Target) -> Finding:
    """The service knows every text of NotAuthorizedException that could be provoked."""
    guest, cognito, pool = target.guest, target.cognito, target.pool["Id"]
    live, dead = (target.sign_in(guest.password) for _ in range(2))
    user = {"UserPoolId": pool, "Username": guest.username}
    change = {"PreviousPassword": "a-wrong-password-1A", "ProposedPassword": target.make_password()}
    client = {"ClientId": target.outputs["UserPoolClientId"], "Username": guest.username}
    texts = {
        "wrong password": _text(lambda: cognito.change_password(AccessToken=live, **change)),
        "no token": _text(lambda: cognito.change_password(AccessToken="a.b.c", **change)),
        "no secret hash": _text(lambda: cognito.forgot_password(**client)),
        "wrong secret hash": _text(lambda: cognito.forgot_password(**client, SecretHash="YQ==")),
    }
    cognito.global_sign_out(AccessToken=dead)
    texts["revoked token"] = _text(lambda: cognito.change_password(AccessToken=dead, **change))
    cognito.admin_disable_user(**user)
    texts["disabled user"] = _text(lambda: _call(target, "forgot_password", guest.username))
    cognito.admin_enable_user(**user)
    # As an invited user, who has never signed in. The history takes no password twice.
    cognito.admin_set_user_password(**user, Password=target.make_password(), Permanent=False)
    texts["invited user"] = _text(lambda: _call(target, "forgot_password", guest.username))
    guest.password = target.make_password()
    cognito.admin_set_user_password(**user, Password=guest.password, Permanent=True)
    unknown = {
        kind: text.replace(guest.username, "***")
        for kind, text in texts.items()
        if text and not any(part in text.lower() for part in PATTERNS)
    }
    if unknown:
        return weakness("; ".join(f"{kind}: {text!r}" for kind, text in unknown.items()))
    return holds(f"Provoked: {', '.join(kind for kind, text in texts.items() if text)}.")


def _text(call: Callable[[], object]) -> str:
    """Return the text of a `NotAuthorizedException`, or nothing."""
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NotAuthorizedException":
            return error.response["Error"]["Message"]
    return ""


def _ask(target: Target, action: str, username: str, password: str = "", code: str = "") -> str:
    """Call Cognito itself as the service does; return the name of its exception."""
    more = {"Password": password, "ConfirmationCode": code} if code else {}
    try:
        _call(target, action, username, **more)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "accepted"


def _call(target: Target, action: str, username: str, **more: str) -> None:
    client = target.service_client
    proof = prove(client, username, "SecretHash")
    getattr(target.cognito, action)(ClientId=client["ClientId"], Username=username, **proof, **more)


@check("xray:GetTraceSummaries", remedy="Is X-Ray reachable, and tracing on?")
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
    "cloudwatch:GetMetricStatistics",
    remedy="Do the functions' logs have lines with _aws? If so, run again in some minutes.",
)
def metrics(target: Target) -> Finding:
    """CloudWatch extracts the functions' metrics from their logs."""
    now = datetime.now(UTC)
    names = {"operation": RESET.id, "service": SERVICE, "stage": target.stage}

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
    return judge(f"{count:.0f} resets were counted in the last hour.", good=count)


CHECKS: Final = tuple(value for value in vars().values() if isinstance(value, Check))
