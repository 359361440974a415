"""Pool pages: which pools are there, and how is one made, edited and removed?"""

import asyncio
from collections.abc import Callable

from cloudgate.console.api import Json
from cloudgate.console.declarations import (
    Action,
    Field,
    Input,
    Page,
    Values,
    Visit,
    filled,
    paged,
)
from cloudgate.console.operator.common import (
    DEADLINE,
    DESCRIPTION,
    ENTITY,
    body,
    choices,
    drain,
    listing,
    removal,
)
from cloudgate.console.texts import words as _

ONE = "/cloud/gatewayPools/{id}"


def _uids(name: str) -> Callable[[Json], list[str]]:
    return lambda pool: list((pool.get(f"{name}s") or {}).get(f"{name}Uids") or ())


async def load_one(visit: Visit) -> Json:
    """A pool, with its gateways and tenants by name."""
    pool, gateways, tenants = await asyncio.gather(
        visit.api.get(filled(ONE, visit.path) + ENTITY),
        visit.api.get(filled(f"{ONE}/gateways", visit.path)),
        visit.api.get(filled(f"{ONE}/tenants", visit.path)),
    )
    return {
        "thing": pool,
        "gateways": paged(visit, list(gateways.get("Refs") or ()), "gateways"),
        "tenants": paged(visit, list(tenants.get("Refs") or ()), "tenants"),
    }


_FIELDS = (
    Field(name="name", label=_("Name"), required=True, value=lambda pool: pool.get("Name")),
    Field(
        name="gateways",
        label=_("Gateways"),
        kind=Input.SEVERAL,
        choices=choices("CloudGateway"),
        value=_uids("CloudGateway"),
        required=True,
    ),
    Field(
        name="tenants",
        label=_("Tenants that may use them"),
        kind=Input.SEVERAL,
        choices=choices("CloudTenant"),
        value=_uids("CloudTenant"),
    ),
    DESCRIPTION,
    DEADLINE,
)


def _pool_body(visit: Visit, values: Values) -> Json:
    return body(
        Name=values["name"],
        Description=values.get("description", ""),
        CloudGateways={"CloudGatewayUids": visit.form.get("gateways") or []},
        CloudTenants={"CloudTenantUids": visit.form.get("tenants") or []},
    )


PAGES = (
    Page(
        path="pools",
        title=_("Pools"),
        template="pools.html",
        load=listing("CloudGatewayPool", "CloudGatewayPools"),
        command="pool list",
        request="/query?type=CloudGatewayPool&format=Entities",
    ),
    Page(
        path="pools/{id}",
        title=_("Pool"),
        template="pool.html",
        load=load_one,
        command="pool show NAME",
        request=ONE,
    ),
)
ACTIONS = (
    Action(
        path="pools/create",
        title=_("New pool"),
        submit=_("Set them apart"),
        text=_("Gateways of a pool let in its tenants, and nobody else."),
        verb="POST",
        target="/cloud/gatewayPools",
        fields=_FIELDS,
        body=_pool_body,
        query=drain,
        command="pool create NAME --gateway GATEWAY --tenant TENANT",
        back="pools",
    ),
    Action(
        path="pools/{id}/edit",
        title=_("Change pool"),
        submit=_("Change"),
        text=_("Live tunnels that have no place after it may go on until the time is over."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=_FIELDS,
        body=_pool_body,
        edits=True,
        query=drain,
        command="pool edit {Name} --gateway GATEWAY --tenant TENANT",
        back="pools/{id}",
    ),
    removal(
        "pools/{id}/delete",
        _("Dissolve pool"),
        _("Its gateways stay, and let everybody in."),
        ONE,
        "pool delete {Name}",
        back="pools",
        draining=True,
    ),
)
