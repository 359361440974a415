"""Standing: is who is asking there still when a change is made, and may they still make it?

A body takes its time, and a password waits for its turn. Meanwhile an account may be deleted, a
session ended, a token revoked, a role taken away: what was begun before is not done after that.
"""

from cloudgate.api import access
from cloudgate.api.http.call import Call
from cloudgate.api.http.router import Route
from cloudgate.errors import AccessDeniedError, CloudgateError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.portal import sessions as portal_sessions
from cloudgate.manager.portal.sessions import Visitor
from cloudgate.manager.sessions import tokens
from cloudgate.manager.sessions.operations import is_as_read, live_session
from cloudgate.manager.storage.tables import LogonSession


def check(route: Route, call: Call, work: UnitOfWork) -> None:
    """See whether who is asking may do so still, by the rows that a change sees.

    Raises:
        NotAuthenticatedError: they are not there any more; it says to be of their standing.
        AccessDeniedError: they may not any more; it says so, too.
    """
    before = call.who
    if before is None or _is_as_before(call, before, work):
        return
    try:
        _check_who_is_there(route, call, before, work)
    except CloudgateError as problem:
        problem.of_standing = True
        raise


def _check_who_is_there(
    route: Route, call: Call, before: LogonSession | Visitor, work: UnitOfWork
) -> None:
    now = _as_it_is(call, before, work)
    access.check(route, now, by_token=call.by_token)
    if not access.roles_of_who(before) <= access.roles_of_who(now):
        raise AccessDeniedError("Access denied: a role was taken from you meanwhile. Ask again.")


def _is_as_before(call: Call, before: LogonSession | Visitor, work: UnitOfWork) -> bool:
    """Whether nothing has changed of an account, which is so nearly always, at the least cost."""
    if isinstance(before, Visitor):
        return False
    if call.by_token:
        return tokens.is_good(work, before.id)
    return is_as_read(call.manager, work, before)


def _as_it_is(
    call: Call, before: LogonSession | Visitor, work: UnitOfWork
) -> LogonSession | Visitor:
    if isinstance(before, Visitor):
        return portal_sessions.live_visitor(call.manager, work, before.session_id, call.address)
    if call.by_token:
        return tokens.acting_session(tokens.good_token(work, before.id), work.now)
    return live_session(call.manager, work, before.id)
