"""Own resources: what is said to a tenant, or one of its users, of itself? Extensions."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import ResourceType, element, listed, repeated
from cloudgate.wire.resources.base import Resource
from cloudgate.wire.resources.cloud.live import CloudGatewayTunnel


@dataclass(frozen=True, kw_only=True)
class CloudSelfQuota(ResourceType):
    """A quota on a repository; in MB."""

    display_name: str | None = element()
    endpoint: str | None = element()
    """Host and port that programs name."""
    quota: int | None = element()
    """None for a user without a limit of its own."""
    used_quota: int | None = element()
    """None where it is not measured, and for users: what one of them stores nobody measures."""
    used_quota_time: datetime | None = element()
    is_old: bool | None = element()
    """Whether that was measured more than a day ago."""
    warning: str | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudSelf(Resource):
    """Who has logged on as a tenant, or as its user: what it has, and how it comes in."""

    name: str | None = element()
    """As it logs in at a gateway."""
    tenant: str | None = element()
    subtenant: str | None = element()
    lease_expiration_date: datetime | None = element()
    last_active: datetime | None = element()
    """Of the tenant; None for users, of whom it would tell when others came."""
    throttling_speed_limit: int | None = element()
    """Over all tunnels of the tenant; None for no limit."""
    throttling_speed_unit: str | None = element()
    max_concurrent_tasks: int | None = element()
    """Tunnels at a time of the tenant; None for no limit."""
    egress_quota_mb: int | None = element()
    used_egress_mb: int | None = element()
    """What the tenant brought back in this month (UTC); None without a quota, and for users."""
    allowed_networks: tuple[str, ...] | None = listed("Network")
    old_password_expiration_date: datetime | None = element()
    old_password_last_used: datetime | None = element()
    may_change_password: bool | None = element()
    may_get_certificates: bool | None = element()
    quotas: tuple[CloudSelfQuota, ...] | None = listed("CloudSelfQuota")
    gateways: tuple[str, ...] | None = listed("Gateway")
    """Host and port of each that it may use."""
    maintenance: str | None = element()
    """What the provider says while it is at work."""
    maintenance_since: datetime | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudSelfTunnels(ResourceType):
    """The own live tunnels, at all gateways; the oldest first."""

    cloud_gateway_tunnels: tuple[CloudGatewayTunnel, ...] = repeated("CloudGatewayTunnel")
    unknown_gateways: int | None = element()
    """How many gateways did not say which tunnels they have."""


@dataclass(frozen=True, kw_only=True)
class CloudSelfLogin(ResourceType):
    """Somebody who came with the own name: to the portal, or in vain to a gateway."""

    time: datetime | None = element()
    operation: str | None = element()
    """As the audit log calls it."""
    name: str | None = element()
    address: str | None = element()
    success: bool | None = element()
    count: int | None = element()
    """How often, where a gateway has added them up."""
    message: str | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudSelfLogins(ResourceType):
    """Who came lately, the latest first."""

    cloud_self_logins: tuple[CloudSelfLogin, ...] = repeated("CloudSelfLogin")
