"""What botocore knows of Cognito's actions."""

from functools import cache

import botocore.session
from botocore.model import ServiceModel


@cache
def service_model() -> ServiceModel:
    """Read once, since that takes a while."""
    return botocore.session.get_session().get_service_model("cognito-idp")
