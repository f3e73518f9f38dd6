"""The base of the handlers that Lambda calls: the operations' endpoints and the worker."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from functions import times
from functions.aws import clients
from functions.aws.actions import Action
from functions.aws.cognito import list_reads
from functions.aws.table import CONNECTIONS, Table
from functions.records import Record
from functions.settings import Runtime
from functions.telemetry.reporter import Reporter
from functions.threads import run_all
from functions.times import Times

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.typing import LambdaContext


class LambdaHandler:
    """A Lambda handler of one deployment, which reports whatever it does."""

    def __init__(self, name: str, settings: Runtime, time_limits: Times) -> None:
        self.name = name
        self.settings = settings
        self._times = time_limits
        self._reporter = Reporter(settings.stage)
        self._instrumented = self._reporter.instrument(self.handle)

    def __call__(self, event: dict[str, Any], context: "LambdaContext") -> Any:  # noqa: ANN401 - Lambda's
        """Handle one event of Lambda."""
        return self._instrumented(event, context)

    def handle(self, event: dict[str, Any], context: "LambdaContext") -> Any:  # noqa: ANN401 - Lambda's
        """Return Lambda's response to an event."""
        raise NotImplementedError

    def find_actions(self) -> Iterator[Action]:
        """Yield every action of AWS that the function may call."""
        raise NotImplementedError

    def start(self) -> None:
        """Prepare what the first event would wait for. A failure is retried by that event."""
        times.begin(self._times, self._times.start)
        self.prepare()

    def prepare(self) -> None:
        """Make the clients, read what is kept, and connect to the table, all at the same time."""
        with suppress(Exception):
            actions = [action for action in self.find_actions() if action.is_prepared]
            for action in actions:
                clients.find_client(action.client)
            names = [action.name for action in actions]
            reads = list_reads(self.settings, names)
            if "GetItem" in names:
                reads += [partial(Table(self.settings).get, "no item")] * CONNECTIONS
            run_all(*reads)

    @contextmanager
    def record(self) -> Iterator[Record]:
        """Time a piece of work, and report it when it has ended."""
        times.begin(self._times, self._times.retries)
        record = Record(self.name)
        yield record
        record.stop()
        self._reporter.report(record)
