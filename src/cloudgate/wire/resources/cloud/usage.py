"""Usage resources: what is said about what tenants used? Extensions."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import ResourceType, element, listed, repeated
from cloudgate.wire.resources.queries import PagingInfo


@dataclass(frozen=True, kw_only=True)
class CloudTenantUsage(ResourceType):
    """What was used of one gateway by one target, in a minute, an hour or a day."""

    begin_time: datetime | None = element()
    minutes: int | None = element()
    cloud_gateway: str | None = element()
    subtenant: str | None = element()
    target: str | None = element()
    tunnels: int | None = element()
    bytes_up: int | None = element()
    bytes_down: int | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudTenantUsages(ResourceType):
    """What a tenant used."""

    cloud_tenant_usages: tuple[CloudTenantUsage, ...] = repeated("CloudTenantUsage")


@dataclass(frozen=True, kw_only=True)
class CloudHeldBackTime(ResourceType):
    """For how long a tenant got less speed than it would have taken, in an hour or a day."""

    begin_time: datetime | None = element()
    minutes: int | None = element()
    limit_seconds: int | None = element()
    """By the speed that it was sold. Gateways add up."""
    share_seconds: int | None = element()
    """By its part of a gateway that was full."""


@dataclass(frozen=True, kw_only=True)
class CloudHeldBackTimes(ResourceType):
    """When a tenant was held back."""

    cloud_held_back_times: tuple[CloudHeldBackTime, ...] = repeated("CloudHeldBackTime")


@dataclass(frozen=True, kw_only=True)
class CloudUsage(CloudTenantUsage):
    """What a tenant used, which may not be there any more; without Minutes, all together."""

    cloud_tenant: str | None = element()
    """Its name."""
    cloud_tenant_uid: str | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudUsages(ResourceType):
    """A page of what all tenants used."""

    cloud_usages: tuple[CloudUsage, ...] | None = listed("CloudUsage", name="CloudUsages")
    paging_info: PagingInfo | None = element()
