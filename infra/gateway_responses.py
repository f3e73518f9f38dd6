"""API Gateway's own failures by response type. They reach no function."""

from collections.abc import Mapping
from typing import Final

from functions import problems
from functions.problems import Problem

GATEWAY_RESPONSES: Final[Mapping[str, Problem]] = {
    # Only for methods that need an API key; none does.
    "INVALID_API_KEY": problems.INVALID_REQUEST,
    "BAD_REQUEST_BODY": problems.INVALID_REQUEST,
    "BAD_REQUEST_PARAMETERS": problems.INVALID_REQUEST,
    "ACCESS_DENIED": problems.NOT_SIGNED_IN,
    "EXPIRED_TOKEN": problems.NOT_SIGNED_IN,
    "INVALID_SIGNATURE": problems.NOT_SIGNED_IN,
    "UNAUTHORIZED": problems.NOT_SIGNED_IN,
    "MISSING_AUTHENTICATION_TOKEN": problems.NOT_FOUND,
    "RESOURCE_NOT_FOUND": problems.NOT_FOUND,
    "QUOTA_EXCEEDED": problems.TOO_MANY_REQUESTS,
    "THROTTLED": problems.TOO_MANY_REQUESTS,
    "WAF_FILTERED": problems.REQUEST_BLOCKED,
    "REQUEST_TOO_LARGE": problems.REQUEST_TOO_LARGE,
    "UNSUPPORTED_MEDIA_TYPE": problems.UNSUPPORTED_MEDIA_TYPE,
    "INTEGRATION_FAILURE": problems.FUNCTION_STOPPED,
    "INTEGRATION_TIMEOUT": problems.OUTCOME_UNKNOWN,
    # These come before a function is called.
    "AUTHORIZER_CONFIGURATION_ERROR": problems.INTERNAL_ERROR,
    "AUTHORIZER_FAILURE": problems.INTERNAL_ERROR,
    # These may come after one has acted: AWS does not say which type a crashed function gets.
    "API_CONFIGURATION_ERROR": problems.FUNCTION_STOPPED,
    "DEFAULT_4XX": problems.INVALID_REQUEST,
    "DEFAULT_5XX": problems.FUNCTION_STOPPED,
}
