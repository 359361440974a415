"""Live tunnels: what does the API say of them, and of where they begin? Extensions.

Hosts are asked then and there.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from cloudgate import protocol
from cloudgate.api.access import PROVIDERS
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import DONE, Route, Routes, shows
from cloudgate.errors import NotFoundError, UnavailableError
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import TYPE, gateways_of_servers, get_gateway
from cloudgate.manager.gateways.tunnel_hosts import tunnel_hosts_of
from cloudgate.manager.portal.own import gateway_addresses
from cloudgate.manager.servers.managed_servers import is_online
from cloudgate.manager.storage.tables import CloudTenant, Subtenant
from cloudgate.manager.tenants.former_names import names_in
from cloudgate.manager.tenants.operations import TYPE as TENANT
from cloudgate.manager.tenants.operations import get_tenant
from cloudgate.values.identifiers import uid
from cloudgate.wire.resources.cloud.live import (
    CloudGatewayTunnel,
    CloudGatewayTunnels,
    CloudTenantGateway,
    CloudTenantGateways,
    CloudTenantTunnel,
    CloudTenantTunnels,
)

_CLOSED = Event("DeleteCloudGatewayTunnel", "A tunnel of {name} has been closed", WARNING)
ROUTES = Routes(PROVIDERS)


@ROUTES.add(
    Route(verb="GET", path="/cloud/gateways/{id}/tunnels", answers=shows(CloudGatewayTunnels))
)
def get_tunnels(call: Call) -> Answer:
    """The tunnels that a gateway carries right now, the oldest first."""
    said = _ask(call)
    with call.reading() as work:
        tunnels = sorted(said.tunnels, key=lambda each: each.started_at)
        shown = tunnel_entities(work, tunnels)
    return Answer(resource=CloudGatewayTunnels(cloud_gateway_tunnels=shown))


@ROUTES.add(
    Route(verb="GET", path="/cloud/tenants/{id}/tunnels", answers=shows(CloudTenantTunnels))
)
def get_tunnels_of_tenant(call: Call) -> Answer:
    """The live tunnels of a tenant at all gateways, the oldest first; hosts are asked for all."""
    with call.reading() as work:
        tenant = get_tenant(work, call.identifier(TENANT), alone=True)
    live = live_tunnels(call, tenant)
    with call.reading() as work:
        shown = _at_gateways(work, live)
    return Answer(
        resource=CloudTenantTunnels(cloud_tenant_tunnels=shown, unknown_gateways=live.unknown)
    )


@ROUTES.add(
    Route(verb="GET", path="/cloud/tenants/{id}/gateways", answers=shows(CloudTenantGateways))
)
def get_gateways_of_tenant(call: Call) -> Answer:
    """Host and port of each gateway that a tenant may use, as its programs name them."""
    with call.reading() as work:
        found = gateway_addresses(work, get_tenant(work, call.identifier(TENANT)))
    shown = tuple(CloudTenantGateway(address=each) for each in found)
    return Answer(resource=CloudTenantGateways(cloud_tenant_gateways=shown))


@dataclass(frozen=True)
class LiveTunnels:
    """What hosts say of the tunnels of one tenant."""

    tunnels: tuple[tuple[UUID, protocol.LiveTunnel], ...]
    """Each with the server that carries it, the oldest first."""
    unknown: int
    """How many gateways did not say."""


def live_tunnels(call: Call, tenant: CloudTenant) -> LiveTunnels:
    """Ask the hosts that may have tunnels of a tenant; hosts are asked once for all who look."""
    manager = call.manager
    with call.reading() as work:
        carrying = tunnel_hosts_of(
            work, tenant, manager.figures.tenants.with_live_tunnels(tenant.id)
        )
    said = manager.hosts.tunnels.of(
        tenant.id, carrying.asked, manager.host_queries, manager.wakeups.wake
    )
    found = ((server, each) for server, tunnels in said.items() for each in tunnels or ())
    unknown = carrying.unknown + sum(tunnels is None for tunnels in said.values())
    return LiveTunnels(tuple(sorted(found, key=lambda each: each[1].started_at)), unknown)


def _at_gateways(work: UnitOfWork, live: LiveTunnels) -> tuple[CloudTenantTunnel, ...]:
    entities = tunnel_entities(work, [tunnel for _server, tunnel in live.tunnels])
    gateways = gateways_of_servers(work, {server for server, _tunnel in live.tunnels})
    found = []
    for entity, (server, _tunnel) in zip(entities, live.tunnels, strict=True):
        gateway = gateways.get(server)
        found.append(
            CloudTenantTunnel(
                **asdict(entity),
                cloud_gateway=gateway.name if gateway else None,
                cloud_gateway_uid=uid(TYPE, gateway.id) if gateway else None,
            )
        )
    return tuple(found)


@ROUTES.add(Route(verb="DELETE", path="/cloud/gateways/{id}/tunnels/{tunnel}", answers=DONE))
def delete_tunnel(call: Call) -> Answer:
    """Close one tunnel at once; nobody else feels it, and its tenant may open another."""
    wanted = call.path["tunnel"]
    said = _ask(call, end=(wanted,))
    found = next((each for each in said.tunnels if each.tunnel == wanted), None)
    if found is None:
        raise NotFoundError(f"The gateway has no live tunnel {wanted[:100]!r}.")
    if said.reason:
        raise UnavailableError(said.reason)
    with call.changing() as work:
        gateway = get_gateway(work, call.identifier(TYPE))
        (tunnel,) = tunnel_entities(work, [found])
        before = {"Tenant": tunnel.tenant, "Target": tunnel.target, "Client": tunnel.client}
        record(work, change_to(gateway, TYPE, _CLOSED, before=before))
    return Answer(status=204)


def _ask(call: Call, end: tuple[str, ...] = ()) -> protocol.Answer:
    with call.reading() as work:
        server = get_gateway(work, call.identifier(TYPE)).managed_server
        name, server_id = server.name, server.id
        if not is_online(work, server):
            raise UnavailableError(
                f"The managed server {name} is offline; which tunnels it has is not known."
            )
    question = call.manager.host_queries.request_tunnels(server_id, end)
    call.manager.wakeups.wake([server_id])
    return call.manager.host_queries.wait(question)


def tunnel_entities(
    work: UnitOfWork, tunnels: Sequence[protocol.LiveTunnel]
) -> tuple[CloudGatewayTunnel, ...]:
    """Live tunnels in their order, with the names of whose they are."""
    tenants = names_in(work, CloudTenant, {each.tenant_id for each in tunnels})
    users = names_in(work, Subtenant, {each.user_id for each in tunnels if each.user_id})
    return tuple(
        CloudGatewayTunnel(
            tunnel_id=each.tunnel,
            tenant=tenants.get(each.tenant_id, str(each.tenant_id)),
            subtenant=users.get(each.user_id) if each.user_id else None,
            target=each.target,
            client=each.client,
            begin_time=each.started_at,
            bytes_up=each.bytes_up,
            bytes_down=each.bytes_down,
        )
        for each in tunnels
    )
