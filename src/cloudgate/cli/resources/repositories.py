"""What can be done with repositories?"""

from typing import Annotated

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.finding import Kind, find
from cloudgate.cli.output import at, backup_server
from cloudgate.cli.resources.backup_servers import uid_of_site
from cloudgate.cli.resources.common import (
    Description,
    Site,
    Thing,
    add_delete,
    body_of,
    change_of,
    group,
)

KIND = Kind(
    word="repository",
    many="repositories",
    type="Repository",
    path="/repositories",
    array="Repositories",
    columns={
        "Name": at("Name"),
        "Kind": at("Kind"),
        "Endpoint": at("Endpoint"),
        "Address": at("Address"),
        "BackupServer": backup_server,
        "Description": at("Description"),
    },
)
Endpoint = typer.Option(metavar="HOST:PORT", help="As tenants name it.", show_default=False)
Address = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="What gateways connect to; the endpoint when left out.",
        show_default=False,
    ),
]
KindOption = Annotated[
    str | None, typer.Option(help="Its kind, such as LinuxLocal.", show_default=False)
]
app = group(KIND, "Repositories: the storage services that tenants reach.")


@command(app, "create")
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    endpoint: Annotated[str, Endpoint],
    address: Address = None,
    kind: KindOption = None,
    description: Description = None,
    backup_server: Site = None,
) -> None:
    """Add a repository."""
    body = body_of(
        Name=name,
        Description=description,
        Kind=kind,
        Endpoint=endpoint,
        Address=address,
        BackupServerUid=uid_of_site(call, backup_server),
    )
    call.screen.details(call.api.post(KIND.path, body))


@command(app, "edit")
def edit(
    call: Call,
    name: Thing,
    new_name: Annotated[
        str | None, typer.Option("--name", help="New name.", show_default=False)
    ] = None,
    endpoint: Annotated[str | None, Endpoint] = None,
    address: Address = None,
    kind: KindOption = None,
    description: Description = None,
) -> None:
    """Change a repository; running tunnels stay."""
    change = change_of(
        Name=new_name, Description=description, Kind=kind, Endpoint=endpoint, Address=address
    )
    found = find(call.api, KIND, name)
    call.api.put(found.path, change)
    call.show(found.entity)


add_delete(app, KIND, "Remove a repository; what is stored in it stays.")
