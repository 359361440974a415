"""Tenant resource commands: what can be done with the quotas of one tenant?"""

from typing import Annotated

import typer

from cloudgate.cli import groups
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.resources.cloud import quotas, tenants
from cloudgate.client.core import kinds
from cloudgate.client.core.kinds import Json
from cloudgate.client.core.lookup import find_inside, site_of
from cloudgate.errors import NotFoundError
from cloudgate.values.enumeration import few

Tenant = Annotated[str, typer.Argument(metavar="TENANT", help="Name or id of the tenant.")]
app = groups.group(name="resource", help="Quotas of a tenant on repositories.")


@command(app, "list")
def show_all(call: Call, tenant: Tenant) -> None:
    """List the quotas of a tenant."""
    answer = call.api.get(_collection(call, tenant))
    call.screen.listing(answer, answer.body.get("CloudTenantResources") or [], quotas.COLUMNS)


@command(app, "add", waits=True)
def add(
    call: Call,
    tenant: Tenant,
    repository: Annotated[
        str, typer.Argument(metavar="REPOSITORY", help="Name or id of the repository.")
    ],
    quota_gb: Annotated[int, quotas.QuotaGb] = quotas.DEFAULT_GB,
    name: Annotated[
        str, typer.Option(help="What to call it; as the repository when left out.")
    ] = "",
) -> None:
    """Give a tenant a quota on one more repository."""
    found = find(call.api, tenants.KIND, tenant)
    site = site_of(call.api.get(found.entity).body)
    spec = quotas.spec(call, repository, quota_gb, site, name)
    call.show_result(call.api.post(f"{found.path}/resources", spec))


@command(app, "delete", waits=True)
def delete(
    call: Call,
    tenant: Tenant,
    resource: Annotated[str, typer.Argument(metavar="RESOURCE", help="Name or id of the quota.")],
    end_tunnels: Annotated[
        bool,
        typer.Option("--end-tunnels", help="End the tenant's tunnels to that repository, too."),
    ] = False,
) -> None:
    """Take a quota away; what is stored stays, and live tunnels go on unless told otherwise."""
    collection = _collection(call, tenant)
    identifier = _id_of(call, collection, resource)
    ending = "?endTunnels=true" if end_tunnels else ""
    call.show_task(call.api.delete(f"{collection}/{identifier}{ending}"))


def id_of_resource(call: Call, tenant: str, word: str | None) -> str:
    """The id of the quota that an option names; of the only one when it names none.

    Raises:
        NotFoundError: there is none, or which one is meant cannot be known.
    """
    collection = _collection(call, tenant)
    if word is not None:
        return _id_of(call, collection, word)
    known: list[Json] = call.api.get(collection).body.get("CloudTenantResources") or []
    if len(known) == 1:
        return str(known[0]["Id"])
    names = few(quotas.COLUMNS["DisplayName"](resource) for resource in known) or "none"
    raise NotFoundError(f"Give --resource; the tenant has: {names}.")


def _collection(call: Call, tenant: str) -> str:
    return f"{find(call.api, tenants.KIND, tenant).path}/resources"


def _id_of(call: Call, collection: str, word: str) -> str:
    """The id of the quota that is meant."""
    return call.api.run(find_inside(call.api.talk, kinds.QUOTA, collection, word)).uid
