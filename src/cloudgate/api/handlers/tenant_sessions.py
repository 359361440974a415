"""Tenant sessions: how does a tenant, or its user, log on for itself? An extension."""

from cloudgate.api.http import links
from cloudgate.api.http.call import Call
from cloudgate.api.http.router import Parameter
from cloudgate.errors import AccessDeniedError, InvalidRequestError
from cloudgate.manager.audit.refusals import LOG_ON_TENANT
from cloudgate.manager.portal import sessions
from cloudgate.manager.sessions.operations import LOGGED_CHARACTERS, note_refusal
from cloudgate.manager.storage import tables
from cloudgate.manager.tenants import own_password
from cloudgate.manager.tenants.passwords import Owner
from cloudgate.wire.resources.base import Link
from cloudgate.wire.resources.sessions import LogonSession

AS = "as"
TENANT = "tenant"
PARAMETER = Parameter(
    name=AS,
    description="Extension: tenant for a session of a tenant, or its user, for itself alone.",
    values=(TENANT,),
)
_WRONG = "The name or the password is wrong, or it may not log on."


def is_meant(call: Call) -> bool:
    """Whether a logon is one of a tenant for itself.

    Raises:
        InvalidRequestError: it says to be of something else.
    """
    said = call.query.get(AS)
    if said is None:
        return False
    if said.lower() != TENANT:
        raise InvalidRequestError(f"{AS}: found {said[:50]!r}, expected {TENANT}.")
    return True


def check(call: Call, name: str, password: str) -> Owner:
    """Who logs on, by the name and the password of a gateway.

    Raises:
        NotAuthenticatedError: they are wrong.
    """
    with call.reading() as work:
        return own_password.authenticate(work, name, password)


def note_failed(call: Call, name: str) -> None:
    """Have it on record, where the tenant itself finds it, that a logon was wrong."""
    _note(call, name, _WRONG)


def begin(call: Call, who: Owner, version: str) -> LogonSession:
    """Begin a session of somebody whose password was right.

    Raises:
        AccessDeniedError: the provider does not let it, or not from there.
    """
    login = own_password.login_of(who)
    try:
        with call.manager.changing(login, call.address, administers=False) as work:
            known = own_password.as_it_is(work, who)
            sessions.check_may_come(call.manager, work, known)
            session = sessions.begin(work, known, version)
            return session_resource(call.root, session, login)
    except AccessDeniedError as problem:
        _note(call, login, str(problem))
        raise


def session_resource(root: str, session: tables.TenantSession, login: str) -> LogonSession:
    """A session of a tenant, with the ways on from it."""
    href = f"{root}/cloud/self/session"
    return LogonSession(
        href=href,
        type="LogonSession",
        links=(
            Link(rel="Up", href=f"{root}/", type="EnterpriseManager"),
            links.down_link(f"{root}/cloud/self", "CloudSelf"),
            Link(rel="Delete", href=href),
        ),
        user_name=login,
        session_id=str(session.id),
    )


def _note(call: Call, name: str, why: str) -> None:
    """Have it on record, where the tenant that is meant finds it; summed up when it is often."""
    manager, named = call.manager, name[:LOGGED_CHARACTERS]
    if not manager.strangers.is_to_be_noted(
        LOG_ON_TENANT.operation, named, call.address, manager.clock()
    ):
        return
    with call.reading() as work:
        meant = own_password.tenant_meant(work, name)
        change = sessions.logon_of(meant, named)
    note_refusal(manager, named, call.address, change, why)
