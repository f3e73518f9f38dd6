"""The environment of a function, typed: the stack writes it, the functions read it once."""

import os
from functools import cache
from typing import NamedTuple, Self


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

    def environment(self) -> dict[str, str]:
        """The variables that `from_environment` reads back as the same settings."""
        return {
            name.upper(): value
            if isinstance(value, str)
            else str(value).lower()
            if isinstance(value, bool)
            else ",".join(sorted(value))
            for name, value in self._asdict().items()
        }

    @classmethod
    def from_environment(cls) -> Self:
        """The settings that the stack gave to this function; `KeyError` names a missing one."""

        def names(variable: str) -> frozenset[str]:
            return frozenset(filter(None, os.environ[variable].split(",")))

        return cls(
            user_pool_id=os.environ["USER_POOL_ID"],
            user_pool_client_id=os.environ["USER_POOL_CLIENT_ID"],
            allowed_client_ids=names("ALLOWED_CLIENT_IDS"),
            allowed_origins=names("ALLOWED_ORIGINS"),
            reveal_user_existence=os.environ["REVEAL_USER_EXISTENCE"] == "true",
            lower_case_emails=os.environ["LOWER_CASE_EMAILS"] == "true",
        )


settings = cache(Settings.from_environment)
