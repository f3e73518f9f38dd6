"""The services that a request or a message needs, bound once."""

from functions.aws.cognito import Cognito
from functions.aws.events import Events
from functions.aws.queue import Queue
from functions.aws.table import Table
from functions.protection.idempotency import Idempotency
from functions.protection.limits import Limits
from functions.protection.passwords import Passwords
from functions.protection.pauses import Pauses
from functions.records import Record
from functions.requests import Caller, Subject
from functions.settings import Runtime


class Scope:
    """The services of one request or message, which know its settings, its caller and its record.

    A handler takes a scope and the request; each service takes only what it works on.
    """

    def __init__(self, settings: Runtime, record: Record, caller: Caller, subject: Subject) -> None:
        self.settings = settings
        self.record = record
        self.caller = caller
        self.subject = subject
        self.cognito = Cognito(settings, record, caller)
        self.queue = Queue(settings, record, caller)
        self.events = Events(settings, record, caller, self.queue)
        table = Table(settings)
        self.limits = Limits(settings, record, caller, subject, table=table, events=self.events)
        self.idempotency = Idempotency(settings, record, caller, table)
        self.pauses = Pauses(settings, record, caller, table)
        self.passwords = Passwords(settings, record, self.cognito)
