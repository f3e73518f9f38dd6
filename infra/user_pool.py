"""The user pool: one for tests, or one that is brought."""

from aws_cdk import Acknowledgment, RemovalPolicy, Validations
from aws_cdk import aws_cognito as cognito
from constructs import Construct

from infra.settings import Stage


class UserPool(Construct):
    """The pool and the app client in whose name the functions ask."""

    def __init__(self, scope: Construct, id_: str, *, stage: Stage) -> None:
        super().__init__(scope, id_)
        self.brought = bool(stage.user_pool_id)
        self.pool: cognito.IUserPool
        self.public_client_id = ""
        if self.brought:
            self.pool = cognito.UserPool.from_user_pool_id(self, "Pool", stage.user_pool_id)
            self.client_id = stage.user_pool_client_id
            return
        kept = stage.removal_policy is not RemovalPolicy.DESTROY
        self.pool = cognito.UserPool(
            self,
            "Pool",
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            self_sign_up_enabled=False,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            # A phone number is no better than who holds the SIM card (NIST SP 800-63B-4 §3.1.3).
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            mfa=cognito.Mfa.OPTIONAL,
            mfa_second_factor=cognito.MfaSecondFactor(otp=True, sms=False),
            # NIST SP 800-63B-4 §3.1.1.2: long, and no rules about kinds of characters.
            password_policy=cognito.PasswordPolicy(
                min_length=15,
                require_digits=False,
                require_lowercase=False,
                require_symbols=False,
                require_uppercase=False,
            ),
            feature_plan=(
                cognito.FeaturePlan.PLUS
                if stage.threat_protection
                else cognito.FeaturePlan.ESSENTIALS
            ),
            standard_threat_protection_mode=(
                cognito.StandardThreatProtectionMode.FULL_FUNCTION
                if stage.threat_protection
                else None
            ),
            deletion_protection=kept,
            # Also if the stack cannot be made: a protected pool refuses to be deleted.
            removal_policy=RemovalPolicy.RETAIN if kept else RemovalPolicy.DESTROY,
        )
        Validations.of(self.pool).acknowledge(
            Acknowledgment(id="AwsSolutions-COG1", reason="NIST: length, no kinds of characters"),
            Acknowledgment(id="AwsSolutions-COG2", reason="A test pool; MFA is the user's choice"),
            Acknowledgment(id="AwsSolutions-COG8", reason="A test pool; the plan is paid for"),
        )
        client = self.pool.add_client(
            "Client",
            generate_secret=True,
            auth_flows=cognito.AuthFlow(user_srp=True, admin_user_password=stage.native),
            prevent_user_existence_errors=True,
            enable_token_revocation=True,
            disable_o_auth=True,
            enable_propagate_additional_user_context_data=stage.threat_protection,
        )
        self.client_id = client.user_pool_client_id
        if stage.native:
            # Amplify signs users in by a client without a secret, which also lets anyone ask
            # Cognito for codes without this service: so there is none but on one's own machine.
            public_client = self.pool.add_client(
                "PublicClient",
                auth_flows=cognito.AuthFlow(user_srp=True),
                prevent_user_existence_errors=True,
                enable_token_revocation=True,
                disable_o_auth=True,
            )
            self.public_client_id = public_client.user_pool_client_id
