"""Overview page: what needs a look, what goes on, and what is to be done first?"""

import asyncio
from collections import Counter

from cloudgate.console.api import Json
from cloudgate.console.declarations import Page, Visit
from cloudgate.console.operator.common import count_tunnels, resources, total
from cloudgate.console.texts import words as _

WHERE = {
    "CloudGateway": "gateways",
    "ManagedServer": "servers",
    "Repository": "repositories",
    "CloudTenant": "tenants",
    "CloudCertificate": "certificates",
}
"""The page of a thing that a warning is about, by the thing's type."""
_ONE = "pageSize=1&format=Entities&sortAsc=Name"


async def load(visit: Visit) -> Json:
    """All that it shows."""
    api = visit.api
    warnings, gateways, tenants, repositories, tasks, used = await asyncio.gather(
        api.get("/warnings"),
        api.get("/cloud/gateways?format=Entity"),
        api.get(f"/query?type=CloudTenant&{_ONE}"),
        api.get(f"/query?type=Repository&{_ONE}"),
        api.get("/query?type=Task&format=Entities&sortDesc=TaskId&pageSize=5"),
        api.found("/cloud/usage?days=1&total=true&sortDesc=BytesUp&pageSize=5"),
    )
    known = list(gateways.get("CloudGateways") or ())
    await count_tunnels(api, known)
    states = Counter(str(each.get("State")) for each in known)
    return {
        "warnings": list(warnings.get("OperatorWarnings") or ()),
        "where": WHERE,
        "gateways": len(known),
        "states": sorted(states.items()),
        "tunnels": sum(int(each.get("LiveTunnels") or 0) for each in known),
        "tenants": total(tenants, "CloudTenants"),
        "repositories": total(repositories, "Repositories"),
        "tasks": resources(tasks, "Tasks"),
        "used": list(((used or {}).get("CloudUsages") or {}).get("CloudUsages") or ()),
    }


PAGES = (
    Page(
        path="",
        title=_("Overview"),
        template="overview.html",
        load=load,
        live=True,
        section="overview",
        command="status",
        request="/warnings",
    ),
)
