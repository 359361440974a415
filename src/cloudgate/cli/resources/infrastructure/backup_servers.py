"""Backup server commands: what can be done with backup servers?"""

from typing import Annotated

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at
from cloudgate.cli.resources.common import (
    Description,
    Site,
    Thing,
    add_delete,
    body_of,
    change_of,
    group,
)
from cloudgate.client.core import kinds
from cloudgate.client.core.addresses import ENTITY, below_root

KIND = kinds.BACKUP_SERVER
COLUMNS: Columns = {
    "Name": at("Name"),
    "Port": at("Port"),
    "Version": at("Version"),
    "Description": at("Description"),
}
Port = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=65535,
        metavar="PORT",
        help="Its service port; 9392 for a new one.",
        show_default=False,
    ),
]
app = group(KIND, COLUMNS, "Backup servers: the sites that everything else belongs to.")


def uid_of_site(call: Call, site: Site) -> str | None:
    """The UID of the backup server that an option names, if it does."""
    return None if site is None else find(call.api, KIND, site).uid


@command(app, "create")
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its DNS name or IP address.")],
    port: Port = None,
    description: Description = None,
) -> None:
    """Connect a backup server."""
    body = body_of(DnsNameOrIpAddress=name, Port=port, Description=description)
    answer = call.api.post("/backupServers?action=create", body)
    call.show(below_root(answer.location) + ENTITY)


@command(app, "edit")
def edit(
    call: Call,
    name: Thing,
    new_name: Annotated[
        str | None,
        typer.Option("--name", help="New DNS name or IP address.", show_default=False),
    ] = None,
    port: Port = None,
    description: Description = None,
) -> None:
    """Change a backup server."""
    change = change_of(DnsNameOrIpAddress=new_name, Port=port, Description=description)
    found = find(call.api, KIND, name)
    if new_name is None:
        change["DnsNameOrIpAddress"] = call.api.get(found.entity).body["Name"]
    call.api.put(found.path, change)
    call.show(found.entity)


@command(app, "collect", waits=True)
def collect(call: Call, name: Thing) -> None:
    """Collect data from a backup server."""
    found = find(call.api, KIND, name)
    call.show_task(call.api.post(f"{found.path}?action=collect"))


add_delete(app, KIND, "Disconnect a backup server.")
