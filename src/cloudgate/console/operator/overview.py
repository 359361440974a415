"""Overview page: what needs a look, what goes on, and what is to be done first?"""

import asyncio

from cloudgate.console.api import Api, Json
from cloudgate.console.declarations import Page, Visit, paged
from cloudgate.console.figures.charts import traffic
from cloudgate.console.figures.usage_months import used_rows
from cloudgate.console.operator.common import MOST_COUNTED, count_tunnels, resources
from cloudgate.console.texts import words as _

WHERE = {
    "CloudGateway": "gateways",
    "ManagedServer": "servers",
    "Repository": "repositories",
    "CloudTenant": "tenants",
    "CloudCertificate": "certificates",
}
"""The page of a thing that a warning is about, by the thing's type."""
_WARNINGS = 20
"""On a page."""
_WAITED_SECONDS = 1.0
"""For what is added up of the usage of many tenants."""


async def load(visit: Visit) -> Json:
    """All that it shows."""
    api = visit.api
    warnings, summary, tasks, day = await asyncio.gather(
        api.get("/warnings"),
        api.get("/cloud/summary"),
        api.get("/query?type=Task&format=Entities&sortDesc=TaskId&pageSize=5"),
        _last_day(visit),
    )
    gateways = int(summary.get("Gateways") or 0)
    return {
        "warnings": paged(
            visit, list(warnings.get("OperatorWarnings") or ()), "warnings", _WARNINGS
        ),
        "where": WHERE,
        "gateways": gateways,
        "states": [(each["State"], each["Count"]) for each in summary["CloudGatewayStates"]],
        "tunnels": await _tunnels(api) if 0 < gateways <= MOST_COUNTED else summary["LiveTunnels"],
        "tenants": summary["Tenants"],
        "repositories": summary["Repositories"],
        "tasks": resources(tasks, "Tasks"),
        **day,
    }


async def _tunnels(api: Api) -> int:
    """How many there are now, of a few gateways: they are asked, where that is soon known."""
    known = list((await api.get("/cloud/gateways?format=Entity")).get("CloudGateways") or ())
    await count_tunnels(api, known)
    return sum(int(each.get("LiveTunnels") or 0) for each in known)


async def _last_day(visit: Visit) -> Json:
    """What went through, and for whom most; that is added up once, and not for what is new."""
    if visit.is_news:
        return {}
    used, hours = await asyncio.gather(
        visit.api.get_if_there(
            "/cloud/usage?days=1&total=true&sortDesc=BytesUp&pageSize=5", _WAITED_SECONDS
        ),
        visit.api.get_if_there("/cloud/usage?days=1&by=hour", _WAITED_SECONDS),
    )
    return {
        "used": used_rows(used or {}),
        "too_much": used is None or hours is None,
        "traffic": traffic(used_rows(hours), visit.now) if hours else None,
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
        besides="/cloud/summary",
    ),
)
