"""Example responses of the operations whose responses have a body."""

from collections.abc import Mapping
from typing import Any, Final

from functions.operations import Operation

RESPONSES: Final[Mapping[Operation, Mapping[str, Any]]] = {
    Operation.RESET_PASSWORD: {
        "isPasswordReset": False,
        "nextStep": {
            "resetPasswordStep": "CONFIRM_RESET_PASSWORD_WITH_CODE",
            "codeDeliveryDetails": {
                "destination": "d***@e***",
                "deliveryMedium": "EMAIL",
                "attributeName": "email",
            },
        },
    },
    Operation.PASSWORD_POLICY: {
        "rules": [
            {"rule": "minLength", "params": {"minimum": 15}},
            {"rule": "maxLength", "params": {"maximum": 256}},
            {"rule": "edgeSpace"},
            {"rule": "forbiddenWord", "params": {"words": ["Acme"]}},
        ]
    },
}
