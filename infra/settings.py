"""The choices of a deployment. Each has a type, a meaning, a rule, and defaults by stage."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Final, Literal, Self, TypedDict, Unpack

from functions.operations import Operation
from functions.settings import Runtime
from infra import rules

MAX_INTERVAL: Final = 5
"""Seconds. The gateway does not wait long, and Lambda bills each of them."""
MAX_PAUSE: Final = 600
"""Seconds. Somebody whose first code is lost waits as long for the next one."""
MAX_SIGN_IN_AGE: Final = 86_400
"""Seconds. Cognito's access tokens are valid for a day at most."""
MAX_RESETS: Final = 60 * Operation.RESET_PASSWORD.requests_per_second
"""Per minute. The gateway's throttle lets no more through, so a higher alarm would never ring."""
MAX_ATTEMPTS: Final = 100
MAX_ATTEMPTS_PER_ADDRESS: Final = 10_000
MAX_ATTEMPTS_PER_NETWORK: Final = 100_000
"""Per hour. A higher limit would not limit anything: set `limits` to false instead."""
MAX_RESERVED: Final = 1000
"""Executions. More than a method's throttle lets in, even if each takes two seconds."""

_MAIL_ADDRESS: Final = r"[^@\s]+@(?:[a-z0-9-]+\.)+[a-z0-9-]+"
_NOT_SETTINGS: Final = {"stage", "acknowledged-issue-numbers", "cli-telemetry"}
"""Other keys in the context; all further ones of the CDK have colons."""

type Firewall = Literal["off", "count", "block"]
type LogRetention = Literal["ONE_MONTH", "ONE_YEAR"]


class Choices(TypedDict, total=False):
    """The settings of the construct, by their Python names."""

    mail_from: str
    """The sender of mails, in a domain verified in SES. `prod` needs it, or your own pool."""
    mail_name: str
    """The name of your service or company, as the sender of mails and in their subjects."""
    mail_logo: str
    """The address of a picture that mails show instead of the name, readable on black and white."""
    mail_reply_to: str
    """The address that receives replies to the service's own mails."""
    mail_configuration_set: str
    """The configuration set of SES for the service's own mails, instead of the stack's own."""
    support_url: str
    """Where a mail sends users who did not change their password: your help, or a reset page."""
    code_mails: bool
    """Deploy the function that writes Cognito's mails with codes. Attach it to an imported pool."""
    code_url: str
    """Your page that takes a code from `#code=…`, for a link in the mail with a reset code."""
    mail_unknown_addresses: bool
    """On a reset, tell addresses without an account by mail that they have none."""
    resend_invitations: bool
    """On a reset, resend the invitation to invited users who never signed in."""
    force_global_sign_out: bool
    """End all of a user's sessions on each update, the caller's own too."""
    allowed_client_ids: Sequence[str]
    """Further app clients whose access tokens `update_password` accepts."""
    allowed_origins: Sequence[str]
    """The origins of the pages and apps whose scripts may call the API."""
    domain_name: str
    """A custom domain name for the API, in lower case."""
    certificate_arn: str
    """The ACM certificate of the domain name, in the API's own region."""
    hosted_zone_id: str
    """The Route 53 zone for the domain's records. Without one, create them yourself."""
    server_callers: Sequence[str]
    """Names of secrets for servers of yours that call for their users: one, or two meanwhile."""
    firewall: Firewall
    """The action on a request that matches a firewall rule; `off` deploys no firewall."""
    reveal_user_existence: bool
    """Respond with Cognito's own errors, which tell anyone whether an account exists."""
    threat_protection: bool
    """Have Cognito rate each request's risk (Plus plan), and tell it the caller's address."""
    response_interval: float
    """Seconds. When Cognito refuses a confirmation, the response waits for the next multiple."""
    code_pause: int
    """Seconds within which the worker carries out one reset of a name; 0 carries out each one."""
    limits: bool
    """Limit the attempts per user and address."""
    reset_password_attempts: int
    """Attempts an hour at `reset_password` for one user and address."""
    confirm_reset_password_attempts: int
    """Attempts an hour at `confirm_reset_password` for one user and address."""
    update_password_attempts: int
    """Attempts an hour at `update_password` for one user. Cognito itself allows five."""
    attempts_per_address: int
    """Attempts an hour at a public operation from one address, for all users together."""
    attempts_per_network: int
    """The same for one IPv6 network, which holds many addresses."""
    ipv6_address_prefix: int
    """Bits of an IPv6 prefix that counts as one address: what one customer gets."""
    ipv6_network_prefix: int
    """Bits of an IPv6 prefix that counts as one network: what one provider's site gets."""
    events: bool
    """Send events to a bus: about changed passwords, and users who repeatedly fail."""
    breach_endpoint: str
    """The range API that knows breached passwords; empty to check none."""
    forbidden_words: Sequence[str]
    """Words that no new password may contain, such as your product's and your company's names."""
    memory_size: int
    """MB of each function but the worker and `password_policy`, which have 256. A function's share
    of a processor grows with them, and so does the price."""
    reserved_concurrency: int
    """Concurrent executions that each API function has and cannot exceed; 0 reserves none."""
    snap_start: bool
    """Restore snapshots instead of starting cold. A function unused for 14 days then fails."""
    alarm_email: str
    """The address that alarms are mailed to. Without one, only the dashboard shows them."""
    all_alarms: bool
    """Watch every failure, abuse and degradation. Otherwise, only what stops the service."""
    resets_per_minute: int
    """Alarm threshold for resets, wrong codes and refused requests per minute."""
    canary: bool
    """Shift a tenth of the traffic to a new version, and the rest fifteen minutes later."""
    keep_versions: bool
    """Keep replaced versions of the functions, so that you can go back to one by hand."""
    cloud_watch_role: bool
    """Create the account's role with which API Gateway writes access logs."""
    sign_in_attributes: Sequence[str]
    """`email`, `phone_number` or both, if users of an imported pool have no other username."""
    max_sign_in_age: int
    """Seconds after a sign-in within which a user can update the password; 0 for no limit."""
    lower_case_usernames: bool
    """The pool ignores the case of usernames."""
    log_retention: LogRetention
    """How long logs are kept."""
    retain_data: bool
    """Keep the pool and the logs when the stack is deleted."""


class StageChoices(Choices, total=False):
    """The settings of a stage of our own, which may import a pool."""

    user_pool_id: str
    """The user pool to use. Without one, the stack makes a test pool."""
    user_pool_client_id: str
    """The service's app client in that pool. It needs a secret."""
    pool_firewall: Firewall
    """The action on a reset that goes to Cognito without this service; `off` adds no web ACL."""
    export_outputs: bool
    """Export each output, under the name of the stack, a hyphen and its own name."""


STAGES: Final[Mapping[str, StageChoices]] = {
    "local": {
        "mail_from": "no-reply@example.com",
        "mail_name": "Acme",
        "resend_invitations": True,
        "allowed_origins": (
            "http://localhost:3000",
            "http://127.0.0.1:3000",
            "http://localhost:5173",
            "capacitor://localhost",
        ),
        "firewall": "off",  # the emulator cannot associate a web ACL
        "response_interval": 0.05,
        "code_pause": 3,
        # Several visitors try a demo from one address.
        "reset_password_attempts": 50,
        "confirm_reset_password_attempts": 50,
        "update_password_attempts": 50,
        "attempts_per_address": 1000,
        "breach_endpoint": "",
        "forbidden_words": ("Acme",),
    },
    "dev": {"firewall": "off", "all_alarms": False},
    "prod": {
        "canary": True,
        "keep_versions": True,
        "log_retention": "ONE_YEAR",
        "retain_data": True,
    },
}
"""The defaults of each stage, where they differ from those of `Deployment`."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Deployment(Runtime):
    """All settings of a deployment: those that its functions read, and those of its stack."""

    domain_name: str = ""
    certificate_arn: str = ""
    hosted_zone_id: str = ""
    server_callers: tuple[str, ...] = ()
    firewall: Firewall = "block"
    pool_firewall: Firewall = "off"
    export_outputs: bool = False
    events: bool = True
    code_mails: bool = True
    memory_size: int = 512
    reserved_concurrency: int = 0
    snap_start: bool = False
    alarm_email: str = ""
    all_alarms: bool = True
    resets_per_minute: int = 30
    canary: bool = False
    keep_versions: bool = False
    cloud_watch_role: bool = True
    log_retention: LogRetention = "ONE_MONTH"
    retain_data: bool = False

    @classmethod
    def of_stage(cls, stage: str, **changes: Unpack[StageChoices]) -> Self:
        """Return the defaults of a stage, with some changes."""
        chosen: dict[str, Any] = {**STAGES[stage], **changes}
        return cls(stage=stage, **chosen)

    @property
    def needs_configuration_set(self) -> bool:
        """Whether mails are sent and nobody has named a configuration set for them."""
        return bool(self.mail_from and not self.mail_configuration_set)


STAGE_NAME: Final = rules.text(r"[\w-]{1,64}", "shop-passwords")
_ATTEMPTS: Final = rules.number(1, MAX_ATTEMPTS)

RULES: Final[Mapping[str, rules.Rule]] = {
    **{one.name: rules.FLAG for one in fields(Deployment) if one.type is bool},
    "user_pool_id": rules.text(),
    "user_pool_client_id": rules.text(),
    "mail_from": rules.text(_MAIL_ADDRESS, "no-reply@example.com"),
    # Neither quotes nor brackets, nor what shows nothing: CloudFormation reads the pattern, too.
    "mail_name": rules.text(
        r"[^<>\"\x00-\x1f\x7f-\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]{1,64}",
        "Acme",
    ),
    "mail_logo": rules.text(r"https://[^\s\"'<>]+", "https://example.com/logo.png"),
    "mail_reply_to": rules.text(_MAIL_ADDRESS, "help@example.com"),
    "mail_configuration_set": rules.text(r"[\w-]{1,64}", "passwords"),
    "support_url": rules.text(r"https://[^\s\"'<>]+", "https://example.com/help"),
    "code_url": rules.text(r"https://[^\s\"'<>#]+", "https://example.com/reset"),
    "allowed_client_ids": rules.names(),
    # A browser sends neither a path nor a final slash, and no pattern matches what it sends. An app
    # has a scheme of its own, such as Capacitor's, and every sandboxed page has the origin `null`.
    "allowed_origins": rules.names(
        r"[a-z][a-z0-9+.-]*://[^/*?#@\sA-Z]+",
        "https://example.com,capacitor://localhost",
        "origins",
    ),
    "sign_in_attributes": rules.names("email|phone_number", "email,phone_number"),
    "max_sign_in_age": rules.number(0, MAX_SIGN_IN_AGE),
    "server_callers": rules.servers(),
    "domain_name": rules.text(r"(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}", "passwords.example.com"),
    "certificate_arn": rules.text(
        r"arn:[\w-]+:acm:[\w-]+:\d{12}:certificate/[\w-]+",
        "arn:aws:acm:<region>:<account>:certificate/<id>",
    ),
    "hosted_zone_id": rules.text(r"Z[A-Z0-9]+", "Z0123456789ABCDEFGHIJ"),
    "firewall": rules.choice("off", "count", "block"),
    "pool_firewall": rules.choice("off", "count", "block"),
    "response_interval": rules.number(0, MAX_INTERVAL, float),
    "code_pause": rules.number(0, MAX_PAUSE),
    "reset_password_attempts": _ATTEMPTS,
    "confirm_reset_password_attempts": _ATTEMPTS,
    "update_password_attempts": _ATTEMPTS,
    "attempts_per_address": rules.number(1, MAX_ATTEMPTS_PER_ADDRESS),
    "attempts_per_network": rules.number(1, MAX_ATTEMPTS_PER_NETWORK),
    "ipv6_address_prefix": rules.number(56, 128),
    "ipv6_network_prefix": rules.number(16, 55),
    "breach_endpoint": rules.text(
        # Without TLS, only to this machine, where the local stage and tests have one.
        r"(?:https://[^/:\s]+|http://127\.0\.0\.1)(?::\d+)?(?:/\S*)?",
        "https://api.pwnedpasswords.com/range",
    ),
    "forbidden_words": rules.names(
        r"[^\x00-\x1f\x7f-\x9f,]{3,64}", "Acme,Acme Rockets", "words of 3 to 64 characters"
    ),
    "memory_size": rules.number(128, 1769),
    "reserved_concurrency": rules.number(0, MAX_RESERVED),
    "alarm_email": rules.text(r"[^@\s]+@[^@\s]+", "ops@example.com"),
    "resets_per_minute": rules.number(1, MAX_RESETS),
    "log_retention": rules.choice("ONE_MONTH", "ONE_YEAR"),
}

NEEDS: Final[Mapping[str, str]] = {
    "user_pool_id": "user_pool_client_id",
    "user_pool_client_id": "user_pool_id",
    **dict.fromkeys(("mail_reply_to", "mail_configuration_set"), "mail_from"),
    **dict.fromkeys(("support_url", "mail_unknown_addresses"), "mail_from"),
    "mail_logo": "mail_name",  # the text of the picture
    "domain_name": "certificate_arn",
    "certificate_arn": "domain_name",
    "hosted_zone_id": "domain_name",
}
"""Settings that are of no use without another one."""

_ARGUMENTS: Final = {name: name for name in Choices.__annotations__}
ARGUMENTS_ONLY: Final = {"lower_case_usernames", "log_retention", "retain_data"}
"""The settings of the construct that a stage of our own chooses itself."""


def camel_case(name: str) -> str:
    """Return the name of a setting in the context of the CDK."""
    first, *rest = name.split("_")
    return first + "".join(map(str.capitalize, rest))


_CONTEXT: Final = {
    camel_case(name): name for name in StageChoices.__annotations__ if name not in ARGUMENTS_ONLY
}


def read_context(context: Mapping[str, Any]) -> Deployment:
    """Return the settings of the CDK context: text from `cdk -c`, or JSON from `cdk.json`.

    A `ValueError` lists everything that is wrong with them.
    """
    given = {k: value for k, value in context.items() if ":" not in k and k not in _NOT_SETTINGS}
    stage = context.get("stage", "dev")
    mistakes, values = _read(stage, "stage", STAGES, given, _CONTEXT)
    if stage == "prod" and not values.get("user_pool_id") and not values.get("mail_from"):
        mistakes.append(
            "prod needs mailFrom or a userPoolId: Cognito's own mailer sends 50 mails a day."
        )
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return Deployment(stage=stage, **values)


def read_arguments(
    stage: str, defaults: object, given: Mapping[str, object]
) -> tuple[list[str], Deployment]:
    """Return everything that is wrong with a construct's arguments, and the settings if nothing is.

    The `defaults` are those of one of our own stages.
    """
    mistakes, values = _read(defaults, "defaults", ("dev", "prod"), given, _ARGUMENTS)
    mistakes += _check("stage", stage, STAGE_NAME)
    # There is one role for access logs in an account.
    return mistakes, Deployment(**{"cloud_watch_role": False, **values, "stage": stage})


def _read(
    stage: object,
    name_of_stage: str,
    stages: Iterable[str],
    given: Mapping[str, object],
    keys: Mapping[str, str],
) -> tuple[list[str], dict[str, Any]]:
    """Return mistakes, and the defaults of a stage with what was given under the `keys`."""
    values: dict[str, Any] = {}
    mistakes = list(_check(name_of_stage, stage, rules.choice(*stages)))
    if not mistakes:
        values |= STAGES[str(stage)]
    wrong_keys = set()
    for key, value in given.items():
        if key not in keys:
            (similar,) = get_close_matches(key, keys, n=1, cutoff=0)
            mistakes.append(f"There is no setting {key!r}: did you mean {similar}?")
        elif wrong := list(_check(key, value, RULES[keys[key]])):
            mistakes += wrong
            wrong_keys.add(key)
        else:
            values[keys[key]] = RULES[keys[key]].read(value)
    mistakes += [
        f"{key} is set, so set {other} as well."
        for key, name in keys.items()
        for other, needed in keys.items()
        if NEEDS.get(name) == needed and values.get(name) and not values.get(needed)
        if other not in wrong_keys
    ]
    return mistakes, values


def _check(key: str, value: object, rule: rules.Rule) -> Iterator[str]:
    try:
        rule.read(value)
    except ValueError:
        yield f"{key} must be {rule.expected}, not {value!r}."
