"""Tenant pages: who are the customers, what do they have and use, and how do they connect?"""

import asyncio
from datetime import UTC, datetime

from cloudgate.console.api import Api, Json
from cloudgate.console.charts import DAYS, held_back, traffic
from cloudgate.console.connecting import ways
from cloudgate.console.declarations import (
    Page,
    Visit,
    filled,
    id_of,
)
from cloudgate.console.operator.common import (
    ENTITY,
    MOST_ASKED,
    first_gateways,
    listing,
    live_tunnels,
)
from cloudgate.console.texts import words as _

ONE = "/cloud/tenants/{id}"
_DAYS = 92


async def load_one(visit: Visit) -> Json:
    """A tenant, its users, its tunnels right now, what it used, and how it connects."""
    at = filled(ONE, visit.path)
    entity, users, certificates, (known, are_all) = await asyncio.gather(
        visit.api.get(at + ENTITY),
        visit.api.get(f"{at}/subtenants"),
        visit.api.get(f"{at}/certificates"),
        first_gateways(visit.api),
    )
    tunnels, all_asked = await _tunnels(visit.api, known, str(entity["Name"]))
    used = {} if visit.is_news else await _used(visit)
    return {
        "thing": entity,
        "quotas": list((entity.get("Resources") or {}).get("CloudTenantResources") or ()),
        "users": list(users.get("CloudSubtenants") or ()),
        "certificates": list(certificates.get("CloudTenantCertificates") or ()),
        "tunnels": tunnels,
        "all_asked": all_asked and are_all,
        **used,
    }


async def _used(visit: Visit) -> Json:
    """What it used by month and in the last day; and when it was held back."""
    at, now = filled(ONE, visit.path), datetime.now(UTC)
    found, held = await asyncio.gather(
        visit.api.get(f"{at}/usage?days={_DAYS}"), visit.api.get(f"{at}/heldBack?days={DAYS}")
    )
    used = list(found.get("CloudTenantUsages") or ())
    return {
        "months": months(used),
        "traffic": traffic(used, now),
        "held_back": held_back(list(held.get("CloudHeldBackTimes") or ()), now),
    }


async def _tunnels(api: Api, gateways: list[Json], name: str) -> tuple[list[Json], bool]:
    """The live tunnels of a tenant, and whether every gateway that may have any has told."""
    found = await live_tunnels(api, gateways)
    own = [
        {**tunnel, "Gateway": gateway["Name"], "GatewayId": id_of(gateway)}
        for gateway in gateways
        for tunnel in found.get(id_of(gateway)) or ()
        if tunnel.get("Tenant") == name
    ]
    return own, None not in found.values()


def months(used: list[Json]) -> list[Json]:
    """What was used, added up by month, the newest first."""
    sums: dict[str, Json] = {}
    for each in used:
        month = str(each.get("BeginTime") or "")[:7]
        total = sums.setdefault(month, {"Month": month, "Tunnels": 0, "BytesUp": 0, "BytesDown": 0})
        for name in ("Tunnels", "BytesUp", "BytesDown"):
            total[name] += int(each.get(name) or 0)
    return [sums[month] for month in sorted(sums, reverse=True)]


async def load_connecting(visit: Visit) -> Json:
    """How a tenant connects: its gateways, its storage, and lines for each program."""
    at = filled(ONE, visit.path)
    entity, (known, _are_all), repositories = await asyncio.gather(
        visit.api.get(at + ENTITY),
        first_gateways(visit.api),
        visit.api.get("/query?type=Repository&format=Entities&sortAsc=Name&pageSize=500"),
    )
    group = (repositories.get("Entities") or {}).get("Repositories") or {}
    endpoints = {
        str(each["UID"]): str(each["Endpoint"]) for each in group.get("Repositories") or ()
    }
    granted = [
        str((each.get("RepositoryQuota") or {}).get("RepositoryUid"))
        for each in (entity.get("Resources") or {}).get("CloudTenantResources") or ()
    ]
    doors = [
        f"{each.get('ExternalIP') or each['Name']}:{each['ExternalPort']}"
        for each in known
        if each.get("Enabled")
    ]
    return {
        "thing": entity,
        "doors": doors[:MOST_ASKED],
        "storage": [endpoints[uid] for uid in granted if uid in endpoints],
        "ways": ways(
            str(entity["Name"]),
            doors[0] if doors else "",
            [endpoints[uid] for uid in granted if uid in endpoints],
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
