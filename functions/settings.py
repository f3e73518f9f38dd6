"""Every setting, declared once: its type, bounds, description, and default for each stage.

The CDK context has the settings in camelCase, and the functions' environment has those that they
read in UPPER_CASE. `cdk synth` checks the first, a function reads the second, by the same rules.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Any, Final, Self

from functions.operations import Operation

STAGES: Final = ("local", "dev", "prod")

MAX_INTERVAL: Final = 5
"""Seconds. The gateway does not wait long, and Lambda bills each of them."""
MAX_RESETS: Final = 60 * Operation.RESET_PASSWORD.requests_per_second
"""Per minute. The gateway's throttle lets no more through, so a higher alarm would never ring."""

MAX_NAMES: Final = 1000
"""Characters. Lambda has room for 4 KB of environment, and three settings are lists of names."""
MAX_ATTEMPTS: Final = 100
MAX_ATTEMPTS_PER_ADDRESS: Final = 10_000
MAX_ATTEMPTS_PER_NETWORK: Final = 100_000
"""Per hour. A higher limit would not limit anything: set `limits` to false instead."""

_MAIL_ADDRESS: Final = r"[^@\s]+@(?:[a-z0-9-]+\.)+[a-z0-9-]+"
_NOT_SETTINGS: Final = {"stage", "acknowledged-issue-numbers", "cli-telemetry"}
"""Other keys in the context; all further ones of the CDK have colons."""
_DEFERRED: Final = "${Token["
"""Begins what the CDK writes for a text that only CloudFormation knows."""


class FirewallMode(StrEnum):
    """What happens to a request that matches a rule of the firewall."""

    OFF = "off"
    COUNT = "count"
    """Matching requests pass and are logged, as in the first step of a roll-out."""
    BLOCK = "block"


class LogRetention(StrEnum):
    """How long CloudWatch keeps logs, by its own names."""

    ONE_MONTH = "ONE_MONTH"
    ONE_YEAR = "ONE_YEAR"


class Setting[T]:
    """One setting. A subclass says which values it accepts."""

    expected: str
    """The values that `read` accepts, for a person."""

    def __init__(
        self,
        sentence: str,
        default: T,
        *,
        stages: Mapping[str, T] | None = None,
        context: bool = True,
        environment: bool = False,
        computed: bool = False,
        needs: str = "",
    ) -> None:
        """Declare it; `needs` names another setting without which this one is of no use.

        With `context`, a deployment can change it. With `environment`, the functions get it.
        With `computed`, the construct finds it out itself.
        """
        self.sentence = sentence
        self.defaults = dict.fromkeys(STAGES, default) | dict(stages or {})
        self.context = context
        self.environment = environment
        self.computed = computed
        self.needs = needs

    def __set_name__(self, owner: "type[Settings]", name: str) -> None:
        first, *rest = name.split("_")
        self.name = name
        self.key = first + "".join(map(str.capitalize, rest))
        self.variable = name.upper()

    def __get__(self, settings: "Settings", owner: "type[Settings]") -> T:
        value: T = settings.values[self.name]
        return value

    def read(self, value: object) -> T:
        """Return a value of the context or the environment, or raise a bare `ValueError`."""
        raise NotImplementedError

    def write(self, value: Any) -> str:
        """Return the text that `read` reads back; a value may hold tokens of the CDK."""
        return str(value)


class Flag(Setting[bool]):
    """On or off."""

    expected = "true or false"

    def read(self, value: object) -> bool:
        """A boolean, or its name."""
        if value in ("true", "false"):
            return value == "true"
        if isinstance(value, bool):
            return value
        raise ValueError

    def write(self, value: bool) -> str:  # noqa: FBT001 - the value itself
        """The name, as in JSON."""
        return str(value).lower()


class Text(Setting[str]):
    """Text that is empty or matches the pattern."""

    def __init__(
        self, sentence: str, pattern: str = ".*", example: str = "", **options: Any
    ) -> None:
        self._pattern = pattern
        self.expected = f"like {example}" if example else "text"
        super().__init__(sentence, options.pop("default", ""), **options)

    def read(self, value: object) -> str:
        """The text itself."""
        if isinstance(value, str) and (not value or _matches(self._pattern, value)):
            return value
        raise ValueError


class Number(Setting[float]):
    """A number within bounds; with `whole`, without a fraction."""

    def __init__(
        self, sentence: str, bounds: tuple[int, int], *, whole: bool = False, **options: Any
    ) -> None:
        self._whole = whole
        self._bounds = bounds
        self.expected = f"a {'whole ' if whole else ''}number from {bounds[0]} to {bounds[1]}"
        super().__init__(sentence, **options)

    def read(self, value: object) -> float:
        """The number, which may be text."""
        number = int(str(value)) if self._whole else float(str(value))
        if self._bounds[0] <= number <= self._bounds[1]:
            return number
        raise ValueError


class Names(Setting[tuple[str, ...]]):
    """Names that match a pattern, comma-separated in text."""

    def __init__(
        self, sentence: str, pattern: str = ".*", example: str = "a,b", **options: Any
    ) -> None:
        self._pattern = pattern
        kind = options.pop("kind", "names")
        most = f"at most {MAX_NAMES} characters"
        self.expected = f"comma-separated {kind}, such as {example}, {most}"
        super().__init__(sentence, options.pop("default", ()), **options)

    def read(self, value: object) -> tuple[str, ...]:
        """The names, from a list or from text."""
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise ValueError
        stripped = tuple(name.strip() for name in names if name.strip())
        fits = len(self.write(stripped)) <= MAX_NAMES
        if fits and all(_matches(self._pattern, name) for name in stripped):
            return stripped
        raise ValueError

    def write(self, value: tuple[str, ...]) -> str:
        """The comma-separated names."""
        return ",".join(value)


class Choice[E: StrEnum](Setting[E]):
    """One of a few names."""

    def __init__(self, sentence: str, default: E, **options: Any) -> None:
        self._options = type(default)
        self.expected = f"one of {', '.join(self._options)}"
        super().__init__(sentence, default, **options)

    def read(self, value: object) -> E:
        """The name's member."""
        return self._options(str(value))


class Settings:
    """The settings of one deployment, or what a function knows of them."""

    stage = Text(
        "The stage, which is a dimension of every metric.",
        r"[\w-]{1,64}",
        "shop-passwords",
        stages={stage: stage for stage in STAGES},
        context=False,
        environment=True,
        computed=True,
    )
    user_pool_id = Text(
        "The user pool to use. Without one, the stack makes a test pool.",
        environment=True,
        computed=True,
        needs="user_pool_client_id",
    )
    user_pool_client_id = Text(
        "The service's app client in that pool. It needs a secret.",
        environment=True,
        computed=True,
        needs="user_pool_id",
    )
    mail_from = Text(
        "The sender of mails, in a domain verified in SES. `prod` needs it, or your own pool.",
        _MAIL_ADDRESS,
        "no-reply@example.com",
        stages={"local": "no-reply@example.com"},
        environment=True,
    )
    mail_name = Text(
        "The name of your service or company, as the sender of mails and in their subjects.",
        r"[^\x00-\x1f\x7f<>\"]{1,64}",
        "Acme",
        stages={"local": "Acme"},
        environment=True,
        needs="mail_from",
    )
    mail_reply_to = Text(
        "The address that receives replies to the service's own mails.",
        _MAIL_ADDRESS,
        "help@example.com",
        environment=True,
        needs="mail_from",
    )
    mail_configuration_set = Text(
        "The configuration set of SES for the service's own mails.",
        r"[\w-]{1,64}",
        "passwords",
        environment=True,
        needs="mail_from",
    )
    support_url = Text(
        "Where a mail sends users who did not change their password: your help, or a reset page.",
        r"https://[^\s\"'<>]+",
        "https://example.com/help",
        environment=True,
        needs="mail_from",
    )
    mail_unknown_addresses = Flag(
        "On a reset, tell addresses without an account by mail that they have none.",
        default=False,
        environment=True,
        needs="mail_from",
    )
    resend_invitations = Flag(
        "On a reset, resend the invitation to invited users who never signed in.",
        default=False,
        stages={"local": True},
        environment=True,
    )
    force_global_sign_out = Flag(
        "End all of a user's sessions on each update, the caller's own too.",
        default=False,
        environment=True,
    )
    allowed_client_ids = Names(
        "Further app clients whose access tokens `update_password` accepts.", environment=True
    )
    allowed_origins = Names(
        "The origins whose scripts may call the API.",
        # A browser sends neither a path nor a final slash, and no pattern matches what it sends.
        r"https?://[^/*\s]+",
        "https://example.com",
        stages={"local": ("http://localhost:3000", "http://127.0.0.1:3000")},
        environment=True,
    )
    domain_name = Text(
        "A custom domain name for the API, in lower case.",
        r"(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}",
        "passwords.example.com",
        needs="certificate_arn",
    )
    certificate_arn = Text(
        "The ACM certificate of the domain name, in the API's own region.",
        r"arn:[\w-]+:acm:[\w-]+:\d{12}:certificate/[\w-]+",
        "arn:aws:acm:<region>:<account>:certificate/<id>",
        needs="domain_name",
    )
    hosted_zone_id = Text(
        "The Route 53 zone for the domain's records. Without one, create them yourself.",
        r"Z[A-Z0-9]+",
        "Z0123456789ABCDEFGHIJ",
        needs="domain_name",
    )
    firewall = Choice(
        "What happens to a request that matches a firewall rule; `off` deploys no firewall.",
        FirewallMode.BLOCK,
        stages={"local": FirewallMode.OFF},  # the emulator cannot associate a web ACL
    )
    reveal_user_existence = Flag(
        "Respond with Cognito's own errors, which tell anyone whether an account exists.",
        default=False,
        environment=True,
    )
    threat_protection = Flag(
        "Have Cognito rate each request's risk (Plus plan), and tell it the caller's address.",
        default=False,
        environment=True,
    )
    response_interval = Number(
        "Seconds. When Cognito refuses a confirmation, the response waits for the next multiple.",
        (0, MAX_INTERVAL),
        default=1.0,
        stages={"local": 0.05},
        environment=True,
    )
    limits = Flag("Limit the attempts per user and address.", default=True, environment=True)
    # A setting for each operation: `reset_password_attempts` and so on.
    locals().update(
        {
            f"{operation.id}_attempts": Number(
                f"Attempts an hour at `{operation.id}` for one user"
                f"{'' if operation.signed_in else ' and address'}.",
                (1, MAX_ATTEMPTS),
                whole=True,
                default=operation.attempts_per_hour,
                environment=True,
            )
            for operation in Operation
            if operation.attempts_per_hour
        }
    )
    attempts_per_address = Number(
        "Attempts an hour at a public operation from one address, for all users together.",
        (1, MAX_ATTEMPTS_PER_ADDRESS),
        whole=True,
        default=50,
        environment=True,
    )
    attempts_per_network = Number(
        "The same for one IPv6 network, which holds many addresses.",
        (1, MAX_ATTEMPTS_PER_NETWORK),
        whole=True,
        default=500,
        environment=True,
    )
    ipv6_address_prefix = Number(
        "Bits of an IPv6 prefix that counts as one address: what one customer gets.",
        (56, 128),
        whole=True,
        default=64,
        environment=True,
    )
    ipv6_network_prefix = Number(
        "Bits of an IPv6 prefix that counts as one network: what one provider's site gets.",
        (16, 55),
        whole=True,
        default=48,
        environment=True,
    )
    events = Flag(
        "Send events to a bus: about changed passwords, and users who are refused repeatedly.",
        default=True,
    )
    breach_endpoint = Text(
        "The range API that knows breached passwords; empty to check none.",
        r"https?://[^/:\s]+(?::\d+)?(?:/\S*)?",
        "https://api.pwnedpasswords.com/range",
        default="https://api.pwnedpasswords.com/range",
        stages={"local": ""},
        environment=True,
    )
    forbidden_words = Names(
        "Words that no new password may contain, such as your product's and your company's names.",
        r"[^\x00-\x1f\x7f-\x9f,]{3,64}",
        "Acme,Acme Rockets",
        kind="words of 3 to 64 characters",
        stages={"local": ("Acme",)},
        environment=True,
    )
    memory_size = Number(
        "MB of each function. Its share of a processor grows with it, and so does the price.",
        (128, 1769),
        whole=True,
        default=512,
    )
    snap_start = Flag(
        "Restore Lambda snapshots instead of starting cold, in regions that have SnapStart.",
        default=False,
    )
    alarm_email = Text(
        "The address that alarms are mailed to. Without one, only the dashboard shows them.",
        r"[^@\s]+@[^@\s]+",
        "ops@example.com",
    )
    resets_per_minute = Number(
        "Alarm threshold for resets, wrong codes and refused requests per minute.",
        (1, MAX_RESETS),
        whole=True,
        default=30,
    )
    canary = Flag(
        "Shift a tenth of the traffic to a new version, and the rest fifteen minutes later.",
        default=False,
        stages={"prod": True},
    )
    keep_versions = Flag(
        "Keep replaced versions of the functions, so that you can go back to one by hand.",
        default=False,
        stages={"prod": True},
    )
    cloud_watch_role = Flag(
        "Create the account's role with which API Gateway writes access logs.", default=True
    )

    log_retention = Choice(
        "How long logs are kept.",
        LogRetention.ONE_MONTH,
        stages={"prod": LogRetention.ONE_YEAR},
        context=False,
    )
    retain_data = Flag(
        "Keep the pool and the logs when the stack is deleted.",
        default=False,
        stages={"prod": True},
        context=False,
    )
    observability = Flag(
        "Have alarms, a dashboard, saved queries, and canaries that the alarms roll back.",
        default=True,
        stages={"local": False},  # the emulator has no CodeDeploy and no metric arithmetic
        context=False,
    )
    enforce_tls = Flag(
        "Make the queues refuse requests without TLS.",
        default=True,
        stages={"local": False},  # the emulator speaks none
        context=False,
    )
    restrict_sender = Flag(
        "The worker may send mails by the identity of `mailFrom` alone.",
        default=True,
        stages={"local": False},  # the emulator does not see which identity sends
        context=False,
    )
    test_sign_in = Flag(
        "Let tools and Amplify sign users in: an app client without a secret, and admin sign-in.",
        default=False,
        stages={"local": True},
        context=False,
    )

    lower_case_usernames = Flag(
        "The pool ignores the case of usernames.", default=False, context=False, environment=True
    )
    code_interval = Number(
        "Seconds that the worker takes for each code, at least.",
        (0, 5),
        default=1.0,
        stages={"local": 0.0},
        context=False,
        environment=True,
    )
    queue_url = Text("The queue of the worker.", context=False, environment=True, computed=True)
    table_name = Text(
        "The table of limits and responses.", context=False, environment=True, computed=True
    )
    event_bus_name = Text(
        "The bus for events; empty to send none.", context=False, environment=True, computed=True
    )
    pseudonym_key = Text(
        "The key of the hashes in logs and in the table.",
        context=False,
        environment=True,
        computed=True,
    )

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    @classmethod
    def of_stage(cls, stage: str, **changes: Any) -> Self:
        """The defaults of a stage, with some changes."""
        defaults = {setting.name: setting.defaults[stage] for setting in declared()}
        return cls(defaults | changes)

    def attempts_per_hour(self, operation: Operation) -> int:
        """The operation's own setting."""
        value: int = self.values[f"{operation.id}_attempts"]
        return value

    def replace(self, **changes: Any) -> Self:
        """The same settings with some changes."""
        return type(self)({**self.values, **changes})

    def arguments(self) -> dict[str, Any]:
        """What `from_arguments` accepts."""
        return {one.name: self.values[one.name] for one in declared() if not one.computed}

    def environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads."""
        return {
            setting.variable: setting.write(self.values[setting.name])
            for setting in declared()
            if setting.environment
        }

    @classmethod
    def from_environment(cls) -> Self:
        """What the stack told this function; `KeyError` names a missing variable."""
        values = {
            setting.name: setting.read(os.environ[setting.variable])
            for setting in declared()
            if setting.environment
        }
        return cls(values)

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """The settings of the CDK context: text from `cdk -c`, or JSON from `cdk.json`.

        `SystemExit` says in a sentence what is wrong with them.
        """
        settings = cls._read(
            context.get("stage", "dev"),
            {setting.key: setting for setting in declared() if setting.context},
            {k: value for k, value in context.items() if ":" not in k and k not in _NOT_SETTINGS},
        )
        if settings.stage == "prod" and not settings.user_pool_id and not settings.mail_from:
            raise SystemExit(
                "prod needs mailFrom or a userPoolId: Cognito's own mailer sends 50 mails a day."
            )
        return settings

    @classmethod
    def from_arguments(cls, stage: str, arguments: Mapping[str, object]) -> Self:
        """The settings that the construct is given by their Python names, and its `name`.

        `SystemExit` says in a sentence what is wrong with them.
        """
        settable = {setting.name: setting for setting in declared() if not setting.computed}
        return cls._read(stage, settable | {"name": vars(cls)["stage"]}, arguments)

    @classmethod
    def _read(
        cls, stage: object, settable: Mapping[str, Setting[Any]], given: Mapping[str, object]
    ) -> Self:
        """The defaults of a stage, and what was given under the names that can be set."""
        if not isinstance(stage, str) or stage not in STAGES:
            raise SystemExit(f"There is no stage {stage!r}: choose one of {', '.join(STAGES)}.")
        changes: dict[str, Any] = {}
        for key, value in given.items():
            if key not in settable:
                raise SystemExit(
                    f"There is no setting {key!r}: choose one of {', '.join(settable)}."
                )
            setting = settable[key]
            with suppress(ValueError):
                changes[setting.name] = setting.read(value)
            if setting.name not in changes:
                raise SystemExit(f"{key} must be {setting.expected}, not {value!r}.")
        settings = cls.of_stage(stage).replace(**changes)
        keys = {setting.name: key for key, setting in settable.items()}
        for key, setting in settable.items():
            needed = setting.needs
            if needed and settings.values[setting.name] and not settings.values[needed]:
                raise SystemExit(f"{key} is set, so set {keys[needed]} as well.")
        return settings


def _matches(pattern: str, text: str) -> bool:
    return text.startswith(_DEFERRED) or re.fullmatch(pattern, text) is not None


def declared() -> Iterator[Setting[Any]]:
    """Every setting, in the order of its declaration."""
    return (value for value in vars(Settings).values() if isinstance(value, Setting))
