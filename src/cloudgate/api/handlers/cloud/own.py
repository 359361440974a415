"""Own resources: what does the API say to a tenant, or its user, of itself? Extensions.

Each call is for sessions of tenants alone, and names no tenant: whose it is, the session says.
"""

from datetime import datetime
from uuid import UUID

from cloudgate.api.access import TENANTS
from cloudgate.api.handlers.cloud import usage
from cloudgate.api.handlers.cloud.subtenants import quota_of
from cloudgate.api.handlers.cloud.tunnels import live_tunnels, tunnel_entities
from cloudgate.api.handlers.tenant_sessions import session_resource
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import down_link
from cloudgate.api.http.router import DONE, Outcome, Route, Routes, shows
from cloudgate.errors import NotFoundError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.portal import own, sessions
from cloudgate.manager.servers import maintenance
from cloudgate.manager.storage import tables
from cloudgate.manager.subtenants import operations as subtenants
from cloudgate.manager.tenants import egress, operations, own_password
from cloudgate.manager.tenants.passwords import Owner, old_until
from cloudgate.wire.resources.base import Link
from cloudgate.wire.resources.cloud.own import (
    CloudSelf,
    CloudSelfLogin,
    CloudSelfLogins,
    CloudSelfQuota,
    CloudSelfTunnels,
)
from cloudgate.wire.resources.cloud.subtenants import (
    CloudSubtenant,
    CloudSubtenants,
)
from cloudgate.wire.resources.cloud.tenants import OwnPasswordSpec
from cloudgate.wire.resources.cloud.usage import (
    CloudHeldBackTimes,
    CloudTenantUsages,
)
from cloudgate.wire.resources.sessions import LogonSession

PATH = "/cloud/self"
PEM = "application/x-pem-file"
ROUTES = Routes(TENANTS)


@ROUTES.add(Route(verb="GET", path="/cloud/self", answers=shows(CloudSelf)))
def get_self(call: Call) -> Answer:
    """Who has logged on as a tenant or its user: quotas, limits, gateways, the provider's word."""
    with call.reading() as work:
        return Answer(resource=_entity(work, call.root, sessions.owner_of(work, call.visitor)))


def _entity(work: UnitOfWork, root: str, who: Owner) -> CloudSelf:
    tenant = own.tenant_of(who)
    is_tenant = isinstance(who, tables.CloudTenant)
    limits, at_work = operations.limits_of(tenant), maintenance.current_maintenance(work)
    is_slowed = limits.speed_limit_bytes is not None
    egress_mb = limits.egress_quota_mb or None
    return CloudSelf(
        href=f"{root}{PATH}",
        type="CloudSelf",
        links=_links(root, is_tenant=is_tenant),
        name=own_password.login_of(who),
        tenant=tenant.name,
        subtenant=None if is_tenant else who.name,
        lease_expiration_date=tenant.expires_at,
        last_active=tenant.last_active_at if is_tenant else None,
        throttling_speed_limit=limits.throttling_speed_limit if is_slowed else None,
        throttling_speed_unit=limits.throttling_speed_unit if is_slowed else None,
        max_concurrent_tasks=limits.concurrent_tunnels,
        egress_quota_mb=egress_mb,
        used_egress_mb=egress.used_mb(tenant, work.now) if egress_mb and is_tenant else None,
        allowed_networks=None if who.networks is None else tuple(who.networks),
        old_password_expiration_date=old_until(who, work.now),
        old_password_last_used=who.old_password_used_at,
        may_change_password=tenant.may_change_password,
        may_get_certificates=tenant.may_get_certificates,
        quotas=tuple(_quota(each) for each in own.quotas(who, work.now)),
        gateways=own.gateway_addresses(work, tenant),
        maintenance=at_work.message if at_work else None,
        maintenance_since=at_work.since if at_work else None,
    )


def _links(root: str, *, is_tenant: bool) -> tuple[Link, ...]:
    below = (
        ("tunnels", "CloudSelfTunnels"),
        ("logins", "CloudSelfLogins"),
        ("usage", "CloudTenantUsages"),
        *((("heldBack", "CloudHeldBackTimes"),) if is_tenant else ()),
        *((("subtenants", "CloudSubtenants"),) if is_tenant else ()),
        ("session", "LogonSession"),
    )
    return tuple(down_link(f"{root}{PATH}/{name}", kind) for name, kind in below)


def _quota(quota: own.OwnQuota) -> CloudSelfQuota:
    return CloudSelfQuota(
        display_name=quota.name,
        endpoint=quota.endpoint,
        quota=quota.quota_mb,
        used_quota=quota.used_mb,
        used_quota_time=quota.measured_at,
        is_old=quota.is_old,
        warning=quota.warning or None,
    )


@ROUTES.add(Route(verb="GET", path="/cloud/self/session", answers=shows(LogonSession)))
def get_own_session(call: Call) -> Answer:
    """The session of a tenant that asks."""
    with call.reading() as work:
        found = sessions.get(work, call.visitor)
    return Answer(resource=session_resource(call.root, found, call.visitor.login))


@ROUTES.add(Route(verb="DELETE", path="/cloud/self/session", answers=DONE))
def delete_own_session(call: Call) -> Answer:
    """Log off, as a tenant or its user."""
    with call.changing() as work:
        sessions.end(work, call.visitor)
    return Answer(status=204)


@ROUTES.add(Route(verb="GET", path="/cloud/self/tunnels", answers=shows(CloudSelfTunnels)))
def get_own_tunnels(call: Call) -> Answer:
    """The own live tunnels at all gateways; hosts are asked for all who look."""
    with call.reading() as work:
        tenant = own.tenant_of(sessions.owner_of(work, call.visitor, alone=True))
    live = live_tunnels(call, tenant)
    with call.reading() as work:
        own_ones = [
            each
            for _server_id, each in live.tunnels
            if call.visitor.user_id in (None, each.user_id)
        ]
        shown = tunnel_entities(work, own_ones)
    return Answer(
        resource=CloudSelfTunnels(cloud_gateway_tunnels=shown, unknown_gateways=live.unknown)
    )


@ROUTES.add(Route(verb="GET", path="/cloud/self/logins", answers=shows(CloudSelfLogins)))
def get_own_logins(call: Call) -> Answer:
    """Who came lately by the own name, or tried to: to the portal, or in vain to a gateway."""
    with call.reading() as work:
        found = own.logins(work, sessions.owner_of(work, call.visitor, alone=True))
        shown = tuple(_login(each) for each in found)
    return Answer(resource=CloudSelfLogins(cloud_self_logins=shown))


def _login(event: tables.AuditEvent) -> CloudSelfLogin:
    is_own_password = event.operation in own.OWN_PASSWORD
    return CloudSelfLogin(
        time=event.at,
        operation=event.operation,
        name=event.account if is_own_password else event.object_name,
        address=event.address,
        success=event.success,
        count=int((event.after or {}).get("Count") or 1),
        message=event.message or None,
    )


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/self/usage",
        answers=shows(CloudTenantUsages),
        query=usage.OF_ONE,
    )
)
def get_own_usage(call: Call) -> Answer:
    """What one used in the last days: by minutes, then hours, then days; oldest first."""
    with call.reading() as work:
        tenant = own.tenant_of(sessions.owner_of(work, call.visitor, alone=True))
        return usage.used(call, work, tenant, user_id=call.visitor.user_id)


@ROUTES.add(
    Route(
        verb="GET",
        path="/cloud/self/heldBack",
        answers=shows(CloudHeldBackTimes),
        query=(usage.DAYS,),
    )
)
def get_own_held_back(call: Call) -> Answer:
    """When a tenant got less speed than it would have taken: of itself alone, not of its users."""
    days = usage.days_of(call)
    with call.reading() as work:
        who = sessions.owner_of(work, call.visitor, alone=True)
        if not isinstance(who, tables.CloudTenant):
            raise NotFoundError(
                f"When {who.tenant.name} is held back is not counted by user: the tenant sees it."
            )
        return usage.held_back(call, work, who, days)


@ROUTES.add(Route(verb="GET", path="/cloud/self/subtenants", answers=shows(CloudSubtenants)))
def get_own_subtenants(call: Call) -> Answer:
    """The own users of a tenant; a user has none."""
    with call.reading() as work:
        who = sessions.owner_of(work, call.visitor)
        known = subtenants.list_subtenants(work, who) if isinstance(who, tables.CloudTenant) else ()
        shown = tuple(_user(work.now, call.root, each) for each in known)
    return Answer(resource=CloudSubtenants(cloud_subtenants=shown))


def _user(now: datetime, root: str, user: tables.Subtenant) -> CloudSubtenant:
    return CloudSubtenant(
        href=f"{root}{PATH}/subtenants/{user.id}",
        type=subtenants.TYPE,
        links=(),
        id=str(user.id),
        name=user.name,
        password="",
        enabled=user.enabled,
        repository_quota=quota_of(user),
        allowed_networks=None if user.networks is None else tuple(user.networks),
        old_password_expiration_date=old_until(user, now),
        old_password_last_used=user.old_password_used_at,
    )


@ROUTES.add(
    Route(verb="GET", path="/cloud/self/subtenants/{subtenant}", answers=shows(CloudSubtenant))
)
def get_own_subtenant(call: Call) -> Answer:
    """One of the own users."""
    identifier = call.identifier(subtenants.TYPE, "subtenant")
    with call.reading() as work:
        return Answer(resource=_user(work.now, call.root, _own_user(call, work, identifier)))


@ROUTES.add(
    Route(
        verb="PUT",
        path="/cloud/self/subtenants/{subtenant}/password",
        answers=DONE,
        bodies=(OwnPasswordSpec,),
    )
)
def put_own_subtenant_password(call: Call, spec: OwnPasswordSpec) -> Answer:
    """Give one of the own users a new password, where the provider lets a tenant do that."""
    identifier = call.identifier(subtenants.TYPE, "subtenant")
    with call.reading() as work:
        old_hash = _own_user(call, work, identifier).password_hash
    new = own_password.own_replacement(old_hash, spec.password, spec.old_password_seconds)
    with call.changing() as work:
        own_password.change_own_password(
            work, _own_user(call, work, identifier), new, by_tenant=True
        )
    return Answer(status=204)


def _own_user(call: Call, work: UnitOfWork, identifier: UUID) -> tables.Subtenant:
    """A user of the tenant that asks; to a user, and to other tenants, it is not there."""
    who = sessions.owner_of(work, call.visitor)
    if not isinstance(who, tables.CloudTenant):
        raise NotFoundError(f"{call.visitor.login} has no subtenant with the id {identifier}.")
    return subtenants.get_subtenant(work, who, identifier)


@ROUTES.add(Route(verb="GET", path="/cloud/self/authority", answers=Outcome(document=PEM)))
def get_authority(call: Call) -> Answer:
    """The authority of the gateways' certificates, for programs to trust: ``ca.pem``."""
    pem = call.manager.authority.certificate_pem
    return Answer(document=pem.encode(), media_type=PEM)
