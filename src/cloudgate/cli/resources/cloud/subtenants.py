"""Subtenant commands: what can be done with the users of a tenant?"""

from typing import Annotated

import typer

from cloudgate.cli import groups, readable
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at, on_one_line
from cloudgate.cli.passwords import NewPasswordOptions
from cloudgate.cli.resources.cloud import tenants
from cloudgate.cli.resources.cloud.tenant_options import (
    AllowedNetworks,
    AnyNetwork,
    Enabled,
    EndTunnels,
    ending,
)
from cloudgate.cli.resources.cloud.tenant_resources import Tenant, id_of_resource
from cloudgate.cli.resources.common import Description, body_of, change_of, networks_of
from cloudgate.client.core import kinds
from cloudgate.client.core.kinds import Json
from cloudgate.client.core.lookup import find_inside
from cloudgate.values.units import MB_PER_GB


def _shown_megabytes(user: Json) -> str:
    """A number under its unit's name, or that there is no limit."""
    quota = user.get("RepositoryQuota") or {}
    return readable.NO_LIMIT if quota.get("Unlimited") else on_one_line(quota.get("QuotaMb"))


COLUMNS: Columns = {
    "Name": at("Name"),
    "Enabled": at("Enabled"),
    "DisplayName": at("RepositoryQuota", "DisplayName"),
    "QuotaMb": _shown_megabytes,
    "Description": at("Description"),
    "Id": at("Id"),
}
User = Annotated[str, typer.Argument(metavar="USER", help="Name or id of the subtenant.")]
QuotaGb = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Its part of the quota, in GB; all of it when left out."),
]
app = groups.group(name="user", help="Users of a tenant: subtenants.")


@command(app, "list")
def show_all(call: Call, tenant: Tenant) -> None:
    """List the users of a tenant."""
    answer = call.api.get(_collection(call, tenant))
    call.screen.listing(answer, answer.body.get("CloudSubtenants") or [], COLUMNS)


@command(app, "show")
def show(call: Call, tenant: Tenant, user: User) -> None:
    """Show a user of a tenant."""
    call.show(path_of(call, tenant, user))


@command(app, "create", waits=True)
def create(
    call: Call,
    tenant: Tenant,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the user logs in with.")],
    *,
    resource: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The tenant's quota; may be left out while there is one."
        ),
    ] = None,
    quota_gb: QuotaGb = None,
    new: NewPasswordOptions,
    description: Description = None,
    network: AllowedNetworks = None,
) -> None:
    """Add a user to a tenant; asks for the password unless an option gives it."""
    password = new.password_or_asked(name)
    body = body_of(
        Name=name,
        Description=description,
        Password=password.text,
        Enabled=True,
        TenantResourceId=id_of_resource(call, tenant, resource),
        QuotaMb=_megabytes(quota_gb),
        UnlimitedQuota=quota_gb is None,
        AllowedNetworks=networks_of(network),
    )
    accepted = call.api.post(_collection(call, tenant), body)
    password.show_generated(name)
    call.show_task(accepted)


@command(app, "edit", waits=True)
def edit(
    call: Call,
    tenant: Tenant,
    user: User,
    *,
    enabled: Enabled = None,
    quota_gb: QuotaGb = None,
    new: NewPasswordOptions,
    description: Description = None,
    network: AllowedNetworks = None,
    any_network: AnyNetwork = False,
    end_tunnels: EndTunnels = False,
) -> None:
    """Change a user of a tenant."""
    password = new.password()
    quota = {"QuotaMb": _megabytes(quota_gb), "Unlimited": False} if quota_gb else None
    path = path_of(call, tenant, user)
    if enabled is None and end_tunnels:
        enabled = bool(call.api.get(path).body.get("Enabled"))  # that nothing else is to change
    change = change_of(
        Description=description,
        Password=password.text if password else None,
        Enabled=enabled,
        RepositoryQuota=quota,
        AllowedNetworks=networks_of(network, none=any_network),
    )
    accepted = call.api.put(ending(path, change, end_tunnels=end_tunnels), change)
    if password:
        password.show_generated(user)
    call.show_result(accepted, path)


@command(app, "delete", waits=True)
def delete(call: Call, tenant: Tenant, user: User) -> None:
    """Remove a user of a tenant; what it has stored stays."""
    call.show_task(call.api.delete(path_of(call, tenant, user)))


def _megabytes(gigabytes: int | None) -> int | None:
    return None if gigabytes is None else gigabytes * MB_PER_GB


def _collection(call: Call, tenant: str) -> str:
    return f"{find(call.api, tenants.KIND, tenant).path}/subtenants"


def path_of(call: Call, tenant: str, word: str) -> str:
    """Where a user of a tenant is, by name or id."""
    steps = find_inside(call.api.talk, kinds.SUBTENANT, _collection(call, tenant), word)
    return call.api.run(steps).path
