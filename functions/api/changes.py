"""Finish a password change: end its sessions, and announce it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from functions import times
from functions.aws.cognito import LIST_LAG, Session, User
from functions.aws.events import EventType
from functions.aws.queue import Work
from functions.messages import Task
from functions.problems import Failure
from functions.records import Degradation
from functions.requests import Subject
from functions.threads import run_all
from functions.work.scope import Scope


@dataclass
class Change:
    """A password change, and what follows whether or not Cognito confirms it.

    The `owner` was read before the change. Someone who has changed a password can change the
    address and the names of the account next, so the messages hold the address from before, and
    the username and the `sub`, which nobody can change. An owner whom Cognito did not tell in time
    is read again by `find`, right after the change. Without one, messages hold the `typed_name`.
    """

    scope: Scope
    event_type: EventType
    typed_name: str
    owner: User | None
    find: Callable[[], User | None]
    signs_out: bool = True
    is_reset: bool = False
    sessions: Sequence[Session] | None = None
    _since: float = 0.0
    _forgets_devices: bool = False

    def __post_init__(self) -> None:
        pool = self.scope.cognito.describe_pool() if self.is_reset else None
        self._forgets_devices = pool is not None and pool.remembers_devices

    @property
    def _user(self) -> Subject:
        if self.owner:
            return Subject(self.owner.sub, self.owner.username)
        return Subject(self.scope.subject.sub, self.typed_name)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Have the worker find out whether a change that fails was made, and explain a refusal.

        Nobody is signed out or told on the word of a request whose outcome is unknown. Each thing
        that follows has a message of its own, so that none is repeated when another one fails.
        """
        self._since = times.now()
        try:
            yield
        except Failure as failure:
            failure.errors = failure.errors or self.scope.passwords.explain(failure.problem)
            if failure.outcome.may_have_acted:
                # Cognito may have acted until now, and nobody has signed in with the new one yet.
                given = self._user.members | {"since": int(self._since)}
                self._since = times.now()
                works = (*self._sign_outs(), *self._tasks())
                checks = [given | {"task": task, "parameters": one} for task, one in works]
                for check in checks[:1]:  # one of them reports an owner who is gone
                    check["existed"] = self.owner is not None
                self.scope.queue.follow_up(*((Task.CHECK_CHANGE, check) for check in checks))
            raise

    def complete(self) -> None:
        """End the sessions, tell the user and the event bus, forgive the attempt, and store it."""
        self._since = times.now()
        with suppress(Failure):
            self.owner = self.owner or self.find()
        if self.sessions is not None and not (self.signs_out or self._kept()):
            # The caller has just signed in, or the list failed.
            self.sessions = self.scope.cognito.find_sessions()
        works: list[Callable[[], None]] = [partial(self._revoke, one) for one in self._others()]
        works += [self._end_sessions, partial(self.scope.events.follow_up, *self._tasks())]
        works.append(self.scope.idempotency.succeed)
        run_all(self.scope.limits.forgive, *works)  # it runs several itself, so it is the first

    def _kept(self) -> list[str]:
        """Return the caller's own session, and the SSO session that it came from."""
        own = (one for one in self.sessions or () if one.is_current)
        return [id_ for session in own for id_ in (session.id, session.origin) if id_]

    def _others(self) -> list[Session]:
        """Return the sessions to revoke before the response; the worker looks for others later."""
        sessions, kept = self.sessions or (), self._kept()
        if self.is_reset:  # which ends those with tokens at once
            return [one for one in sessions if one.is_sso]
        if self.signs_out:  # which ends the caller's own token, too
            return []
        # While the list does not have the caller's own session, nobody knows its SSO session.
        return [one for one in sessions if one.id not in kept and (kept or not one.is_sso)]

    def _revoke(self, session: Session) -> None:
        with suppress(Failure):
            if not times.is_over():
                username = self._user.username if self.is_reset else ""
                self.scope.cognito.revoke_session(session, username)
                return
        # Without the caller's own session, no later pass knows which to keep.
        repeated = self.signs_out or self._kept()
        self.scope.record.degrade(
            Degradation.SIGN_OUT_DELAYED if repeated else Degradation.SESSIONS_UNREADABLE
        )

    def _sign_outs(self) -> list[Work]:
        return [(Task.END_SESSIONS, self._user.members)] if self.signs_out else []

    def _tasks(self) -> Iterator[Work]:
        user = self._user.members
        kept = [] if self.signs_out else self._kept()
        if self.sessions is not None and (kept or self.signs_out):
            given = user | {"before": self._since, "kept": kept}
            by_worker = self.signs_out and not self.is_reset
            more = {"passes": 2} if by_worker else {"passes": 1, "delay": LIST_LAG}
            yield Task.END_OTHER_SESSIONS, given | more
        if self._forgets_devices:
            yield Task.FORGET_DEVICES, user
        if self.scope.settings.event_bus_name:
            known = self.scope.subject._replace(sub=self._user.sub)
            detail = self.scope.events.describe(known)
            yield Task.PUT_EVENT, {"detail_type": self.event_type, "detail": detail}
        if self.scope.settings.mail_from:
            owner = self.owner
            # A client of the pool may not be allowed to read the address: the worker is.
            recipient = {}
            if owner and "email_verified" in owner.attributes:
                recipient = {"email": owner.verified_email, "locale": owner.locale}
            yield Task.MAIL_CHANGE, user | recipient

    def _end_sessions(self) -> None:
        try:
            if self.signs_out:
                self.scope.cognito.end_sessions(self._user.username)
        except Failure:
            self.scope.record.degrade(Degradation.SIGN_OUT_DELAYED)
            self.scope.events.follow_up(*self._sign_outs())
