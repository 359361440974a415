"""Pool resources: what is said about gateway pools?"""

from dataclasses import dataclass

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated
from cloudgate.wire.resources.base import Entity


@dataclass(frozen=True, kw_only=True)
class CreateCloudGatewayPoolSpec(ResourceType):
    """Body of POST /cloud/gatewayPools."""

    href: str | None = attribute()
    type: str | None = attribute()
    name: str | None = element()
    description: str | None = element()
    cloud_gateways: tuple[str, ...] | None = listed("CloudGatewayUid")
    cloud_tenants: tuple[str, ...] | None = listed("CloudTenantUid")
    backup_server_uid: str | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudGatewayPool(Entity):
    """A pool; also the body of PUT, where what is left out stays as it is."""

    description: str | None = element()
    cloud_gateways: tuple[str, ...] | None = listed("CloudGatewayUid")
    cloud_tenants: tuple[str, ...] | None = listed("CloudTenantUid")


@dataclass(frozen=True, kw_only=True)
class CloudGatewayPools(ResourceType):
    """All pools."""

    cloud_gateway_pools: tuple[CloudGatewayPool, ...] = repeated("CloudGatewayPool")
