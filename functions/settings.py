"""The settings that a function reads from its environment.

`infra/settings.py` has what a deployment chooses.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

from functions.operations import CUSTOM_MESSAGE, WORKER, Operation


@dataclass(frozen=True, kw_only=True, repr=False)  # a traceback must not show the pseudonym key
class Runtime:
    """The settings of a function. Those that it does not read keep their defaults."""

    stage: str = ""
    """The name of the deployment, and a dimension of every metric."""
    user_pool_id: str = ""
    user_pool_client_id: str = ""
    allowed_client_ids: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    reveal_user_existence: bool = False
    threat_protection: bool = False
    lower_case_usernames: bool = False
    """The pool ignores the case of usernames."""
    sign_in_attributes: tuple[str, ...] = ()
    """The pool's `UsernameAttributes`; empty if users have usernames."""
    max_sign_in_age: int = 0
    """The seconds after a sign-in within which a user can change the password; 0 for no limit."""
    response_interval: float = 1.0
    limits: bool = True
    reset_password_attempts: int = Operation.RESET_PASSWORD.attempts_per_hour
    confirm_reset_password_attempts: int = Operation.CONFIRM_RESET_PASSWORD.attempts_per_hour
    update_password_attempts: int = Operation.UPDATE_PASSWORD.attempts_per_hour
    attempts_per_address: int = 50
    attempts_per_network: int = 500
    ipv6_address_prefix: int = 64
    ipv6_network_prefix: int = 48
    breach_endpoint: str = "https://api.pwnedpasswords.com/range"
    forbidden_words: tuple[str, ...] = ()
    force_global_sign_out: bool = False
    mail_from: str = ""
    mail_name: str = ""
    mail_logo: str = ""
    code_url: str = ""
    mail_reply_to: str = ""
    mail_configuration_set: str = ""
    support_url: str = ""
    mail_unknown_addresses: bool = False
    resend_invitations: bool = False
    code_interval: float = 1.0
    """The least number of seconds that the worker takes for a code."""
    code_pause: int = 60
    """The seconds within which the worker carries out one reset of a name; 0 for no such limit."""
    queue_url: str = ""
    support_queue_arn: str = ""
    """The queue of the tasks that operators start."""
    table_name: str = ""
    event_bus_name: str = ""
    """The bus for events; empty to send none."""
    server_secret: str = ""
    next_server_secret: str = ""
    """The secret of the servers that call for their users, and the one that will replace it."""
    pseudonym_key: str = ""
    """The key of the hashes in logs and in the table."""

    @classmethod
    def read(cls, variables: Mapping[str, str], names: Iterable[str]) -> Self:
        """Read settings with these names; a `KeyError` names a missing variable."""
        types = {one.name: one.type for one in fields(Runtime)}
        return cls(**{name: _PARSERS[types[name]](variables[name.upper()]) for name in names})

    def environment(self, names: Iterable[str] | None = None) -> dict[str, str]:
        """Return the variables from which `read` reads the settings with these names, or all."""
        chosen = [one.name for one in fields(Runtime)] if names is None else names
        return {name.upper(): write(getattr(self, name)) for name in chosen}

    def replace(self, **changes: Any) -> Self:
        """Return the same settings with some changes."""
        return replace(self, **changes)

    def attempts_per_hour(self, operation: Operation) -> int:
        """Return the limit of an operation for one user: a setting, if there is one for it."""
        limit: int = getattr(self, _limit_of(operation), operation.attempts_per_hour)
        return limit


def names_read_by(function: str) -> list[str]:
    """Return the names of the settings that a function reads, and so the variables that it gets."""
    brand = ["mail_name", "mail_logo"]
    if function == CUSTOM_MESSAGE:
        return ["stage", *brand, "code_url"]
    names = ["stage", "user_pool_id", "user_pool_client_id"]
    mails = [*brand, "mail_from", "mail_reply_to", "mail_configuration_set", "support_url"]
    signs_as_client = ["threat_protection", "lower_case_usernames"]
    hashes = ["pseudonym_key", "table_name"]
    if function == WORKER:
        names += [*mails, "mail_unknown_addresses", "resend_invitations"]
        names += ["code_interval", "code_pause"]
        queues = ["queue_url", "support_queue_arn"]
        return [*names, *signs_as_client, *hashes, *queues, "event_bus_name"]
    operation = Operation[function.upper()]
    names += ["allowed_origins", "server_secret", "next_server_secret"]
    if operation.about_user:
        names += hashes
    if operation.uses_client_secret:
        names += [*signs_as_client, "reveal_user_existence", "sign_in_attributes"]
        names += [] if operation.queued else ["response_interval"]
    if operation.attempts_per_hour:
        names += ["limits", *({_limit_of(operation)} & _NAMES)]
    if operation.signed_in:
        names += ["allowed_client_ids", "force_global_sign_out", "max_sign_in_age"]
    elif operation.attempts_per_hour:
        names += ["attempts_per_address", "attempts_per_network"]
        names += ["ipv6_address_prefix", "ipv6_network_prefix"]
    if operation.changes_password or operation.action == "DescribeUserPool":
        names += ["breach_endpoint", "forbidden_words"]
    names += ["mail_from"] if operation.changes_password else []
    if operation.uses_queue:
        names += ["queue_url", "event_bus_name"]
    return names


_NAMES: Final = {one.name for one in fields(Runtime)}


def _limit_of(operation: Operation) -> str:
    return f"{operation.id}_attempts"


_PARSERS: Final[Mapping[Any, Callable[[str], Any]]] = {
    bool: {"true": True, "false": False}.__getitem__,
    float: float,
    int: int,
    str: str,
    tuple[str, ...]: lambda text: tuple(filter(None, text.split(","))),
}


def write(value: bool | float | str | tuple[str, ...]) -> str:  # noqa: FBT001 - the value itself
    """Return the text from which a setting is read."""
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
