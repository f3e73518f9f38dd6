"""The stages, and what the context of one deployment changes of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs


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
    reveal_user_existence: bool = False
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
            allowed_origins=("http://localhost:3000", "http://127.0.0.1:3000"),
        ),
        Stage(name="dev"),
        Stage(
            name="prod",
            log_retention=logs.RetentionDays.ONE_YEAR,
            removal_policy=RemovalPolicy.RETAIN,
        ),
    )
}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _flag(text: str) -> bool:
    return {"true": True, "false": False}[text]


CONTEXT: Final[Mapping[str, tuple[str, Callable[[str], Any], str]]] = {
    "userPoolId": ("user_pool_id", str, "text"),
    "userPoolClientId": ("user_pool_client_id", str, "text"),
    "allowedClientIds": ("allowed_client_ids", _names, "names with commas between them"),
    "allowedOrigins": ("allowed_origins", _names, "origins with commas between them"),
    "revealUserExistence": ("reveal_user_existence", _flag, "true or false"),
    "cloudWatchRole": ("cloud_watch_role", _flag, "true or false"),
}
"""The settings that `cdk -c name=value` changes: their field, how they are read, what they are."""


def read_stage(context: Callable[[str], Any]) -> Stage:
    """The stage that `-c stage=` names, changed by the context; `SystemExit` says why not."""
    name = context("stage") or "dev"
    if name not in STAGES:
        raise SystemExit(f"There is no stage {name!r}: choose one of {', '.join(STAGES)}.")
    changes = {}
    for key, (field, read, expected) in CONTEXT.items():
        value = context(key)
        if value is None:
            continue
        try:
            changes[field] = read(str(value))
        except KeyError:
            raise SystemExit(f"{key} must be {expected}, not {value!r}.") from None
    stage = replace(STAGES[name], **changes)
    if bool(stage.user_pool_id) != bool(stage.user_pool_client_id):
        raise SystemExit("Bring a pool with both userPoolId and userPoolClientId, or with neither.")
    return stage
