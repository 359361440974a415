"""Session operations: how does a logon session begin, go on and end?"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

import structlog
from sqlalchemy import ColumnElement, delete, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm.attributes import InstrumentedAttribute, set_committed_value

from cloudgate.errors import NotAuthenticatedError, NotFoundError
from cloudgate.manager.audit.events import Change, Document, Event
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.refusals import LOG_ON
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.registries.pending_sessions import PendingSession
from cloudgate.manager.sessions.accounts import (
    ADMINISTRATOR,
    comes_by_provider_alone,
    note_first_password_known,
)
from cloudgate.manager.storage.tables import Account, AccountRole, LogonSession, RequiredFactor

log = structlog.get_logger(__name__)

_LOG_OFF = Event("LogOff", "{name} has logged off")
IDLE_LIMIT = timedelta(minutes=15)
"""How long a session lives without a request."""
NOTE_AFTER = timedelta(seconds=15)
"""Use is noted at most this often, so that reading does not write; sessions live as much longer."""


SESSION_ENDED = "Authentication token has expired"
"""What whoever comes with a session that is not there is told: programs compare it letter by
letter, and log on again then."""
LOGGED_CHARACTERS = 128
"""Of a name that somebody unknown sent."""


def has_ended(used_at: datetime, now: datetime) -> bool:
    """Whether a session that was last used then has been idle for too long.

    One that was used by a clock that was ahead, and was put back since, is over, too: nobody knows
    for how long it has been idle.
    """
    earliest, latest = _uses_of_live_sessions(now)
    return not earliest <= used_at <= latest


def is_live(used_at: InstrumentedAttribute[datetime], now: datetime) -> ColumnElement[bool]:
    """Of rows of sessions: those that have not ended."""
    return used_at.between(*_uses_of_live_sessions(now))


def _uses_of_live_sessions(now: datetime) -> tuple[datetime, datetime]:
    """From when and until when their last use may be noted to have been."""
    return now - IDLE_LIMIT - NOTE_AFTER, now + IDLE_LIMIT


def is_to_be_noted(used_at: datetime, now: datetime) -> bool:
    """Whether it is to be written down that a session is used now."""
    return abs(now - used_at) > NOTE_AFTER


def open_session(
    work: UnitOfWork,
    account: Account,
    version: str,
    tenant_id: UUID | None = None,
    *,
    came_by: str | None = None,
    after: Document | None = None,
) -> LogonSession:
    """Begin a session; those that have ended are swept out.

    Args:
        work: the change that this is part of.
        account: who has logged on.
        version: of the API that the session is of.
        tenant_id: of the tenant that the session is for; it then sees less.
        came_by: what was shown in place of a password.
        after: what the audit log says of that.
    """
    work.session.execute(delete(LogonSession).where(~is_live(LogonSession.used_at, work.now)))
    session = LogonSession(
        account_id=account.id,
        version=version,
        created_at=work.now,
        used_at=work.now,
        tenant_id=tenant_id,
        came_by=came_by,
    )
    work.session.add(session)
    work.session.flush()
    change = Change(LOG_ON, "LogonSession", object_name=account.name, after=after)
    record(work, change)
    return session


def begin_session(
    manager: Manager, account: Account, version: str, tenant_id: UUID | None, address: str
) -> LogonSession:
    """Begin a session; in memory while the database cannot be written.

    Raises:
        NotAuthenticatedError: the account has another password since it was read, or is gone.
        OperationalError: it cannot be written, and there are too many of these already.
    """
    try:
        with manager.changing(account.name, address) as work:
            found = work.session.get(Account, account.id)
            if found is None or not _logs_on_still(manager, work, found, account.password_hash):
                raise NotAuthenticatedError("The user name or the password is wrong.")
            session = open_session(work, found, version, tenant_id)
            session.account = found
            _note_known(work, found)
    except OperationalError as problem:
        now = manager.clock()
        session = LogonSession(
            id=uuid4(),
            account_id=account.id,
            version=version,
            created_at=now,
            used_at=now,
            tenant_id=tenant_id,
        )
        set_committed_value(session, "account", account)
        if not manager.pending_sessions.begin(
            PendingSession(session, account.password_hash, address)
        ):
            raise
        log.warning("a logon session is kept in memory: it cannot be written", reason=str(problem))
    return session


def write_pending_sessions(manager: Manager) -> None:
    """Write down what of sessions could not be written before.

    Raises:
        SQLAlchemyError: it still cannot.
    """

    def write(begun: list[PendingSession], used: dict[UUID, datetime]) -> None:
        with manager.changing() as work:
            for each in begun:
                _write_begun(manager, work, each)
            for identifier, at in used.items():
                session = work.session.get(LogonSession, identifier)
                if session is not None:
                    session.used_at = max(session.used_at, at)

    def remove(ended: list[UUID]) -> None:
        with manager.changing() as work:
            work.session.execute(delete(LogonSession).where(LogonSession.id.in_(ended)))

    manager.pending_sessions.write(write, remove)


def _logs_on_still(manager: Manager, work: UnitOfWork, account: Account, proven_hash: str) -> bool:
    """Whether an account would still be let in by the password that somebody has shown."""
    is_same = account.password_hash == proven_hash
    return is_same and not comes_by_provider_alone(manager, work, account.id)


def _write_begun(manager: Manager, work: UnitOfWork, begun: PendingSession) -> None:
    account = work.session.get(Account, begun.session.account_id)
    if account is None or not _logs_on_still(manager, work, account, begun.password_hash):
        return
    kept = begun.session
    if work.session.get(LogonSession, kept.id) is not None:
        return  # a disk that failed afterwards had taken it all the same
    work.session.add(
        LogonSession(
            id=kept.id,
            account_id=kept.account_id,
            version=kept.version,
            created_at=kept.created_at,
            used_at=kept.used_at,
            tenant_id=kept.tenant_id,
        )
    )
    _note_known(work, account)
    began = replace(work, author=account.name, address=begun.address, now=kept.created_at)
    record(began, Change(LOG_ON, "LogonSession", object_name=account.name))


def _note_known(work: UnitOfWork, account: Account) -> None:
    """Who has logged on by a password knows it."""
    if account.name == ADMINISTRATOR:
        note_first_password_known(work)


def note_failed_logon(manager: Manager, name: str, address: str) -> None:
    """Put into the audit log that somebody has logged on wrongly; summed up when it is often."""
    named = name[:LOGGED_CHARACTERS]
    if not manager.strangers.is_to_be_noted(LOG_ON.operation, named, address, manager.clock()):
        return
    change = Change(LOG_ON, "LogonSession", object_name=named)
    note_refusal(manager, named, address, change, "The user name or the password is wrong.")


def note_refusal(manager: Manager, author: str, address: str, change: Change, message: str) -> None:
    """Put a refusal into the audit log; into the log alone where that cannot be written."""
    try:
        with manager.changing(author, address) as work:
            record(work, change, success=False, message=message)
    except OperationalError as problem:
        log.warning(
            "a refusal cannot be written into the audit log",
            operation=change.event.operation,
            account=author,
            address=address,
            reason=str(problem),
        )


def use_session(manager: Manager, identifier: UUID) -> LogonSession:
    """The session of a request, which keeps it alive.

    Raises:
        NotAuthenticatedError: there is none of that id, or it has ended.
    """
    with manager.reading() as work:
        session = live_session(manager, work, identifier)
        now = work.now
    if is_to_be_noted(manager.pending_sessions.used_at(identifier, session.used_at), now):
        _note_use(manager, identifier)
    return session


def live_session(manager: Manager, work: UnitOfWork, identifier: UUID) -> LogonSession:
    """The session of that id.

    Raises:
        NotAuthenticatedError: there is none, or it has ended.
    """
    session = work.session.get(LogonSession, identifier) or _begun(manager, work, identifier)
    if session is None or has_ended(
        manager.pending_sessions.used_at(identifier, session.used_at), work.now
    ):
        raise NotAuthenticatedError(
            SESSION_ENDED,
            "The logon session does not exist or has ended (it does after 15 minutes without a"
            " request). Log on again with POST /api/sessionMngr/?v=latest.",
        )
    return session


def is_as_read(manager: Manager, work: UnitOfWork, session: LogonSession) -> bool:
    """Whether a session lives with the roles that it was read with, and none asks for a factor.

    One look at the database: a change asks, while others wait for their turn.
    """
    rows = work.session.execute(
        select(LogonSession.used_at, AccountRole.role_id, RequiredFactor.role_id)
        .join(AccountRole, AccountRole.account_id == LogonSession.account_id)
        .outerjoin(RequiredFactor, RequiredFactor.role_id == AccountRole.role_id)
        .where(LogonSession.id == session.id)
    ).all()
    if not rows or any(required is not None for _, _, required in rows):
        return False
    used_at = manager.pending_sessions.used_at(session.id, rows[0][0])
    known = {each.role_id for each in session.account.roles}
    return not has_ended(used_at, work.now) and {role_id for _, role_id, _ in rows} == known


def _begun(manager: Manager, work: UnitOfWork, identifier: UUID) -> LogonSession | None:
    """A session that could not be written yet, with its account as it is now."""
    begun = manager.pending_sessions.find(identifier)
    if begun is None:
        return None
    account = work.session.get(Account, begun.session.account_id)
    if account is None or not _logs_on_still(manager, work, account, begun.password_hash):
        manager.pending_sessions.end(identifier)
        return None
    kept = begun.session
    session = LogonSession(
        id=kept.id,
        account_id=kept.account_id,
        version=kept.version,
        created_at=kept.created_at,
        used_at=kept.used_at,
        tenant_id=kept.tenant_id,
    )
    set_committed_value(session, "account", account)
    return session


def _note_use(manager: Manager, identifier: UUID) -> None:
    """Reading does not depend on whether it can be written."""
    try:
        with manager.changing(shown=False) as work:
            session = work.session.get(LogonSession, identifier)
            if session is not None:
                session.used_at = work.now
                return
    except OperationalError as problem:
        log.warning("the use of a logon session cannot be written", reason=str(problem))
    manager.pending_sessions.use(identifier, manager.clock())


def list_sessions(work: UnitOfWork) -> Sequence[LogonSession]:
    """All sessions that have not ended, oldest first."""
    return work.session.scalars(
        select(LogonSession)
        .where(is_live(LogonSession.used_at, work.now))
        .order_by(LogonSession.created_at)
    ).all()


def alias_of(session_id: UUID) -> UUID:
    """The id of a session for others than who has logged on.

    Of its own id programs make its token. A hash of that leads nobody back to 122 random bits.
    """
    digest = hashlib.blake2b(session_id.bytes, digest_size=16).digest()
    return UUID(bytes=digest, version=4)


def is_written(work: UnitOfWork, identifier: UUID) -> bool:
    """Whether a session of that id is in the database, over or not."""
    return work.session.get(LogonSession, identifier) is not None


def get_session(work: UnitOfWork, identifier: UUID) -> LogonSession:
    """A session by its id, or by its alias.

    Raises:
        NotFoundError: there is none, or it has ended.
    """
    session = work.session.get(LogonSession, identifier)
    if session is None:
        others = (each for each in list_sessions(work) if alias_of(each.id) == identifier)
        session = next(others, None)
    if session is None or has_ended(session.used_at, work.now):
        raise NotFoundError(f"There is no logon session with the id {identifier}.")
    return session


def end_sessions(
    work: UnitOfWork, account_id: UUID, came_by: str | None = None, *, keep: UUID | None = None
) -> None:
    """End the sessions of an account but `keep`, all or those begun by what is good no more.

    Those that could not be written yet were all begun by a password.
    """
    found = delete(LogonSession).where(LogonSession.account_id == account_id)
    if came_by is not None:
        found = found.where(LogonSession.came_by == came_by)
    else:
        work.once_it_holds.append(partial(work.pending_sessions.end_all_of, account_id, keep))
    work.session.execute(found if keep is None else found.where(LogonSession.id != keep))


def close_session(work: UnitOfWork, session: LogonSession) -> None:
    """End a session."""
    name = session.account.name
    work.session.delete(session)
    record(work, Change(_LOG_OFF, "LogonSession", object_name=name))
