"""Withdrawal of rights: what is left of a tenant when only what was taken away is applied? Pure.

That is so while a disk takes no new state: what gives rights waits until it can be kept. What is
replaced (a password, pools, where a target is) is taken away, so its replacement comes with it.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from cloudgate.network import address_ranges
from cloudgate.protocol import Limits, Target, Tenant, User

_LIMITS = tuple(Limits.model_fields)
T = TypeVar("T", int, datetime)


def left_of_all(known: Mapping[UUID, Tenant], told: Mapping[UUID, Tenant]) -> dict[UUID, Tenant]:
    """What is left of the tenants that are known, now that `told` is so. New ones wait."""
    return {
        tenant_id: left_of(tenant, told[tenant_id])
        for tenant_id, tenant in known.items()
        if tenant_id in told
    }


def left_of(known: Tenant, told: Tenant) -> Tenant:
    """A tenant without what `told` has no more; what it has besides waits."""
    if known == told:
        return told
    users = {user.user_id: user for user in known.users}
    return told.model_copy(
        update={
            "enabled": known.enabled and told.enabled,
            "expires_at": _least(known.expires_at, told.expires_at),
            "targets": _targets(known.targets, told.targets),
            "networks": address_ranges.common(known.networks, told.networks),
            "users": tuple(
                _left_of_user(users[user.user_id], user)
                for user in told.users
                if user.user_id in users
            ),
            **{name: _least(getattr(known, name), getattr(told, name)) for name in _LIMITS},
        }
    )


def without_rights(tenant: Tenant) -> Tenant:
    """A tenant that may open no tunnel. Those that it has go on."""
    users = tuple(user.model_copy(update={"targets": ()}) for user in tenant.users)
    return tenant.model_copy(update={"targets": (), "users": users})


def _left_of_user(known: User, told: User) -> User:
    return told.model_copy(
        update={
            "enabled": known.enabled and told.enabled,
            "targets": _targets(known.targets, told.targets),
            "networks": address_ranges.common(known.networks, told.networks),
        }
    )


def _targets(known: Iterable[Target], told: Iterable[Target]) -> tuple[Target, ...]:
    endpoints = {target.endpoint for target in known}
    return tuple(target for target in told if target.endpoint in endpoints)


def _least(one: T | None, other: T | None) -> T | None:
    """The smaller of two limits, where None limits nothing."""
    limits = [each for each in (one, other) if each is not None]
    return min(limits, default=None)
