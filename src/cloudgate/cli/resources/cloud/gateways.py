"""Gateway commands: what can be done with cloud gateways?"""

from collections.abc import Callable
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated
from urllib.parse import quote

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at, backup_server
from cloudgate.cli.resources.common import (
    Deadline,
    Description,
    Site,
    Thing,
    body_of,
    change_of,
    group,
    networks_of,
    with_deadline,
)
from cloudgate.cli.resources.infrastructure import servers
from cloudgate.cli.resources.infrastructure.backup_servers import uid_of_site
from cloudgate.client.core import kinds
from cloudgate.client.core.lookup import EntityReference, is_id, site_of
from cloudgate.client.core.refusals import RefusedError


class Mode(StrEnum):
    """How a gateway is reached."""

    DIRECT = "Direct"
    NAT = "NAT"


KIND = kinds.GATEWAY
COLUMNS: Columns = {
    "Name": at("Name"),
    "Enabled": at("Enabled"),
    "State": at("State"),
    "Tunnels": at("LiveTunnels"),
    "NetworkMode": at("NetworkMode"),
    "ExternalIP": at("ExternalIP"),
    "ExternalPort": at("ExternalPort"),
    "InternalPort": at("InternalPort"),
    "BackupServer": backup_server,
    "Description": at("Description"),
}
TUNNELS: Columns = {
    "Tenant": at("Tenant"),
    "Subtenant": at("Subtenant"),
    "Target": at("Target"),
    "Client": at("Client"),
    "BeginTime": at("BeginTime"),
    "BytesUp": at("BytesUp"),
    "BytesDown": at("BytesDown"),
    "TunnelId": at("TunnelId"),
}
PORT_TEXT = "Port that tenants connect to."
ModeOption = typer.Option(
    case_sensitive=False, metavar="Direct|NAT", help="NAT for a gateway behind NAT."
)
ExternalIp = Annotated[
    str | None,
    typer.Option(help="Address that tenants connect to; needed with NAT.", show_default=False),
]
InternalPort = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        metavar="PORT",
        help="Port behind NAT that the gateway listens on.",
        show_default=False,
    ),
]
ProxyNetworks = Annotated[
    list[str] | None,
    typer.Option(
        "--proxy-protocol-from",
        metavar="CIDR",
        help="Load balancers in front that may say by PROXY protocol for whom they ask; may be"
        " repeated.",
        show_default=False,
    ),
]
NoProxy = Annotated[
    bool, typer.Option("--no-proxy-protocol", help="Take PROXY protocol from nobody.")
]
app = group(KIND, COLUMNS, "Cloud gateways: the managed servers that let tenants in.")


@command(app, "create", waits=True)
def create(
    call: Call,
    server: Annotated[
        str, typer.Argument(metavar="SERVER", help="Name, address or id of the managed server.")
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, metavar="PORT", help=PORT_TEXT)] = 6180,
    mode: Annotated[Mode, ModeOption] = Mode.DIRECT,
    external_ip: ExternalIp = None,
    internal_port: InternalPort = None,
    description: Description = None,
    proxy_protocol_from: ProxyNetworks = None,
    backup_server: Site = None,
) -> None:
    """Make a managed server a gateway."""
    site = uid_of_site(call, backup_server)
    if is_id(server):
        entity = call.api.get(find(call.api, servers.KIND, server).entity).body
        server, site = str(entity["Name"]), site or site_of(entity)
    body = body_of(
        ServerHostName=server,
        Description=description,
        ProxyProtocolNetworks=networks_of(proxy_protocol_from),
        ExternalIp=external_ip,
        ExternalPort=port,
        NetworkType=mode.value,
        InternalPort=internal_port,
        BackupServerUid=site,
    )
    call.show_result(call.api.post(KIND.path, body))


@command(app, "edit", waits=True)
def edit(
    call: Call,
    name: Thing,
    enabled: Annotated[
        bool | None,
        typer.Option("--enable/--disable", help="Let tenants in, or not.", show_default=False),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, metavar="PORT", help=PORT_TEXT, show_default=False),
    ] = None,
    mode: Annotated[Mode | None, ModeOption] = None,
    external_ip: ExternalIp = None,
    internal_port: InternalPort = None,
    description: Description = None,
    proxy_protocol_from: ProxyNetworks = None,
    no_proxy_protocol: NoProxy = False,
    deadline: Deadline = None,
) -> None:
    """Change a gateway; live tunnels go on."""
    change = change_of(
        Enabled=enabled,
        NetworkMode=mode.value if mode else None,
        ExternalIP=external_ip,
        ExternalPort=port,
        InternalPort=internal_port,
        Description=description,
        ProxyProtocolNetworks=networks_of(proxy_protocol_from, none=no_proxy_protocol),
    )
    found = find(call.api, KIND, name)
    path = with_deadline(found.path, deadline)
    call.show_result(call.api.put(path, change), found.entity)


@command(app, "drain", waits=True)
def drain(call: Call, name: Thing, deadline: Deadline = None) -> None:
    """Let no more tenants in, and wait until the last tunnel has ended."""
    found = find(call.api, KIND, name)
    accepted = call.api.put(with_deadline(found.path, deadline), {"Enabled": False})
    call.show_task(accepted, _tunnels_left(call, found))


@command(app, "tunnels")
def tunnels(call: Call, name: Thing) -> None:
    """Show the tunnels that go through a gateway right now."""
    answer = call.api.get(_tunnels(call, name))
    call.screen.listing(answer, answer.body.get("CloudGatewayTunnels") or [], TUNNELS)


@command(app, "close-tunnel")
def close_tunnel(
    call: Call,
    name: Thing,
    tunnel: Annotated[str, typer.Argument(metavar="TUNNEL", help="Its TunnelId.")],
) -> None:
    """Close one tunnel at once; its tenant may open another."""
    call.api.delete(f"{_tunnels(call, name)}/{quote(tunnel, safe='')}")
    call.screen.remark(f"Closed {tunnel}.")


@command(app, "delete", waits=True)
def delete(call: Call, name: Thing, deadline: Deadline = None) -> None:
    """Take the gateway role away; the managed server stays."""
    found = find(call.api, KIND, name)
    accepted = call.api.delete(with_deadline(found.path, deadline))
    call.show_task(accepted, _tunnels_left(call, found))


def _tunnels(call: Call, name: str) -> str:
    return f"{find(call.api, KIND, name).path}/tunnels"


def _tunnels_left(call: Call, found: EntityReference) -> Callable[[], str]:
    def say() -> str:
        try:
            entity = call.api.get(found.entity).body
        except RefusedError as problem:
            if problem.status != HTTPStatus.NOT_FOUND:
                raise
            return "The gateway is gone."  # the task is about to say so, too
        said = f"{entity.get('Name')}: {entity.get('State')}"
        if entity.get("State") != "Draining":
            return said  # how many there are is not known before the host has told
        left = entity.get("LiveTunnels")
        return f"{said}, {left} {'tunnel is' if left == 1 else 'tunnels are'} left"

    return say
