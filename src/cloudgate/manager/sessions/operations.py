"""How does a logon session begin, go on and end?"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select

from cloudgate.errors import NotAuthenticatedError, NotFoundError
from cloudgate.manager.audit.events import Change
from cloudgate.manager.audit.log import record
from cloudgate.manager.storage.tables import Account, LogonSession
from cloudgate.manager.work import Manager, Work

IDLE_LIMIT = timedelta(minutes=15)
"""How long a session lives without a request."""
NOTE_AFTER = timedelta(seconds=15)
"""Use is noted at most this often, so that reading does not write; sessions live as much longer."""


SESSION_ENDED = "Authentication token has expired"
"""What whoever comes with a session that is not there is told: programs compare it letter by
letter, and log on again then."""
_LOGGED_CHARACTERS = 128
"""Of a name that somebody unknown sent."""


def has_ended(used_at: datetime, now: datetime) -> bool:
    """Whether a session that was last used then has been idle for too long."""
    return now - used_at > IDLE_LIMIT + NOTE_AFTER


def open_session(
    work: Work, account: Account, version: str, tenant_id: UUID | None = None
) -> LogonSession:
    """Begin a session; those that have ended are swept out.

    Args:
        work: the change that this is part of.
        account: who has logged on.
        version: of the API that the session is of.
        tenant_id: of the tenant that the session is for; it then sees less.
    """
    work.session.execute(
        delete(LogonSession).where(LogonSession.used_at < work.now - IDLE_LIMIT - NOTE_AFTER)
    )
    session = LogonSession(
        account_id=account.id,
        version=version,
        created_at=work.now,
        used_at=work.now,
        tenant_id=tenant_id,
    )
    work.session.add(session)
    work.session.flush()
    record(work, Change(operation="LogOn", object_type="LogonSession", object_name=account.name))
    return session


def note_failed_logon(manager: Manager, name: str, address: str) -> None:
    """Put into the audit log that somebody has logged on wrongly; summed up when it is often."""
    named = name[:_LOGGED_CHARACTERS]
    if not manager.strangers.is_to_be_noted("LogOn", named, address, manager.clock()):
        return
    with manager.changing(name[:_LOGGED_CHARACTERS], address) as work:
        change = Change(
            operation="LogOn",
            object_type="LogonSession",
            object_name=name[:_LOGGED_CHARACTERS],
        )
        message = "The user name or the password is wrong."
        record(work, change, success=False, message=message)


def use_session(manager: Manager, identifier: UUID) -> LogonSession:
    """The session of a request, which keeps it alive.

    Raises:
        NotAuthenticatedError: there is none of that id, or it has ended.
    """
    with manager.reading() as work:
        session = work.session.get(LogonSession, identifier)
        now = work.now
    if session is None or has_ended(session.used_at, now):
        raise NotAuthenticatedError(
            SESSION_ENDED,
            "The logon session does not exist or has ended (it does after 15 minutes without a"
            " request). Log on again with POST /api/sessionMngr/?v=latest.",
        )
    if now - session.used_at > NOTE_AFTER:
        _note_use(manager, identifier)
    return session


def _note_use(manager: Manager, identifier: UUID) -> None:
    with manager.changing(shown=False) as work:
        session = work.session.get(LogonSession, identifier)
        if session is not None:
            session.used_at = work.now


def list_sessions(work: Work) -> Sequence[LogonSession]:
    """All sessions that have not ended, oldest first."""
    return work.session.scalars(
        select(LogonSession)
        .where(LogonSession.used_at >= work.now - IDLE_LIMIT - NOTE_AFTER)
        .order_by(LogonSession.created_at)
    ).all()


def get_session(work: Work, identifier: UUID) -> LogonSession:
    """A session by its id.

    Raises:
        NotFoundError: there is none, or it has ended.
    """
    session = work.session.get(LogonSession, identifier)
    if session is None or has_ended(session.used_at, work.now):
        raise NotFoundError(f"There is no logon session with the id {identifier}.")
    return session


def close_session(work: Work, session: LogonSession) -> None:
    """End a session."""
    name = session.account.name
    work.session.delete(session)
    record(work, Change(operation="LogOff", object_type="LogonSession", object_name=name))
