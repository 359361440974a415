"""Token gate: who is asking, where a call shows an API token and no session?

A token that is right waits for nobody. One that nobody knows is answered as late as a wrong
password from the same address would be; one that was good once, and what has not even the form of
one, are refused at once.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from cloudgate.api.http.login_gate import LoginGate
from cloudgate.errors import BadTokenError
from cloudgate.manager.audit.events import Change
from cloudgate.manager.audit.refusals import REFUSED_TOKEN
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.sessions import tokens
from cloudgate.manager.sessions.operations import note_refusal
from cloudgate.manager.storage.tables import ApiToken, LogonSession
from cloudgate.manager.storage.touched_tables import read_with
from cloudgate.trust.token_hashes import token_hash

log = structlog.get_logger(__name__)

MOST_KNOWN = 10_000
UNKNOWN = "unknown API token"
"""Stands in the audit log for who showed one that nobody knows."""


def bearer_token(header: str) -> str:
    """The token of an Authorization header (RFC 6750, section 2.1); empty when it shows none."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


@dataclass
class _CachedToken:
    """A token as it was read, until the manager changes something."""

    changes: int
    token: ApiToken
    session: LogonSession
    """What stands for a logon session while a call with it is answered."""
    used_at: datetime | None
    """When it was last written down that it is used."""

    def is_to_be_noted(self, now: datetime) -> bool:
        """Whether it is to be written down that it is used now."""
        return self.used_at is None or now - self.used_at >= tokens.NOTE_AFTER


class TokenGate:
    """Knows tokens that were right a moment ago. Used on the event loop only."""

    def __init__(self, manager: Manager, gate: LoginGate) -> None:
        """`gate` slows those who guess."""
        self._manager = manager
        self._gate = gate
        self._known: OrderedDict[str, _CachedToken] = OrderedDict()
        self._of_id: dict[UUID, _CachedToken] = {}
        """The same."""

    async def session(
        self, request: Request, secret: str, find_address: Callable[[], str]
    ) -> LogonSession:
        """What stands for a logon session while a call with a token is answered.

        Raises:
            BadTokenError: it is none, or good no more.
            TooManyRequestsError: too many wrong ones of the address wait already.
        """
        if not tokens.is_one(secret):
            raise BadTokenError(
                f"What Authorization: Bearer shows is no API token: those begin with"
                f" {tokens.PREFIX} and have 49 more characters. Make one with"
                " cloudgate token create."
            )
        known = self._known.get(token_hash(secret))
        now = self._manager.clock()
        if known is None or not self._is_as_read(known):
            try:
                known = await run_in_threadpool(self._look_up, secret, known)
            except BadTokenError as problem:
                return await self._refuse(request, find_address(), problem)
            self._keep(token_hash(secret), known)
        try:
            tokens.check_good(known.token, now)
        except BadTokenError as problem:
            # Nobody guesses what was good once: it counts as no guess, and slows nobody.
            who, address = tokens.author(known.token), find_address()
            await run_in_threadpool(self._note, who, address, problem)
            raise
        if known.is_to_be_noted(now):
            known.used_at = now
            await run_in_threadpool(self._note_use, known.token)
        return known.session

    def acts_still(self, session: LogonSession, now: datetime) -> bool:
        """Whether what stood for a token would stand for it now, with nothing to write down."""
        known = self._of_id.get(session.id)
        if known is None or known.session is not session or not self._is_as_read(known):
            return False
        try:
            tokens.check_good(known.token, now)
        except BadTokenError:
            return False
        return not known.is_to_be_noted(now)

    def _is_as_read(self, known: _CachedToken) -> bool:
        return known.changes >= self._manager.changes.newest_of(read_with(ApiToken))

    def _look_up(self, secret: str, before: _CachedToken | None) -> _CachedToken:
        changes = self._manager.changes.count
        with self._manager.reading() as work:
            found = tokens.known_token(work, secret)
            session = tokens.acting_session(found, work.now)
        return _CachedToken(changes, found, session, before.used_at if before else found.used_at)

    def _keep(self, hashed: str, known: _CachedToken) -> None:
        self._known[hashed] = self._of_id[known.token.id] = known
        self._known.move_to_end(hashed)
        while len(self._known) > MOST_KNOWN:
            _, forgotten = self._known.popitem(last=False)
            del self._of_id[forgotten.token.id]

    def _note_use(self, token: ApiToken) -> None:
        """Reading does not depend on whether it can be written."""
        try:
            with self._manager.changing(shown=False) as work:
                tokens.note_use(work, token.id)
        except OperationalError as problem:
            log.warning("the use of an API token cannot be written", reason=str(problem))

    async def _refuse(self, request: Request, address: str, problem: BadTokenError) -> LogonSession:
        account = f"{UNKNOWN} from {address}"
        await self._gate.refuse(
            request, account, address, lambda: self._note(UNKNOWN, address, problem)
        )
        raise problem

    def _note(self, who: str, address: str, problem: BadTokenError) -> None:
        now = self._manager.clock()
        if self._manager.strangers.is_to_be_noted(REFUSED_TOKEN.operation, who, address, now):
            change = Change(REFUSED_TOKEN, tokens.TYPE, object_name=who)
            note_refusal(self._manager, who, address, change, problem.message)
