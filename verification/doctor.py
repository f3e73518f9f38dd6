"""Find settings of the pool, the account and the stack that weaken a working service."""

import secrets
from typing import Any, Final

from botocore.exceptions import ClientError

from functions.operations import CUSTOM_MESSAGE, SCOPE, WORKER, Operation
from verification.runner import Check, Finding, check, holds, judge, not_observed, weakness
from verification.target import MARK, NotObservedError, Target

NO_FIREWALL: Final = "The local stage has no firewall."
NO_ALARMS: Final = "The local stage has no alarms."
RUN: Final = 0.2
"""Seconds that a function runs for most requests, with its calls."""
CHECKS: Final[list[Check]] = []
GUIDE: Final = "docs/operations.md#what-to-switch-off-on-its-public-clients"


@check(
    CHECKS,
    remedy=f"Delete the client, give it a secret, or block both calls: {GUIDE}.",
    local="The page of make run signs in by one.",
)
def public_clients(target: Target) -> Finding:
    """No app client lets callers reset passwords without the service."""
    public = [one for one in target.clients if not one.get("ClientSecret")]
    open_ = [_name(one) for one in public if _resets(target, one["ClientId"])]
    if open_:
        return weakness(f"Cognito itself resets passwords for {', '.join(open_)}.")
    return holds(f"{len(target.clients)} clients, {len(public)} of them public and blocked.")


def _resets(target: Target, client: str) -> bool:
    """Ask Cognito without a secret, for a name that nobody has, and return whether it answers."""
    nobody = {"ClientId": client, "Username": f"nobody-{secrets.token_hex(8)}@example.com"}
    confirmation = {"ConfirmationCode": "000000", "Password": target.make_password()}
    for call, parameters in (
        (target.cognito.forgot_password, nobody),
        (target.cognito.confirm_forgot_password, nobody | confirmation),
    ):
        try:
            call(**parameters)
        except ClientError as error:
            # A web ACL on the pool blocks it.
            if error.response["Error"]["Code"] == "ForbiddenException":
                continue
        return True
    return False


@check(CHECKS, remedy="Set PreventUserExistenceErrors to ENABLED on these clients.")
def user_existence(target: Target) -> Finding:
    """Every app client hides whether a user exists."""
    telling = [
        _name(one) for one in target.clients if one.get("PreventUserExistenceErrors") != "ENABLED"
    ]
    return judge(f"Clients that tell: {_list(telling)}.", good=not telling)


@check(
    CHECKS,
    remedy="Let the pool recover accounts by a verified email address, and let no second factor"
    " use the same channel.",
)
def recovery(target: Target) -> Finding:
    """Users can recover their accounts by a channel that is not their second factor."""
    setting = target.pool.get("AccountRecoverySetting", {}).get("RecoveryMechanisms", [])
    channels = {one["Name"] for one in setting}
    mfa = target.cognito.get_user_pool_mfa_config(UserPoolId=target.settings.user_pool_id)
    factors: set[str] = set()
    if mfa.get("MfaConfiguration", "OFF") != "OFF":
        factors |= {"verified_phone_number"} if mfa.get("SmsMfaConfiguration") else set()
        factors |= {"verified_email"} if mfa.get("EmailMfaConfiguration") else set()
    if not channels:
        return weakness("The pool has no recovery setting, so it prefers text messages.")
    if "admin_only" in channels:
        return weakness("Only administrators can reset passwords, so nobody gets a code.")
    return judge(
        f"Recovery by {_list(channels)}; second factors: {_list(factors)}.",
        good=channels - factors,
    )


@check(
    CHECKS,
    remedy="Set signInAttributes to the pool's UsernameAttributes, or leave it out if there are"
    " none.",
)
def sign_in_names(target: Target) -> Finding:
    """The deployment knows which attributes the users of the pool sign in with."""
    told, of_pool = target.settings.sign_in_attributes, target.pool.get("UsernameAttributes") or ()
    observed = f"The pool has {_list(of_pool)}; the deployment was told {_list(told)}."
    return judge(observed, good=set(told) == set(of_pool))


@check(CHECKS, remedy="Set mailFrom, or configure Amazon SES in the imported pool.")
def mailer(target: Target) -> Finding:
    """The pool sends its mails by Amazon SES."""
    sender = target.pool.get("EmailConfiguration", {}).get("EmailSendingAccount")
    if sender == "DEVELOPER":
        return holds("The pool sends by SES.")
    return weakness("The pool sends by Cognito's own mailer, which stops after 50 mails a day.")


@check(
    CHECKS,
    remedy="Attach the function, or set codeMails to false: docs/operations.md#mails-with-codes.",
)
def code_mails(target: Target) -> Finding:
    """The pool has this stage's function write its mails with codes, and sends them by SES."""
    function = target.functions.get(CUSTOM_MESSAGE)
    if not function:
        return holds("codeMails is off.")
    called = target.pool.get("LambdaConfig", {}).get("CustomMessage", "no function")
    sender = target.pool.get("EmailConfiguration", {}).get("EmailSendingAccount")
    kind = target.pool.get("VerificationMessageTemplate", {}).get("DefaultEmailOption", "")
    good = called.startswith(f"{function['FunctionArn']}:") and sender == "DEVELOPER"
    return judge(
        f"The pool calls {called}, sends by {sender}, and verifies by {kind or 'a code'}.",
        good=good and kind != "CONFIRM_WITH_LINK",
    )


@check(CHECKS, remedy="Request production access to SES, or end the pause of its sending.")
def ses_sandbox(target: Target) -> Finding:
    """Amazon SES mails to every address."""
    region = target.pool.get("EmailConfiguration", {}).get("SourceArn", "").split(":")
    own = target.pool["Arn"].split(":")[3]
    if len(region) > 3 and region[3] != own:  # noqa: PLR2004 - the region in an ARN
        raise NotObservedError(f"The pool sends by SES in {region[3]}: look there.")
    account = target.client("sesv2").get_account()
    if not account.get("SendingEnabled"):
        return weakness("SES has paused the sending of this account.")
    return judge(
        "SES is out of its sandbox."
        if account.get("ProductionAccessEnabled")
        else "SES is in its sandbox, and mails to verified addresses only.",
        good=account.get("ProductionAccessEnabled"),
    )


@check(CHECKS, remedy="Set EnableTokenRevocation on these clients.")
def token_revocation(target: Target) -> Finding:
    """A sign-out ends the sessions of every app client that update accepts."""
    lasting = [_name(c) for c in target.allowed_clients if not c.get("EnableTokenRevocation")]
    return judge(f"Clients without revocation: {_list(lasting)}.", good=not lasting)


@check(
    CHECKS,
    remedy=f"Switch OAuth off on the service's client, and allow the scope {SCOPE} on the others.",
)
def scopes(target: Target) -> Finding:
    """The service's client grants nothing by OAuth, and the others grant what update needs."""
    by_oauth = [c for c in target.allowed_clients if c.get("AllowedOAuthFlowsUserPoolClient")]
    wrong = [
        _name(one)
        for one in by_oauth
        if one["ClientId"] == target.settings.user_pool_client_id
        or SCOPE not in one.get("AllowedOAuthScopes", ())
    ]
    return judge(f"Clients with wrong scopes: {_list(wrong)}.", good=not wrong)


@check(CHECKS, remedy="Set firewall to count, and later to block.", local=NO_FIREWALL)
def api_web_acl(target: Target) -> Finding:
    """A web ACL protects the API."""
    acl = find_web_acl(target, target.api_stage["arn"])
    return judge(f"Web ACL of the API: {acl or 'none'}.", good=acl)


@check(CHECKS, remedy=f"Put a web ACL on the pool: {GUIDE}.", local=NO_FIREWALL)
def pool_web_acl(target: Target) -> Finding:
    """A web ACL protects a pool that has public clients."""
    if all(one.get("ClientSecret") for one in target.clients):
        return holds("The pool has no public client.")
    acl = find_web_acl(target, target.pool["Arn"])
    return judge(f"Web ACL of the pool: {acl or 'none'}.", good=acl)


def find_web_acl(target: Target, arn: str) -> str:
    """Return the name of the web ACL that protects a resource, if any."""
    client = target.client("wafv2")
    try:
        answer = client.get_web_acl_for_resource(ResourceArn=arn)
    except client.exceptions.WAFNonexistentItemException:
        return ""
    name: str = answer.get("WebACL", {}).get("Name", "")
    return name


@check(CHECKS, remedy="Deploy the stage again: somebody changed its method settings.")
def throttles(target: Target) -> Finding:
    """The gateway throttles each operation as declared."""
    deployed = {
        key.replace("~1", "/").lstrip("/"): value.get("throttlingRateLimit")
        for key, value in target.api_stage.get("methodSettings", {}).items()
    }
    wrong = [
        one.id
        for one in Operation
        if deployed.get(f"{one.path.lstrip('/')}/{one.method}") != one.requests_per_second
    ]
    return judge(f"Operations with another throttle: {_list(wrong)}.", good=not wrong)


def _quota(target: Target) -> dict[str, Any]:
    pages = target.client("service-quotas").get_paginator("list_service_quotas")
    for page in pages.paginate(ServiceCode="cognito-idp"):
        for one in page["Quotas"]:
            if "UserAccountRecovery" in one["QuotaName"]:
                return dict(one)
    raise NotObservedError("Service Quotas does not list UserAccountRecovery.")


@check(
    CHECKS, remedy="AWS raises this quota for nobody: lower CODES_PER_SECOND in infra/functions.py."
)
def cognito_quota(target: Target) -> Finding:
    """The worker leaves half of Cognito's quota to those who confirm and update."""
    quota = _quota(target)
    interval = target.settings.code_interval
    rate = _workers(target) / interval if interval else float("inf")
    # The throttles of confirm and update are above it on purpose: docs/scale.md says why.
    grows = "adjustable" if quota.get("Adjustable") else "not adjustable"
    observed = f"Quota {quota['Value']:g} a second ({grows}), worker {rate:g}."
    return judge(observed, good=2 * rate <= quota["Value"])


@check(
    CHECKS,
    remedy="Change the dimensions in infra/observability.py to what Service Quotas says, and"
    " report it: the alarm CognitoThrottles cannot ring.",
)
def quota_metric(target: Target) -> Finding:
    """The alarm on Cognito's throttling watches the metric that Service Quotas names."""
    watched = [
        {one["Name"]: one["Value"] for one in query["MetricStat"]["Metric"]["Dimensions"]}
        for alarm in _alarms(target)
        for query in alarm.get("Metrics", ())
        if query.get("MetricStat", {}).get("Metric", {}).get("Namespace") == "AWS/Usage"
    ]
    if not watched:
        return not_observed("No alarm of the stage watches Cognito's quota.")
    wanted = _quota(target).get("UsageMetric", {}).get("MetricDimensions")
    if not wanted:
        return not_observed("Service Quotas names no metric of UserAccountRecovery.")
    return judge(f"Service Quotas names {wanted}.", good=wanted in watched)


@check(
    CHECKS,
    remedy="Ask AWS for a higher quota of concurrent executions: docs/scale.md says how many.",
)
def concurrency(target: Target) -> Finding:
    """The account lets as many functions run at once as the throttles let in."""
    limits = target.client("lambda").get_account_settings()["AccountLimit"]
    most = limits["ConcurrentExecutions"]
    free = limits.get("UnreservedConcurrentExecutions", most)
    waits = {Operation.CONFIRM_RESET_PASSWORD: target.settings.response_interval}
    needs = {one.id: one.requests_per_second * max(RUN, waits.get(one, 0)) for one in Operation}
    needs[WORKER] = _workers(target)
    # Reserved executions are enough, because somebody chose their number.
    needed = sum(need for name, need in needs.items() if name not in target.reserved)
    observed = f"The account allows {most} executions, {free} are free, {needed:.0f} are needed."
    return judge(observed, good=free >= needed)


def _workers(target: Target) -> int:
    """Return how many workers may run at once."""
    ours = target.resources.get("AWS::Lambda::EventSourceMapping", ())
    pages = target.client("lambda").get_paginator("list_event_source_mappings").paginate()
    return sum(
        one.get("ScalingConfig", {}).get("MaximumConcurrency", 0)
        for page in pages
        for one in page["EventSourceMappings"]
        if one["UUID"] in ours
    )


@check(CHECKS, remedy="Set cloudWatchRole on one stage of the account, or make the role yourself.")
def cloudwatch_role(target: Target) -> Finding:
    """API Gateway has a role to write access logs with."""
    role = target.client("apigateway").get_account().get("cloudwatchRoleArn")
    return judge("The role is set." if role else "The account has no such role.", good=role)


@check(
    CHECKS,
    remedy="Set alarmEmail, and follow the link in the mail with which SNS asks for confirmation.",
    local=NO_ALARMS,
)
def alarm_subscription(target: Target) -> Finding:
    """Alarms are mailed to somebody who confirmed the subscription."""
    topics = [
        target.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]
        for topic in target.resources.get("AWS::SNS::Topic", ())
    ]
    confirmed, pending = (
        sum(int(one.get(f"Subscriptions{state}", 0)) for one in topics)
        for state in ("Confirmed", "Pending")
    )
    return judge(
        f"{confirmed} subscriptions are confirmed, {pending} wait for it.",
        good=confirmed and not pending,
    )


@check(
    CHECKS,
    remedy="Follow the section of each alarm that rings: docs/operations.md#alarms. If there are no"
    " alarms, somebody deleted them: deploy the stage again.",
    local=NO_ALARMS,
)
def alarms(target: Target) -> Finding:
    """The stage has alarms, and none of them rings."""
    found = _alarms(target)
    if not found:
        return weakness("The stage has no alarms.")
    ringing = [one["AlarmName"] for one in found if one["StateValue"] == "ALARM"]
    return judge(f"{len(found)} alarms; ringing: {_list(ringing)}.", good=not ringing)


def _alarms(target: Target) -> list[dict[str, Any]]:
    names = list(target.resources.get("AWS::CloudWatch::Alarm", ()))
    pages = target.client("cloudwatch").get_paginator("describe_alarms")
    return [
        alarm
        for start in range(0, len(names), 100)
        for page in pages.paginate(AlarmNames=names[start : start + 100])
        for alarm in page["MetricAlarms"]
    ]


@check(
    CHECKS, remedy="Delete them: aws cognito-idp admin-delete-user --user-pool-id … --username …."
)
def leftovers(target: Target) -> Finding:
    """No earlier verification has left its throw-away user behind."""
    users = target.cognito.list_users(
        UserPoolId=target.settings.user_pool_id, Filter=f'name = "{MARK}"', AttributesToGet=["name"]
    )["Users"]
    names = [one["Username"] for one in users]
    return judge(f"Left behind: {_list(names)}.", good=not names)


def _name(client: dict[str, Any]) -> str:
    name: str = client.get("ClientName") or client["ClientId"]
    return name


def _list(names: Any) -> str:  # noqa: ANN401 - of any collection
    return ", ".join(sorted(names)) or "none"
