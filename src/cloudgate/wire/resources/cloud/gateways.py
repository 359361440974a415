"""Gateway resources: what is said about cloud gateways?

The names differ between creating and the entity, as published: NetworkType and ExternalIp there,
NetworkMode and ExternalIP here.
"""

from dataclasses import dataclass

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated
from cloudgate.wire.resources.base import Entity


@dataclass(frozen=True, kw_only=True)
class CreateCloudGatewaySpec(ResourceType):
    """Body of POST /cloud/gateways."""

    href: str | None = attribute()
    type: str | None = attribute()
    backup_server_id_or_name: str | None = element()
    server_host_name: str | None = element()
    description: str | None = element()
    incoming_port: int | None = element(omit_absent=True)
    external_ip: str | None = element()
    external_port: int | None = element()
    network_type: str | None = element()
    internal_port: int | None = element()
    backup_server_uid: str | None = element()
    proxy_protocol_networks: tuple[str, ...] | None = listed("Network", extension=True)
    """Extension: load balancers that may say by PROXY protocol for whom they ask."""


@dataclass(frozen=True, kw_only=True)
class CloudGateway(Entity):
    """A cloud gateway; also the body of PUT, where what is left out stays as it is."""

    enabled: bool | None = element()
    dns_name_or_ip_address: str | None = element(omit_absent=True)
    """Of published schemas; ignored in PUT, because a gateway stays on its server."""
    network_mode: str | None = element()
    external_ip: str | None = element("ExternalIP")
    external_port: int | None = element()
    internal_port: int | None = element()
    description: str | None = element()
    state: str | None = element(omit_absent=True)
    """Extension; as those that follow, ignored in PUT. ``Listening``, ``Draining``, ``Closed``,
    ``Failed``, ``Starting`` or ``Offline``."""
    live_tunnels: int | None = element(omit_absent=True)
    warning: str | None = element(omit_absent=True)
    proxy_protocol_networks: tuple[str, ...] | None = listed(
        "Network", omit_absent=True, extension=True
    )
    """Extension: load balancers that may say by PROXY protocol for whom they ask; in PUT, nobody
    without any."""


@dataclass(frozen=True, kw_only=True)
class CloudGateways(ResourceType):
    """All cloud gateways."""

    cloud_gateways: tuple[CloudGateway, ...] = repeated("CloudGateway")
