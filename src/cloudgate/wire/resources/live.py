"""What is said of what goes on right now? Extensions: the original has no such resources."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import Described, attribute, element, repeated


@dataclass(frozen=True, kw_only=True)
class CloudMaintenance(Described):
    """Whether the provider is at work."""

    href: str | None = attribute()
    type: str | None = attribute()
    enabled: bool = element()
    message: str | None = element()
    """For tenants."""
    restores_allowed: bool | None = element()
    since: datetime | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudGatewayTunnel(Described):
    """A live tunnel."""

    tunnel_id: str | None = element()
    tenant: str | None = element()
    subtenant: str | None = element()
    target: str | None = element()
    client: str | None = element()
    """Address and port that it comes from."""
    begin_time: datetime | None = element()
    bytes_up: int | None = element()
    bytes_down: int | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudGatewayTunnels(Described):
    """The live tunnels of a gateway."""

    cloud_gateway_tunnels: tuple[CloudGatewayTunnel, ...] = repeated("CloudGatewayTunnel")
