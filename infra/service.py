"""The whole service, for a user pool that exists; this file only wires."""

from aws_cdk import Names
from aws_cdk.aws_cognito import IUserPool, IUserPoolClient
from aws_cdk.aws_events import EventBus
from aws_cdk.aws_sns import ITopic
from constructs import Construct

from functions.settings import FirewallMode, Settings
from infra.api import Api
from infra.deployments import Deployments
from infra.domain import Domain
from infra.firewall import Firewall
from infra.functions import Functions
from infra.observability import Observability
from infra.queries import Queries
from infra.table import Table


class PasswordService(Construct):
    """Let the users of a pool reset and change their passwords through an API of its own.

    It looks nothing up, and a stack may have several of it. API Gateway needs the account's role
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
        stage: str = "prod",
        name: str = "",
        **settings: object,
    ) -> None:
        """Add the service.

        The app client needs a secret. `stage` is `prod` or `dev`, whose defaults `settings` change:
        those of docs/settings.md, as in `mail_from` for `mailFrom`. `name` is the `stage` in
        metrics and logs; by default it is one that no other construct in the account has.
        """
        super().__init__(scope, id_)
        chosen = Settings.from_arguments(
            stage,
            {
                "name": name or Names.unique_resource_name(self, max_length=64, separator="-"),
                "cloud_watch_role": False,  # there is one in an account
                **settings,
            },
        )
        table = Table(self, "Table")
        self.event_bus = EventBus(self, "Events") if chosen.events else None
        """Where events arrive, such as the one about a changed password."""
        functions = Functions(
            self,
            "Functions",
            settings=chosen,
            pool=user_pool,
            client=user_pool_client,
            table=table.table,
            event_bus=self.event_bus,
        )
        self.functions = functions.by_name
        """The alias of each function: of an operation by its id, and of the `worker`."""
        self.queue = functions.queue.queue
        """What the worker does after the answer."""
        self.dead_letters = functions.queue.dead_letters
        """What the worker could not do."""
        api = Api(self, "Api", settings=chosen, pool=user_pool, functions=functions.by_operation)
        self.rest_api = api.rest_api
        if chosen.firewall is not FirewallMode.OFF:
            Firewall(self, "Firewall", settings=chosen, api_stage=api.rest_api.deployment_stage)
        self.domain = (
            Domain(self, "Domain", settings=chosen, api=api.rest_api)
            if chosen.domain_name
            else None
        )
        self.url: str = self.domain.url if self.domain else api.rest_api.url
        """Where a client finds the API."""
        self.alarms = {}
        """Every alarm by its name."""
        if chosen.observability:
            observability = Observability(
                self,
                "Observability",
                settings=chosen,
                api=api,
                functions=functions.by_name,
                queue=functions.queue,
                alarm_topic=alarm_topic,
            )
            self.alarms = observability.alarms
            Queries(
                self,
                "Queries",
                settings=chosen,
                functions=functions.log_groups,
                access=api.access_log,
            )
            if chosen.canary:
                Deployments(
                    self,
                    "Deployments",
                    functions=functions.by_name,
                    alarms=observability.of_deployments,
                )
