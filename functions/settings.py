"""The environment of a function, typed: the stack writes it, the functions read it once."""

import os
from collections.abc import Callable
from functools import cache
from typing import Any, Final, NamedTuple, Self


class Settings(NamedTuple):
    """Each field is the environment variable of the same name in upper case."""

    user_pool_id: str
    user_pool_client_id: str
    allowed_client_ids: frozenset[str]
    """The app clients whose access tokens `update_password` accepts."""
    allowed_origins: frozenset[str]
    """The origins whose scripts may read the answers, as a browser sends them."""
    reveal_user_existence: bool
    """Answer with Cognito's own error names, which tell whether an account exists."""
    lower_case_emails: bool
    """The pool compares user names without their case."""
    threat_protection: bool
    """Cognito rates the risk of a request, for which it needs the caller's address."""
    answer_step: float
    """Seconds; who is not signed in gets an answer at the next multiple, whatever happened."""
    limits: bool
    """Count attempts by user and address, in the table."""
    table_name: str
    breach_endpoint: str
    """The range API that knows breached passwords, up to the hash's prefix; empty for none."""
    event_bus_name: str
    """Where others learn that a password was changed; empty for nowhere."""

    def environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads back as the same settings."""
        return {name.upper(): _write(value) for name, value in self._asdict().items()}

    @classmethod
    def from_environment(cls) -> Self:
        """The settings that the stack gave to this function; `KeyError` names a missing one."""
        return cls(
            **{
                name: _READ[kind](os.environ[name.upper()])
                for name, kind in cls.__annotations__.items()
            }
        )


_READ: Final[dict[Any, Callable[[str], Any]]] = {
    str: str,
    bool: "true".__eq__,
    float: float,
    frozenset[str]: lambda text: frozenset(filter(None, text.split(","))),
}


def _write(value: object) -> str:
    if isinstance(value, frozenset):
        return ",".join(sorted(value))
    return str(value).lower() if isinstance(value, bool) else str(value)


settings = cache(Settings.from_environment)
