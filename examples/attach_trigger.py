"""Have a user pool call a function for the text of its mails, and change nothing else in it.

python attach_trigger.py <pool ID> <ARN of the function, or nothing to detach it>
"""

import sys
from typing import Any

import boto3

cognito = boto3.client("cognito-idp")
pool_id, function = sys.argv[1], sys.argv[2:]


def read() -> dict[str, Any]:
    """Return every setting of the pool."""
    mfa = cognito.get_user_pool_mfa_config(UserPoolId=pool_id)
    pool = cognito.describe_user_pool(UserPoolId=pool_id)["UserPool"]
    return {**mfa, **pool, "ResponseMetadata": None, "LastModifiedDate": None}


before = read()
# UpdateUserPool resets every setting that it is not given.
model: Any = cognito.meta.service_model.operation_model("UpdateUserPool").input_shape
given = {name: value for name, value in read().items() if name in model.members and value}
# Cognito refuses it next to the policy's TemporaryPasswordValidityDays.
given.get("AdminCreateUserConfig", {}).pop("UnusedAccountValidityDays", None)
others = given.pop("LambdaConfig", {})
others.pop("CustomMessage", None)
triggers = others | ({"CustomMessage": function[0]} if function else {})
cognito.update_user_pool(UserPoolId=pool_id, **given, LambdaConfig=triggers)
after = read()
print({name for name in before | after if before.get(name) != after.get(name)})
