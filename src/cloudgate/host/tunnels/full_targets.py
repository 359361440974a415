"""Full targets: where may somebody only bring data back, or only send it, by its quotas? Pure."""

from datetime import datetime
from uuid import UUID

from cloudgate.protocol import Target, Tenant


def full_reason(target: Target, now: datetime) -> str:
    """Why new tunnels to a target may only bring data back; empty when they may do all."""
    if target.full_until is None or target.full_until <= now:
        return ""
    return target.full


def egress_reason(tenant: Tenant | None, now: datetime) -> str:
    """Why new tunnels of a tenant may only send data; empty when they may do all."""
    if tenant is None or tenant.egress_full_until is None or tenant.egress_full_until <= now:
        return ""
    return tenant.egress_full


def full_reason_of(
    tenant: Tenant | None, user_id: UUID | None, endpoint: str, now: datetime
) -> str:
    """`full_reason` of a target that a live tunnel goes to, by what is known of its tenant now."""
    if tenant is None:
        return ""
    users = [each for each in tenant.users if each.user_id == user_id]
    targets = (
        tenant.targets if user_id is None else [each for user in users for each in user.targets]
    )
    found = (full_reason(each, now) for each in targets if each.endpoint == endpoint)
    return next(found, "")
