"""List the rules for new passwords, so that a form can check them while the user types."""

from typing import Annotated, NotRequired, TypedDict, cast

from functions.api.endpoint import endpoint
from functions.aws import cognito
from functions.operations import Operation
from functions.problems import SERVICE_UNAVAILABLE, Failure
from functions.protection.passwords import RULES, enforced_rules
from functions.records import Degradation
from functions.requests import Request


class PasswordPolicy(Request):
    """A request without fields."""

    operation = Operation.PASSWORD_POLICY


class PasswordRuleParams(TypedDict, total=False):
    """The numbers of a rule, and the words that none may contain."""

    minimum: int
    maximum: int
    size: int
    words: list[str]


class PasswordRule(TypedDict):
    """A rule, by its name in `errors`."""

    rule: Annotated[str, {"enum": [rule.name for rule in RULES]}]
    params: NotRequired[PasswordRuleParams]


class PasswordPolicyOutput(TypedDict):
    """The rules of this deployment."""

    rules: list[PasswordRule]


@endpoint(PasswordPolicy)
def handler(request: PasswordPolicy) -> PasswordPolicyOutput:
    """Return the rules of the pool's policy and those of this service."""
    pool = cognito.describe_pool(request.settings, request.record)
    if pool is None:
        raise Failure(SERVICE_UNAVAILABLE, cause=Degradation.POLICY_UNREADABLE)
    rules = enforced_rules(pool.policy, request.settings)
    return {"rules": [_describe(rule.name, cast("PasswordRuleParams", p)) for rule, p in rules]}


def _describe(name: str, params: PasswordRuleParams) -> PasswordRule:
    return {"rule": name, "params": params} if params else {"rule": name}
