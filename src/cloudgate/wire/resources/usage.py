"""What is said about what tenants used? Extensions: the original has no such resources."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import Described, element, repeated


@dataclass(frozen=True, kw_only=True)
class CloudTenantUsage(Described):
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
class CloudTenantUsages(Described):
    """What a tenant used."""

    cloud_tenant_usages: tuple[CloudTenantUsage, ...] = repeated("CloudTenantUsage")
