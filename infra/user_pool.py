"""The user pool: one for tests, or an imported one."""

from email.utils import quote
from typing import Final, cast

from aws_cdk import CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.acknowledgments import acknowledge, acknowledge_type
from infra.logs import removal_policy
from infra.mails import Mails
from infra.settings import Deployment

MESSAGE: Final = (
    "Your code is {####}. Use it to set a new password or to confirm your address."
    " If you did not ask for it, ignore this message."
)
"""The mail for resets, sign-ups and new addresses: Cognito has one text for all."""

INVITATION: Final = (
    "Sign in as {username} with a temporary password, then choose your own."
    " If you did not expect this, ignore it. Temporary password: {####}"
)
"""The mail for invitations, which users also get instead of a code as long as they never signed in.
The password is last, so that nobody takes a full stop for a part of it."""

WRITABLE: Final = (
    *("address", "birthdate", "family_name", "fullname", "gender", "given_name", "locale"),
    *("last_update_time", "middle_name", "nickname", "phone_number", "preferred_username"),
    *("profile_page", "profile_picture", "timezone", "website"),
)
"""The standard attributes that users can change with their token: all but `email`, which they sign
in with and which gets their codes. A stolen token could otherwise take the account."""

MAX_SESSIONS: Final = 100
"""Sessions of one user, the most that Cognito allows: a limit is another policy than tracking."""
HISTORY: Final = 5
"""Earlier passwords that Cognito refuses, in the plans Essentials and Plus. PCI DSS 8.3.7 asks for
four. NIST and OWASP ask for none, since nobody has to change a password regularly: it is enough
that somebody whose password was stolen does not go back to it soon."""


class UserPool(Construct):
    """The pool and the app client that the functions use."""

    def __init__(
        self, scope: Construct, id_: str, *, settings: Deployment, mails: Mails | None
    ) -> None:
        super().__init__(scope, id_)
        self.imported = bool(settings.user_pool_id)
        self.pool: cognito.IUserPool
        self.client: cognito.IUserPoolClient
        if self.imported:
            self.pool = cognito.UserPool.from_user_pool_id(self, "Pool", settings.user_pool_id)
            self.client = cognito.UserPoolClient.from_user_pool_client_id(
                self, "Client", settings.user_pool_client_id
            )
            return
        kept = settings.retain_data
        plans, modes = cognito.FeaturePlan, cognito.StandardThreatProtectionMode
        self.pool = cognito.UserPool(
            self,
            "Pool",
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            self_sign_up_enabled=False,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            # A new address replaces the old one only when its mailbox has confirmed it.
            keep_original=cognito.KeepOriginalAttrs(email=True),
            # A phone number proves only who holds the SIM card (NIST SP 800-63B-4 §3.1.3).
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            email=_mailer(self, settings, mails) if settings.mail_from else None,
            user_verification=cognito.UserVerificationConfig(
                email_subject="Your confirmation code", email_body=MESSAGE, sms_message=MESSAGE
            ),
            user_invitation=cognito.UserInvitationConfig(
                email_subject="Your temporary password",
                email_body=INVITATION,
                sms_message=INVITATION,
            ),
            # NIST SP 800-63B-4 §3.1.1.2: long, and no rules about kinds of characters.
            password_policy=cognito.PasswordPolicy(
                min_length=15,
                password_history_size=HISTORY,
                require_digits=False,
                require_lowercase=False,
                require_symbols=False,
                require_uppercase=False,
            ),
            feature_plan=plans.PLUS if settings.threat_protection else plans.ESSENTIALS,
            # Otherwise sent as OFF, because a pool can leave the Plus plan only once it is off.
            standard_threat_protection_mode=(
                modes.FULL_FUNCTION if settings.threat_protection else modes.NO_ENFORCEMENT
            ),
            deletion_protection=kept,
            # A protected pool cannot be deleted, even if the stack's creation fails.
            removal_policy=RemovalPolicy.RETAIN if kept else RemovalPolicy.DESTROY,
        )
        # Tracked sessions can be ended one by one. This CDK has no construct for it yet.
        sessions = CfnResource(
            self,
            "Sessions",
            type="AWS::Cognito::UserPoolSessionConfigurationAttachment",
            properties={
                "UserPoolId": self.pool.user_pool_id,
                "UserSessionTracking": "ENABLED",
                "TokenSession": {"MaxPerUser": MAX_SESSIONS},
            },
        )
        acknowledge_type(sessions, "CloudFormation has the type since November 2026")
        acknowledge(
            self.pool,
            {
                "COG1": "NIST: length, no kinds of characters",
                "COG2": "A test pool; MFA is the user's choice",
                "COG8": "A test pool; the plan is paid for",
            },
        )
        self.client = self.pool.add_client(
            "Client",
            generate_secret=True,
            auth_flows=cognito.AuthFlow(user_srp=True),
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            disable_o_auth=True,
            enable_propagate_additional_user_context_data=settings.threat_protection,
            write_attributes=writable(),
        )
        # Nobody can make a client with the same ID and secret again.
        self.client.apply_removal_policy(removal_policy(settings))

    def call(self, custom_message: lambda_.IFunction) -> None:
        """Have a function write the messages with codes, which AWS allows if SES sends the mails.

        Cognito sends its own texts, those above, while the function fails.
        """
        own = cast("cognito.UserPool", self.pool)  # as an imported one cannot be changed
        own.add_trigger(cognito.UserPoolOperation.CUSTOM_MESSAGE, custom_message)


def writable() -> cognito.ClientAttributes:
    """Return the attributes that every app client of the stack's pool may write."""
    return cognito.ClientAttributes().with_standard_attributes(**dict.fromkeys(WRITABLE, True))


def _mailer(scope: Construct, settings: Deployment, mails: Mails | None) -> cognito.UserPoolEmail:
    """Return SES as the pool's mailer, by the identity of the address's domain."""
    name = settings.mail_name
    return cognito.UserPoolEmail.with_ses(
        from_email=settings.mail_from,
        # The CDK encodes what is not ASCII, and does not quote a comma.
        from_name=f'"{quote(name)}"' if name and name.isascii() else name or None,
        ses_region=Stack.of(scope).region,
        ses_verified_domain=settings.mail_from.partition("@")[2],
        configuration_set_name=mails.configuration_set if mails else None,
    )
