"""List the rules for new passwords, so that a form can check them while the user types."""

from typing import Annotated, Final, NotRequired, TypedDict, cast

from functions.api.endpoint import Endpoint
from functions.operations import Operation
from functions.outcomes import POLICY_UNREADABLE
from functions.protection.passwords import RULES, enforced_rules
from functions.requests import Request
from functions.settings import Runtime
from functions.times import DEFAULT, Times
from functions.work.scope import Scope


class PasswordPolicy(Request):
    """A request without fields."""

    operation = Operation.PASSWORD_POLICY


_KNOWN: Final = ", ".join(f"`{rule.name}`" for rule in RULES)


class PasswordRuleParams(TypedDict, total=False):
    """The numbers of a rule, and the words that none may contain."""

    minimum: int
    maximum: int
    size: int
    words: list[str]


class PasswordRule(TypedDict):
    """A rule, by its name in `errors`."""

    rule: Annotated[str, {"description": f"More may be added: {_KNOWN}."}]
    params: NotRequired[PasswordRuleParams]


class PasswordPolicyOutput(TypedDict):
    """The rules of this deployment."""

    rules: list[PasswordRule]


def password_policy(scope: Scope, _request: PasswordPolicy) -> PasswordPolicyOutput:
    """Return the rules of the pool's policy and those of this service."""
    pool = scope.cognito.describe_pool()
    if pool is None:
        raise POLICY_UNREADABLE.failure()
    rules = enforced_rules(pool.policy, scope.settings)
    named = [
        {"rule": rule.name, **({"params": params} if params else {})} for rule, params in rules
    ]
    return {"rules": cast("list[PasswordRule]", named)}


def build(settings: Runtime, time_limits: Times = DEFAULT) -> Endpoint[PasswordPolicy]:
    """Return the handler of a deployment."""
    return Endpoint(PasswordPolicy, password_policy, settings, time_limits)
