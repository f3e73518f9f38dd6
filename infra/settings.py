"""The stages, and what the context of one deployment changes of them."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs

from functions.operations import Operation

MAX_STEP: Final = 1
"""Seconds; a step is waited for in full, and the gateway does not wait long."""
MAX_RESETS: Final = 60 * Operation.RESET_PASSWORD.requests_per_second
"""A minute; the gateway lets no more pass, so an alarm above would never ring."""


class FirewallMode(StrEnum):
    """What becomes of a request that a rule of the firewall matches."""

    OFF = "off"
    COUNT = "count"
    """It passes, and the log has it: how a roll-out begins."""
    BLOCK = "block"


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What differs between two deployments of the stack."""

    name: str
    user_pool_id: str = ""
    user_pool_client_id: str = ""
    """A pool and one of its clients that are brought; without them the stack makes a test pool."""
    allowed_client_ids: tuple[str, ...] = ()
    """App clients, besides the service's own, whose access tokens `update_password` accepts."""
    allowed_origins: tuple[str, ...] = ()
    """The origins whose scripts may call the API, as a browser sends them."""
    domain_name: str = ""
    certificate_arn: str = ""
    """A name for the API and its certificate, from the API's own region; neither by default."""
    hosted_zone_id: str = ""
    """The Route 53 zone that gets the records of the name; without it they are made by hand."""
    firewall: FirewallMode = FirewallMode.BLOCK
    reveal_user_existence: bool = False
    threat_protection: bool = False
    """The pool rates the risk of a request (its Plus plan), and so gets the caller's address."""
    answer_step: float = 1.0
    """Seconds; longer than most answers take, since every answer waits for the next multiple."""
    limits: bool = True
    events: bool = True
    """Have an event bus that tells of changed passwords."""
    breach_endpoint: str = "https://api.pwnedpasswords.com/range"
    """Of the range API of breached passwords; empty for none."""
    snap_start: bool = False
    """Restore a snapshot in the place of a start: unmeasured for one as short as ours."""
    xray_sdk: bool = False
    """Trace by AWS's SDK, which makes cold starts slower, in the place of our own few lines."""
    observability: bool = True
    """Have alarms, a dashboard, saved queries, and canaries that the alarms end."""
    alarm_email: str = ""
    """Who is told of an alarm; without an address it only stands on the dashboard."""
    resets_per_minute: int = 30
    """From so many on, resets look like an attack; and so do wrong codes and what is refused."""
    canary: bool = False
    """Shift a tenth of the traffic to a new version first, and all of it fifteen minutes later."""
    keep_versions: bool = False
    """Retain the versions of functions that were replaced, to go back to one by hand."""
    cloud_watch_role: bool = True
    """Make the role with which API Gateway writes access logs: one for a whole account."""
    log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH
    removal_policy: RemovalPolicy = RemovalPolicy.DESTROY
    native: bool = False
    """Build for the machine that runs the synthesis, and let its tools sign users in."""


STAGES: Final = {
    stage.name: stage
    for stage in (
        Stage(
            name="local",
            native=True,
            observability=False,  # the emulator has no CodeDeploy and no arithmetic of metrics
            firewall=FirewallMode.OFF,  # nor the association of a web ACL
            answer_step=0.05,
            breach_endpoint="",
            allowed_origins=("http://localhost:3000", "http://127.0.0.1:3000"),
        ),
        Stage(name="dev"),
        Stage(
            name="prod",
            canary=True,
            keep_versions=True,
            log_retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
        ),
    )
}


_NO_SETTINGS: Final = {"stage", "acknowledged-issue-numbers", "cli-telemetry"}
"""In the context too; all other keys of the CDK have colons."""


def read_stage(context: Mapping[str, Any]) -> Stage:
    """The stage that the context names, with its changes; `SystemExit` says in a sentence why not.

    A value is text from `cdk -c name=value`, or JSON from `cdk.json`.
    """
    name = context.get("stage", "dev")
    if not isinstance(name, str) or name not in STAGES:
        raise SystemExit(f"There is no stage {name!r}: choose one of {', '.join(STAGES)}.")
    changes: dict[str, Any] = {}
    for key, value in context.items():
        if key in CONTEXT:
            field, read = CONTEXT[key]
            try:
                changes[field] = read(value)
            except ValueError as expected:
                raise SystemExit(f"{key} must be {expected}, not {value!r}.") from None
        elif ":" not in key and key not in _NO_SETTINGS:
            raise SystemExit(f"There is no setting {key!r}: choose one of {', '.join(CONTEXT)}.")
    stage = replace(STAGES[name], **changes)
    if bool(stage.user_pool_id) != bool(stage.user_pool_client_id):
        raise SystemExit("Bring a pool with both userPoolId and userPoolClientId, or with neither.")
    if bool(stage.domain_name) != bool(stage.certificate_arn):
        raise SystemExit("Give a domain with both domainName and certificateArn, or with neither.")
    if stage.hosted_zone_id and not stage.domain_name:
        raise SystemExit("Give hostedZoneId only with domainName, whose records the zone gets.")
    return stage


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("text")


def _like(pattern: str, example: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, str) and re.fullmatch(pattern, value):
            return value
        raise ValueError(f"like {example}")

    return read


def _firewall(value: object) -> FirewallMode:
    for mode in FirewallMode:
        if value == mode:
            return mode
    raise ValueError(f"one of {', '.join(FirewallMode)}")


def _flag(value: object) -> bool:
    if value in ("true", "false"):
        return value == "true"
    if isinstance(value, bool):
        return value
    raise ValueError("true or false")


def _names(value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return tuple(name.strip() for name in names if name.strip())
    raise ValueError("names with commas between them")


def _origins(value: object) -> tuple[str, ...]:
    origins = _names(value)
    # A browser sends neither a path nor a final slash, and no pattern matches what it sends.
    if all(re.fullmatch(r"https?://[^/*\s]+", origin) for origin in origins):
        return origins
    raise ValueError("origins like https://example.com with commas between them")


def _seconds(value: object) -> float:
    with suppress(ValueError):
        seconds = float(str(value))
        # The function's own time is bounded.
        if 0 <= seconds <= MAX_STEP:
            return seconds
    raise ValueError(f"a number of seconds from 0 to {MAX_STEP}")


def _resets(value: object) -> int:
    with suppress(ValueError):
        resets = int(str(value))
        if 1 <= resets <= MAX_RESETS:
            return resets
    raise ValueError(f"a whole number from 1 to {MAX_RESETS}")


def _email(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(r"[^@\s]+@[^@\s]+", value):
        return value
    raise ValueError("an e-mail address")


CONTEXT: Final[Mapping[str, tuple[str, Callable[[object], object]]]] = {
    "userPoolId": ("user_pool_id", _text),
    "userPoolClientId": ("user_pool_client_id", _text),
    "allowedClientIds": ("allowed_client_ids", _names),
    "allowedOrigins": ("allowed_origins", _origins),
    "domainName": (
        "domain_name",
        # In lower case, as API Gateway wants it.
        _like(r"(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}", "passwords.example.com"),
    ),
    "certificateArn": (
        "certificate_arn",
        _like(
            r"arn:[\w-]+:acm:[\w-]+:\d{12}:certificate/[\w-]+",
            "arn:aws:acm:<region>:<account>:certificate/<id>",
        ),
    ),
    "hostedZoneId": ("hosted_zone_id", _like(r"Z[A-Z0-9]+", "Z0123456789ABCDEFGHIJ")),
    "firewall": ("firewall", _firewall),
    "revealUserExistence": ("reveal_user_existence", _flag),
    "threatProtection": ("threat_protection", _flag),
    "answerStep": ("answer_step", _seconds),
    "limits": ("limits", _flag),
    "events": ("events", _flag),
    "breachEndpoint": ("breach_endpoint", _text),
    "snapStart": ("snap_start", _flag),
    "xraySdk": ("xray_sdk", _flag),
    "alarmEmail": ("alarm_email", _email),
    "resetsPerMinute": ("resets_per_minute", _resets),
    "canary": ("canary", _flag),
    "keepVersions": ("keep_versions", _flag),
    "cloudWatchRole": ("cloud_watch_role", _flag),
}
"""The settings that the context changes: the field of `Stage`, and how its value is read."""
