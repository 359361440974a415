"""Live resources: what is said of what goes on right now? Extensions."""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import ResourceType, attribute, element, repeated


@dataclass(frozen=True, kw_only=True)
class CloudMaintenance(ResourceType):
    """Whether the provider is at work."""

    href: str | None = attribute()
    type: str | None = attribute()
    enabled: bool = element()
    message: str | None = element()
    """For tenants."""
    restores_allowed: bool | None = element()
    since: datetime | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudGatewayTunnel(ResourceType):
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
class CloudGatewayTunnels(ResourceType):
    """The live tunnels of a gateway."""

    cloud_gateway_tunnels: tuple[CloudGatewayTunnel, ...] = repeated("CloudGatewayTunnel")


@dataclass(frozen=True, kw_only=True)
class CloudTenantTunnel(CloudGatewayTunnel):
    """A live tunnel of a tenant."""

    cloud_gateway: str | None = element()
    """Where it is; its name."""
    cloud_gateway_uid: str | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudTenantTunnels(ResourceType):
    """The live tunnels of a tenant, at all gateways; the oldest first."""

    cloud_tenant_tunnels: tuple[CloudTenantTunnel, ...] = repeated("CloudTenantTunnel")
    unknown_gateways: int | None = element()
    """How many gateways did not say which tunnels they have."""


@dataclass(frozen=True, kw_only=True)
class CloudTenantGateway(ResourceType):
    """Where a tenant comes in."""

    address: str | None = element()
    """Host and port, as it names them."""


@dataclass(frozen=True, kw_only=True)
class CloudTenantGateways(ResourceType):
    """Where a tenant comes in: each gateway that it may use, by name; fifty at most."""

    cloud_tenant_gateways: tuple[CloudTenantGateway, ...] = repeated("CloudTenantGateway")


@dataclass(frozen=True, kw_only=True)
class CloudGatewayState(ResourceType):
    """The gateways that are in one state."""

    state: str | None = element()
    count: int | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudSummary(ResourceType):
    """How many there are of everything."""

    tenants: int | None = element()
    repositories: int | None = element()
    gateways: int | None = element()
    live_tunnels: int | None = element()
    """As hosts last reported."""
    states: tuple[CloudGatewayState, ...] = repeated("CloudGatewayState")


@dataclass(frozen=True, kw_only=True)
class OperatorWarning(ResourceType):
    """Something that needs a look."""

    name: str | None = element()
    """Of what it is about; ``manager`` for the manager itself."""
    object_type: str | None = element()
    object_href: str | None = element()
    message: str | None = element()
    """What is wrong, and what to do."""
    since: datetime | None = element()
    """Where that is known."""


@dataclass(frozen=True, kw_only=True)
class OperatorWarnings(ResourceType):
    """All that needs a look."""

    operator_warnings: tuple[OperatorWarning, ...] = repeated("OperatorWarning")


@dataclass(frozen=True, kw_only=True)
class ManagerSetting(ResourceType):
    """Something that was decided when the manager was started."""

    name: str | None = element()
    """As the file with settings has it."""
    value: str | None = element()
    """Without secrets; nothing where it was left out."""


@dataclass(frozen=True, kw_only=True)
class ManagerSettings(ResourceType):
    """What the manager was started with."""

    manager_settings: tuple[ManagerSetting, ...] = repeated("ManagerSetting")
