"""Pool commands: what can be done with gateway pools?"""

from collections.abc import Callable
from typing import Annotated

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at, backup_server
from cloudgate.cli.resources.cloud import gateways, tenants
from cloudgate.cli.resources.common import (
    Deadline,
    Description,
    NewName,
    Site,
    Thing,
    add_delete,
    body_of,
    change_of,
    group,
    with_deadline,
)
from cloudgate.cli.resources.infrastructure.backup_servers import uid_of_site
from cloudgate.client.core import kinds
from cloudgate.client.core.kinds import Json, Kind


def _count_of(wrapper: str, array: str) -> Callable[[Json], str]:
    """A column: how many there are in a list."""

    def say(thing: Json) -> str:
        return str(len((thing.get(wrapper) or {}).get(array) or ()))

    return say


KIND = kinds.POOL
COLUMNS: Columns = {
    "Name": at("Name"),
    "CloudGateways": _count_of("CloudGateways", "CloudGatewayUids"),
    "CloudTenants": _count_of("CloudTenants", "CloudTenantUids"),
    "BackupServer": backup_server,
    "Description": at("Description"),
}
Gateways = Annotated[
    list[str] | None,
    typer.Option(
        "--gateway", metavar="NAME", help="A gateway in it; may be repeated.", show_default=False
    ),
]
Tenants = Annotated[
    list[str] | None,
    typer.Option(
        "--tenant",
        metavar="NAME",
        help="A tenant that may use it; may be repeated.",
        show_default=False,
    ),
]
app = group(KIND, COLUMNS, "Gateway pools: gateways set apart for certain tenants.")


@command(app, "create", waits=True)
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    gateway: Gateways = None,
    tenant: Tenants = None,
    description: Description = None,
    backup_server: Site = None,
    deadline: Deadline = None,
) -> None:
    """Set gateways apart."""
    if not gateway:
        raise typer.BadParameter("Give at least one --gateway.")
    body = body_of(
        Name=name,
        Description=description,
        CloudGateways=_list(call, gateways.KIND, gateway),
        CloudTenants=_list(call, tenants.KIND, tenant),
        BackupServerUid=uid_of_site(call, backup_server),
    )
    call.show_result(call.api.post(with_deadline(KIND.path, deadline), body))


@command(app, "edit", waits=True)
def edit(
    call: Call,
    name: Thing,
    new_name: NewName = None,
    gateway: Gateways = None,
    tenant: Tenants = None,
    no_tenants: Annotated[bool, typer.Option("--no-tenants", help="Take all tenants out.")] = False,
    description: Description = None,
    deadline: Deadline = None,
) -> None:
    """Change a pool; gateways or tenants that are given take the place of those before."""
    if no_tenants and tenant:
        raise typer.BadParameter("Give --tenant or --no-tenants, not both.")
    change = change_of(
        Name=new_name,
        Description=description,
        CloudGateways=_list(call, gateways.KIND, gateway),
        CloudTenants={} if no_tenants else _list(call, tenants.KIND, tenant),
    )
    found = find(call.api, KIND, name)
    path = with_deadline(found.path, deadline)
    call.show_result(call.api.put(path, change), found.entity)


add_delete(app, KIND, "Dissolve a pool; its gateways stay.")


def _list(call: Call, kind: Kind, names: list[str] | None) -> Json | None:
    """The list of things that options name, as the API wants it."""
    if names is None:
        return None
    return {f"{kind.type}Uids": [find(call.api, kind, name).uid for name in names]}
