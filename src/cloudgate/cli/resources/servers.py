"""What can be done with managed servers? They join by themselves: `cloudgate host join`."""

from typing import Annotated

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.finding import Kind
from cloudgate.cli.output import at, backup_server
from cloudgate.cli.resources.backup_servers import uid_of_site
from cloudgate.cli.resources.common import Description, Site, add_delete, body_of, group

KIND = Kind(
    word="server",
    many="managed servers",
    type="ManagedServer",
    path="/managedServers",
    array="ManagedServers",
    columns={
        "Name": at("Name"),
        "ManagedServerType": at("ManagedServerType"),
        "BackupServer": backup_server,
        "Description": at("Description"),
    },
)
app = group(KIND, "Managed servers: the machines that can be gateways.")


@command(app, "create")
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its DNS name or IP address.")],
    description: Description = None,
    backup_server: Site = None,
) -> None:
    """Add a machine that is to join, and show the token that it joins with, once."""
    body = body_of(
        Name=name, Description=description, BackupServerUid=uid_of_site(call, backup_server)
    )
    call.screen.details(call.api.post(KIND.path, body))


add_delete(app, KIND, "Remove a managed server that has no role.")
