"""Portal sessions: how does one of a tenant, or of its user, begin, go on and end?

Such a session is in a table of its own: whatever is done with it, it is never one of an account.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import lazyload

from cloudgate.errors import AccessDeniedError, NotAuthenticatedError, NotFoundError
from cloudgate.manager.audit.events import Change, Event
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.refusals import LOG_ON_TENANT
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.sessions.operations import (
    SESSION_ENDED,
    has_ended,
    is_live,
    is_to_be_noted,
)
from cloudgate.manager.storage.tables import CloudTenant, Subtenant, TenantSession
from cloudgate.manager.tenants import own_password
from cloudgate.manager.tenants.operations import TYPE
from cloudgate.manager.tenants.own_password import login_of
from cloudgate.manager.tenants.passwords import Owner
from cloudgate.network import address_ranges
from cloudgate.trust.password_hashes import password_fingerprint

log = structlog.get_logger(__name__)

_LOG_OFF = Event("LogOffCloudTenant", "{name} has logged off from the portal")
MOST_EACH = 20
"""Sessions at a time of a tenant and its users together; the one that waited longest ends."""


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Whose session a request is of. It outlives the transaction that it was read in."""

    session_id: UUID
    tenant_id: UUID
    user_id: UUID | None
    """Of the tenant's user; None for the tenant itself."""
    login: str
    r"""As it logs in at a gateway: ``TENANT``, or ``TENANT\USER``."""


def check_may_come(manager: Manager, work: UnitOfWork, who: Owner) -> None:
    """See whether somebody whose password was right may use the portal, and from there.

    Raises:
        AccessDeniedError: not at all, or not from that network.
    """
    if not manager.portal_is_open:
        raise AccessDeniedError("The provider has no portal for tenants. Ask the provider.")
    tenant = _tenant_of(who)
    if not tenant.may_use_portal:
        raise AccessDeniedError(
            f"The provider does not let {tenant.name} use the portal. Ask the provider."
        )
    if not _may_come_from(who, work.address):
        raise AccessDeniedError(
            f"{login_of(who)} may not come from {work.address}. Come from a network that it may"
            " come from."
        )


def begin(work: UnitOfWork, who: Owner, version: str) -> TenantSession:
    """Begin a session; those that have ended are swept out.

    Args:
        work: the change that this is part of, with the address that it comes from.
        who: whose password was right.
        version: of the API that the session is of.
    """
    work.session.execute(delete(TenantSession).where(~is_live(TenantSession.used_at, work.now)))
    tenant = _tenant_of(who)
    _make_room(work, tenant)
    session = TenantSession(
        tenant_id=tenant.id,
        subtenant_id=None if isinstance(who, CloudTenant) else who.id,
        password_mark=password_fingerprint(who.password_hash),
        version=version,
        created_at=work.now,
        used_at=work.now,
    )
    work.session.add(session)
    work.session.flush()
    record(work, logon_of(tenant, login_of(who)))
    return session


def logon_of(tenant: CloudTenant | None, name: str) -> Change:
    """How a logon is told in the audit log; it has a tenant where one of that name is known."""
    return Change(
        LOG_ON_TENANT,
        TYPE,
        object_id=tenant.id if tenant else None,
        object_name=name,
    )


def use(manager: Manager, identifier: UUID, address: str) -> Visitor:
    """Whose session a request is of that comes from an address; it keeps the session alive.

    Raises:
        NotAuthenticatedError: there is none of that id, it has ended, or its tenant may not come
            any more: disabled, without a lease, with another password, or from elsewhere.
    """
    with manager.reading() as work:
        visitor = live_visitor(manager, work, identifier, address)
        is_noted = not is_to_be_noted(get(work, visitor).used_at, work.now)
    if not is_noted:
        _note_use(manager, identifier)
    return visitor


def live_visitor(manager: Manager, work: UnitOfWork, identifier: UUID, address: str) -> Visitor:
    """Whose session it is that a request from an address is of.

    Raises:
        NotAuthenticatedError: as of `use`.
    """
    session = work.session.get(TenantSession, identifier)
    who = _of(work, session) if session else None
    is_open = manager.portal_is_open
    if session is None or who is None or not (is_open and _is_good(work, session, who, address)):
        raise NotAuthenticatedError(
            SESSION_ENDED,
            "The logon session does not exist or has ended (it does after 15 minutes without a"
            " request, and when its tenant may not come any more). Log on again with POST"
            " /api/sessionMngr/?v=latest.",
        )
    return Visitor(
        session_id=session.id,
        tenant_id=session.tenant_id,
        user_id=session.subtenant_id,
        login=login_of(who),
    )


def owner_of(work: UnitOfWork, visitor: Visitor, *, alone: bool = False) -> Owner:
    """The tenant, or its user, whose session it is; `alone`: read without what it has.

    Raises:
        NotAuthenticatedError: it is not there any more.
    """
    found = _read(work, visitor.tenant_id, visitor.user_id, alone=alone)
    if found is None:
        raise NotAuthenticatedError(SESSION_ENDED, "The tenant is not there any more.")
    return found


def get(work: UnitOfWork, visitor: Visitor) -> TenantSession:
    """The session itself.

    Raises:
        NotFoundError: it has ended meanwhile.
    """
    found = work.session.get(TenantSession, visitor.session_id)
    if found is None:
        raise NotFoundError("The logon session has ended.")
    return found


def end(work: UnitOfWork, visitor: Visitor) -> None:
    """End a session."""
    work.session.delete(get(work, visitor))
    change = Change(
        _LOG_OFF,
        TYPE,
        object_id=visitor.tenant_id,
        object_name=visitor.login,
    )
    record(work, change)


def _tenant_of(who: Owner) -> CloudTenant:
    return who if isinstance(who, CloudTenant) else who.tenant


def _may_come_from(who: Owner, address: str) -> bool:
    allowed = (each.networks for each in (_tenant_of(who), who))
    return all(
        address_ranges.contains(None if each is None else tuple(each), address) for each in allowed
    )


def _of(work: UnitOfWork, session: TenantSession) -> Owner | None:
    return _read(work, session.tenant_id, session.subtenant_id, alone=True)


def _read(work: UnitOfWork, tenant_id: UUID, user_id: UUID | None, *, alone: bool) -> Owner | None:
    read_by = (lazyload("*"),) if alone else ()
    if user_id is not None:
        return work.session.get(Subtenant, user_id, options=read_by)
    return work.session.get(CloudTenant, tenant_id, options=read_by)


def _is_good(work: UnitOfWork, session: TenantSession, who: Owner, address: str) -> bool:
    return (
        not has_ended(session.used_at, work.now)
        and session.password_mark == password_fingerprint(who.password_hash)
        and own_password.is_let_in(work, who)
        and _tenant_of(who).may_use_portal
        and _may_come_from(who, address)
    )


def _make_room(work: UnitOfWork, tenant: CloudTenant) -> None:
    known = (
        select(TenantSession)
        .where(TenantSession.tenant_id == tenant.id)
        .order_by(TenantSession.used_at.desc())
        .offset(MOST_EACH - 1)
    )
    for each in work.session.scalars(known):
        work.session.delete(each)


def _note_use(manager: Manager, identifier: UUID) -> None:
    """Reading does not depend on whether it can be written."""
    try:
        with manager.changing(shown=False) as work:
            session = work.session.get(TenantSession, identifier)
            if session is not None:
                session.used_at = work.now
    except OperationalError as problem:
        log.warning("the use of a tenant's session cannot be written", reason=str(problem))
