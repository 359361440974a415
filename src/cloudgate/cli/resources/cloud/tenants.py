"""Tenant commands: what can be done with tenants?"""

from datetime import datetime
from typing import Annotated

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at, backup_server
from cloudgate.cli.passwords import NewPasswordOptions
from cloudgate.cli.resources.cloud import quotas
from cloudgate.cli.resources.cloud.tenant_options import (
    AllowedNetworks,
    AnyNetwork,
    Enabled,
    EndTunnels,
    TenantOptions,
    ending,
)
from cloudgate.cli.resources.common import (
    Description,
    Site,
    Thing,
    add_delete,
    body_of,
    change_of,
    group,
    networks_of,
)
from cloudgate.cli.resources.infrastructure.backup_servers import uid_of_site
from cloudgate.client.core import kinds
from cloudgate.client.core.kinds import Json
from cloudgate.values import timestamps

KIND = kinds.TENANT
COLUMNS: Columns = {
    "Name": at("Name"),
    "Enabled": at("Enabled"),
    "ExpirationDate": at("LeaseOptions", "ExpirationDate"),
    "Resources": quotas.in_short,
    "BackupServer": backup_server,
    "Description": at("Description"),
}
USAGE = {
    "BeginTime": at("BeginTime"),
    "Minutes": at("Minutes"),
    "CloudGateway": at("CloudGateway"),
    "Subtenant": at("Subtenant"),
    "Target": at("Target"),
    "Tunnels": at("Tunnels"),
    "BytesUp": at("BytesUp"),
    "BytesDown": at("BytesDown"),
}
TUNNELS = {
    "CloudGateway": at("CloudGateway"),
    "Subtenant": at("Subtenant"),
    "Target": at("Target"),
    "Client": at("Client"),
    "BeginTime": at("BeginTime"),
    "BytesUp": at("BytesUp"),
    "BytesDown": at("BytesDown"),
    "TunnelId": at("TunnelId"),
}
HELD_BACK = {
    "BeginTime": at("BeginTime"),
    "Minutes": at("Minutes"),
    "LimitSeconds": at("LimitSeconds"),
    "ShareSeconds": at("ShareSeconds"),
}
app = group(KIND, COLUMNS, "Tenants: the customers, and what they may use.")


def lease_end(text: str) -> datetime:
    """When a lease ends: a date or a time, in UTC unless it says otherwise."""
    try:
        return timestamps.parse(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date such as 2030-12-31.") from None


Lease = Annotated[
    datetime | None,
    typer.Option(
        parser=lease_end,
        metavar="DATE",
        help="Date or time (UTC) at which access ends.",
        show_default=False,
    ),
]


@command(app, "create", waits=True)
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the tenant logs in with.")],
    *,
    repository: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[=GB]", help="A repository to grant; may be repeated.", show_default=False
        ),
    ] = None,
    quota_gb: Annotated[list[int] | None, quotas.QuotaGb] = None,
    new: NewPasswordOptions,
    description: Description = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Do not let it in yet.")] = False,
    lease: Lease = None,
    network: AllowedNetworks = None,
    options: TenantOptions,
    backup_server: Site = None,
) -> None:
    """Add a tenant; asks for its password unless an option gives it."""
    wanted = quotas.of_options(repository or [], quota_gb or [])
    password = new.password_or_asked(name)
    site = uid_of_site(call, backup_server)
    specs = [quotas.spec(call, each, gigabytes, site) for each, gigabytes in wanted]
    body = body_of(
        Name=name,
        Description=description,
        Password=password.text,
        Enabled=not disabled,
        LeaseExpirationDate=_written(lease),
        Resources={"BackupResources": specs} if specs else None,
        BackupServerUid=site,
        TenantType="Standalone",
        AllowedNetworks=networks_of(network),
        **options.members(),
    )
    accepted = call.api.post(KIND.path, body)
    password.show_generated(name)
    call.show_result(accepted)


@command(app, "edit", waits=True)
def edit(
    call: Call,
    name: Thing,
    *,
    enabled: Enabled = None,
    new: NewPasswordOptions,
    lease: Lease = None,
    no_lease: Annotated[bool, typer.Option("--no-lease", help="Access without an end.")] = False,
    description: Description = None,
    network: AllowedNetworks = None,
    any_network: AnyNetwork = False,
    options: TenantOptions,
    end_tunnels: EndTunnels = False,
) -> None:
    """Change a tenant; a disabled one loses its tunnels."""
    password = new.password()
    change = change_of(
        Password=password.text if password else None,
        Description=description,
        LeaseOptions=_lease_options(lease, endless=no_lease),
        AllowedNetworks=networks_of(network, none=any_network),
        Enabled=enabled if enabled is not None or not end_tunnels else _is_enabled(call, name),
        **options.members(),
    )
    found = find(call.api, KIND, name)
    accepted = call.api.put(ending(found.path, change, end_tunnels=end_tunnels), change)
    if password:
        password.show_generated(name)
    call.show_result(accepted, found.entity)


@command(app, "usage")
def usage(
    call: Call,
    name: Thing,
    days: Annotated[int, typer.Option(min=1, max=999, help="How far to look back.")] = 31,
) -> None:
    """Show what a tenant used of the gateways: by minutes, then hours, then days."""
    answer = call.api.get(f"{find(call.api, KIND, name).path}/usage?days={days}")
    call.screen.listing(answer, answer.body.get("CloudTenantUsages") or [], USAGE)


@command(app, "gateways")
def gateways(call: Call, name: Thing) -> None:
    """Show where a tenant comes in: host and port of each gateway that it may use."""
    answer = call.api.get(f"{find(call.api, KIND, name).path}/gateways")
    rows = answer.body.get("CloudTenantGateways") or []
    call.screen.listing(answer, rows, {"Address": at("Address")})


@command(app, "tunnels")
def tunnels(call: Call, name: Thing) -> None:
    """Show the live tunnels of a tenant, at all gateways."""
    answer = call.api.get(f"{find(call.api, KIND, name).path}/tunnels")
    call.screen.listing(answer, answer.body.get("CloudTenantTunnels") or [], TUNNELS)
    if unknown := answer.body.get("UnknownGateways"):
        call.screen.remark(f"{unknown} gateways did not say which tunnels they have.")


@command(app, "held-back")
def held_back(
    call: Call,
    name: Thing,
    days: Annotated[int, typer.Option(min=1, max=999, help="How far to look back.")] = 31,
) -> None:
    """Show when a tenant got less speed than it would have taken: by hours, then days."""
    answer = call.api.get(f"{find(call.api, KIND, name).path}/heldBack?days={days}")
    call.screen.listing(answer, answer.body.get("CloudHeldBackTimes") or [], HELD_BACK)


def _is_enabled(call: Call, name: str) -> bool:
    """As it is: what says that nothing else is to change."""
    return bool(call.api.get(find(call.api, KIND, name).entity).body.get("Enabled"))


def _lease_options(end: datetime | None, *, endless: bool) -> Json | None:
    if endless and end is not None:
        raise typer.BadParameter("Give --lease or --no-lease, not both.")
    if endless:
        return {"Enabled": False}
    return {"Enabled": True, "ExpirationDate": _written(end)} if end else None


def _written(time: datetime | None) -> str | None:
    return timestamps.time_text(time) if time else None


add_delete(app, KIND, "Remove a tenant; what it has stored stays.")
