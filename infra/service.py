"""The whole service, for a user pool that exists; this file only wires."""

from collections.abc import Iterator
from typing import Literal, Unpack

from aws_cdk import Names, Stack, Token
from aws_cdk.aws_cognito import CfnUserPool, CfnUserPoolClient, IUserPool, IUserPoolClient
from aws_cdk.aws_events import EventBus
from aws_cdk.aws_lambda import CfnParametersCode
from aws_cdk.aws_sns import ITopic
from constructs import Construct

from functions.operations import CUSTOM_MESSAGE
from infra.api import Api
from infra.deployments import Deployments
from infra.domain import Domain
from infra.firewall import Firewall
from infra.functions import Functions
from infra.mails import Mails
from infra.observability import Observability
from infra.queries import Queries
from infra.servers import ServerCallers
from infra.settings import Choices, Deployment, read_arguments
from infra.table import Table


class Service(Construct):
    """The service with settings that were checked. Without a stage, it gets a unique one."""

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        user_pool: IUserPool,
        user_pool_client: IUserPoolClient,
        settings: Deployment,
        alarm_topic: ITopic | None = None,
        mails: Mails | None = None,
        code: CfnParametersCode | None = None,
    ) -> None:
        super().__init__(scope, id_)
        if not settings.stage:
            unique = Names.unique_resource_name(self, max_length=64, separator="-")
            settings = settings.replace(stage=unique)
        if not settings.sign_in_attributes:
            settings = settings.replace(sign_in_attributes=_find_sign_in_attributes(user_pool))
        if settings.needs_configuration_set:
            mails = mails or Mails(self, "Mails")
            settings = settings.replace(mail_configuration_set=mails.configuration_set)
        servers = ServerCallers(self, "ServerCallers", settings=settings)
        settings = settings.replace(**servers.secrets)
        table = Table(self, "Table")
        self.event_bus = EventBus(self, "Events") if settings.events else None
        """Where events arrive, such as the one about a changed password."""
        functions = Functions(
            self,
            "Functions",
            settings=settings,
            pool=user_pool,
            client=user_pool_client,
            table=table.table,
            event_bus=self.event_bus,
            code=code,
        )
        self.functions = functions.by_name
        """The alias of each function: of an operation by its id, of the `worker`, and of
        `custom_message`, which you give to `add_trigger` of a pool that your app makes."""
        self.queue = functions.queue.queue
        """The tasks of the worker."""
        self.support_queue = functions.queue.support
        """Where operators start the tasks of the support desk: grant it to their role."""
        self.dead_letters = functions.queue.dead_letters
        """The tasks that the worker could not do."""
        api = Api(self, "Api", settings=settings, pool=user_pool, functions=functions.by_operation)
        self.rest_api = api.rest_api
        if settings.firewall != "off":
            Firewall(self, "Firewall", settings=settings, api_stage=api.rest_api.deployment_stage)
        self.domain: Domain | None = None
        if settings.domain_name:
            self.domain = Domain(self, "Domain", settings=settings, api=api.rest_api)
        self.url: str = self.domain.url if self.domain else api.rest_api.url.removesuffix("/")
        """Where a client finds the API, without a slash at its end."""
        observability = Observability(
            self,
            "Observability",
            settings=settings,
            api=api,
            functions=functions.by_name,
            queue=functions.queue,
            mails=mails,
            alarm_topic=alarm_topic,
        )
        self.alarms = observability.alarms
        """Every alarm by its name."""
        log_groups, access = functions.log_groups, api.access_log
        Queries(self, "Queries", settings=settings, functions=log_groups, access=access)
        if settings.canary:
            watched = observability.of_deployments
            # A pool of this app depends on its trigger, and the alarms depend on the pool.
            shifted = {n: one for n, one in functions.by_name.items() if n != CUSTOM_MESSAGE}
            Deployments(self, "Deployments", settings=settings, functions=shifted, alarms=watched)


class PasswordService(Service):
    """Let the users of a pool reset and change their passwords through an API of its own.

    It looks nothing up, and a stack may have several services. API Gateway needs the account's role
    for access logs: if the account has none yet, set `cloud_watch_role` in one of its stacks.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        user_pool: IUserPool,
        user_pool_client: IUserPoolClient,
        alarm_topic: ITopic | None = None,
        stage: str = "",
        defaults: Literal["dev", "prod"] = "prod",
        **settings: Unpack[Choices],
    ) -> None:
        """Add the service, or raise a `ValueError` that lists everything that is wrong.

        :param user_pool: The pool whose users it serves, in the region of the stack.
        :param user_pool_client: The service's app client in that pool. It needs a secret.
        :param alarm_topic: A topic that every alarm notifies.
        :param stage: The name of this deployment in metrics and logs. By default, it is one that
            no other construct in the account has.
        :param defaults: The stage of this repository whose defaults the settings change.
        :param settings: Those of docs/reference/settings.md, as in `mail_from` for `mailFrom`.
        """
        mistakes, chosen = read_arguments(stage, defaults, settings)
        mistakes += _check_pool(Stack.of(scope), user_pool)
        mistakes += _check_client(user_pool_client)
        if mistakes:
            path = f"{scope.node.path}/{id_}".lstrip("/")
            raise ValueError("\n- ".join([f"{path} cannot be added:", *mistakes]))
        super().__init__(
            scope,
            id_,
            user_pool=user_pool,
            user_pool_client=user_pool_client,
            settings=chosen,
            alarm_topic=alarm_topic,
        )


def _find_sign_in_attributes(pool: IUserPool) -> tuple[str, ...]:
    """Return what the users of a pool of this app sign in with, if they have no other username."""
    made = pool.node.default_child
    return tuple(made.username_attributes or ()) if isinstance(made, CfnUserPool) else ()


def _check_pool(stack: Stack, pool: IUserPool) -> Iterator[str]:
    """A pool that is imported by its ID is taken for one of the stack's region, so compare both."""
    if not hasattr(pool, "user_pool_id"):
        yield f"user_pool must be a pool, as from UserPool.from_user_pool_id, not {pool!r}."
        return
    known = [one for one in (pool.env.region, pool.user_pool_id) if not Token.is_unresolved(one)]
    own = stack.region
    for region in {one.partition("_")[0] for one in known}:
        if not Token.is_unresolved(own) and region != own:
            yield f"user_pool is in {region}, and the stack in {own}: they must share a region."


def _check_client(client: IUserPoolClient) -> Iterator[str]:
    if not hasattr(client, "user_pool_client_id"):
        how = "UserPoolClient.from_user_pool_client_id"
        yield f"user_pool_client must be an app client, as from {how}, not {client!r}."
        return
    made = client.node.default_child
    if isinstance(made, CfnUserPoolClient) and made.generate_secret is not True:
        yield "user_pool_client has no secret: make it with generate_secret=True."
