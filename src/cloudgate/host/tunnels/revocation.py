"""Revocation: must a live tunnel end because its tenant may not have it any more? Pure."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cloudgate.host.access_log.tunnel_metadata import is_revoked
from cloudgate.host.tunnels.accounting import Tunnel
from cloudgate.network import address_ranges, hostport
from cloudgate.protocol import Origin, Tenant, User

POOL_CHANGED = "the gateway was set apart for others"


@dataclass(frozen=True)
class Revocation:
    """Why a tunnel has to end; `at_once`, or when the drain of this gateway is over."""

    reason: str
    at_once: bool = True


def revocation_of(
    tunnel: Tunnel, tenant: Tenant | None, now: datetime, pool_id: UUID | None
) -> Revocation | None:
    """Why a tunnel has to end; None when it may go on.

    A right to a target that was taken away bars new tunnels only, and a target that moves is no
    reason at all: a live tunnel is sacred unless its tenant is not to be here.

    Args:
        tunnel: the live tunnel.
        tenant: whose it is, as known now; None for one that is not there any more.
        now: the time.
        pool_id: the pool that this gateway is in.
    """
    if tenant is None:
        return Revocation("the tenant was removed")
    revoked = _revoked(tunnel, tenant, now) or _revoked_certificate(tunnel, tenant)
    if revoked is not None:
        return Revocation(revoked)
    if not _is_in_allowed_pool(tenant, pool_id):
        return Revocation(POOL_CHANGED, at_once=False)
    return None


def _revoked(tunnel: Tunnel, tenant: Tenant, now: datetime) -> str | None:
    if not tenant.enabled:
        return "the tenant was disabled"
    if tenant.expires_at is not None and tenant.expires_at <= now:
        return "the tenant's lease has expired"
    if _is_older(tunnel, _ended_before(tunnel.target, tenant)):
        return "the tenant's tunnels were ended"
    if _is_outside(tunnel, tenant):
        return "the tenant may not come from there any more"
    if tunnel.user_id is None:
        return None
    return _revoked_of_user(
        tunnel, next((each for each in tenant.users if each.user_id == tunnel.user_id), None)
    )


def _revoked_certificate(tunnel: Tunnel, tenant: Tenant) -> str | None:
    revoked = [each.certificate_id for each in tenant.ended_certificates if each.tunnels_end]
    return "the certificate was revoked" if tunnel.certificate_id in revoked else None


def _revoked_of_user(tunnel: Tunnel, user: User | None) -> str | None:
    if user is None:
        return "the tenant's user was removed"
    if not user.enabled:
        return "the tenant's user was disabled"
    if _is_older(tunnel, user.tunnels_end_before):
        return "the tunnels of the tenant's user were ended"
    if _is_outside(tunnel, user):
        return "the tenant's user may not come from there any more"
    return None


def _is_outside(tunnel: Tunnel, origin: Origin) -> bool:
    """Whether a tunnel that comes from elsewhere is to end."""
    if not _is_older(tunnel, origin.outside_end_before):
        return False
    return not address_ranges.contains(
        origin.networks, hostport.split(tunnel.came_from or tunnel.client)[0]
    )


def _is_older(tunnel: Tunnel, before: datetime | None) -> bool:
    """Whether a tunnel was opened before the moment at which some were ended."""
    if tunnel.revocation_epoch is not None:
        return is_revoked(tunnel.revocation_epoch, before)
    # Kept by the release before: then two clocks have to do.
    return before is not None and tunnel.started_at < before


def _ended_before(target: str, tenant: Tenant) -> datetime | None:
    """Tunnels to a target that were opened before this moment are to end; None when none are."""
    if not tenant.ended_targets:
        return tenant.tunnels_end_before
    ended = [each.before for each in tenant.ended_targets if each.endpoint == target]
    return max([*ended, *filter(None, [tenant.all_end_before])], default=None)


def _is_in_allowed_pool(tenant: Tenant, pool_id: UUID | None) -> bool:
    # A tunnel that came here by failover may stay when the gateways of its pools are back.
    if pool_id is not None:
        return pool_id in tenant.pool_ids
    return not tenant.pool_ids or tenant.failover_to_others
