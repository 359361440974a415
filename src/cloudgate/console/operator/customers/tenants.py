"""Tenant pages: who are the customers, what do they have and use, and how do they connect?"""

import asyncio
from urllib.parse import urlencode

from cloudgate.console.api import Json
from cloudgate.console.declarations import Page, Visit, entities, filled, id_of, paged
from cloudgate.console.figures.charts import DAYS, held_back, traffic
from cloudgate.console.figures.usage_months import used_rows
from cloudgate.console.operator.common import ENTITY, OFFERED, by_uids, listing
from cloudgate.console.operator.customers.connection_guides import connection_guides
from cloudgate.console.texts import words as _
from cloudgate.values.months import begin_of, days_back, last_months

ONE = "/cloud/tenants/{id}"
_MONTHS = 4
"""This one, and those before."""


async def load_one(visit: Visit) -> Json:
    """A tenant, its users, its tunnels right now, what it used, and how it connects."""
    at = filled(ONE, visit.path)
    entity, users, certificates, live, used = await asyncio.gather(
        visit.api.get(at + ENTITY),
        visit.api.get(f"{at}/subtenants"),
        visit.api.get(f"{at}/certificates"),
        visit.api.get_if_there(f"{at}/tunnels"),
        _used(visit),
    )
    said = live or {}
    tunnels = [
        {**each, "Gateway": each["CloudGateway"], "GatewayId": _bare(each["CloudGatewayUid"])}
        for each in said.get("CloudTenantTunnels") or ()
    ]
    return {
        "thing": entity,
        "quotas": list((entity.get("Resources") or {}).get("CloudTenantResources") or ()),
        "users": paged(visit, list(users.get("CloudSubtenants") or ()), "users"),
        "certificates": paged(
            visit, list(certificates.get("CloudTenantCertificates") or ()), "certificates"
        ),
        "tunnels": paged(visit, tunnels, "tunnels"),
        "unknown": None if live is None else int(said.get("UnknownGateways") or 0),
        **used,
    }


def _bare(uid: str) -> str:
    return id_of({"UID": uid})


async def _used(visit: Visit) -> Json:
    """What it used by month and in the last day, and when it was held back; not what is new."""
    if visit.is_news:
        return {}
    now, own = visit.now, f"CloudTenantUid=={visit.path['id']}"
    first = begin_of(last_months(now, _MONTHS)[-1])
    of_months = {
        "days": days_back(first, now),
        "by": "month",
        "filter": f"{own};BeginTime>={first:%Y-%m-%dT%H:%M:%SZ}",
    }
    hours, months, held = await asyncio.gather(
        visit.api.get(f"/cloud/usage?{urlencode({'days': 1, 'by': 'hour', 'filter': own})}"),
        visit.api.get(f"/cloud/usage?{urlencode(of_months)}"),
        visit.api.get(f"{filled(ONE, visit.path)}/heldBack?days={DAYS}"),
    )
    return {
        "months": used_rows(months)[::-1],
        "traffic": traffic(used_rows(hours), now),
        "held_back": held_back(list(held.get("CloudHeldBackTimes") or ()), now),
    }


async def load_connecting(visit: Visit) -> Json:
    """How a tenant connects: its gateways, its storage, and lines for each program."""
    at = filled(ONE, visit.path)
    entity, gateways = await asyncio.gather(
        visit.api.get(at + ENTITY), visit.api.get(f"{at}/gateways")
    )
    addresses = [str(each["Address"]) for each in gateways.get("CloudTenantGateways") or ()]
    granted = [
        str((each.get("RepositoryQuota") or {}).get("RepositoryUid"))
        for each in (entity.get("Resources") or {}).get("CloudTenantResources") or ()
    ]
    endpoints: dict[str, str] = {}
    for chosen in by_uids(granted):
        of_type = f"/query?type=Repository&format=Entities&pageSize={OFFERED}"
        found = await visit.api.get(f"{of_type}&{chosen}")
        endpoints |= {each["UID"]: each["Endpoint"] for each in entities(found, "Repositories")}
    storage = [endpoints[uid] for uid in granted if uid in endpoints]
    return {
        "thing": entity,
        "gateways": addresses,
        "storage": storage,
        "guides": connection_guides(
            str(entity["Name"]), addresses[0] if addresses else "", storage
        ),
    }


PAGES = (
    Page(
        path="tenants",
        title=_("Tenants"),
        template="tenants.html",
        load=listing("CloudTenant", "CloudTenants"),
        command="tenant list",
        request="/query?type=CloudTenant&format=Entities&pageSize=50",
    ),
    Page(
        path="tenants/{id}",
        title=_("Tenant"),
        template="tenant.html",
        load=load_one,
        live=True,
        command="tenant show NAME",
        request=ONE,
    ),
    Page(
        path="tenants/{id}/connect",
        title=_("How to connect"),
        template="connect.html",
        load=load_connecting,
        command="connect GATEWAY --tenant NAME --password-file FILE -L LOCAL:TARGET",
        request=ONE,
    ),
)
