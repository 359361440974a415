"""Maintenance, settings, about: is the provider at work, and what is installed, and how?"""

import asyncio

from cloudgate.console.api import Json
from cloudgate.console.declarations import (
    Action,
    Field,
    Input,
    Page,
    Visit,
    entities,
    paging,
    query,
)
from cloudgate.console.operator.common import body
from cloudgate.console.texts import words as _

AT = "/cloud/maintenance"
SETTINGS = "/settings"


async def load(visit: Visit) -> Json:
    """Whether there is maintenance."""
    return {"thing": await visit.api.get(AT)}


async def load_about(visit: Visit) -> Json:
    """Versions, and what is not well."""
    servers, warnings = await asyncio.gather(
        visit.api.get(query("ManagedServer", visit)), visit.api.get("/warnings")
    )
    return {
        "servers": entities(servers, "ManagedServers"),
        "paging": paging(servers),
        "warnings": list(warnings.get("OperatorWarnings") or ()),
    }


async def load_settings(visit: Visit) -> Json:
    """What the manager was started with: first what somebody has decided."""
    found = (await visit.api.get(SETTINGS)).get("ManagerSettings") or ()
    return {"rows": sorted(found, key=lambda each: each.get("Value") is None)}


PAGES = (
    Page(
        path="maintenance",
        title=_("Maintenance"),
        template="maintenance.html",
        load=load,
        command="maintenance show",
        request=AT,
    ),
    Page(
        path="settings",
        title=_("Settings"),
        template="settings.html",
        load=load_settings,
        command="settings",
        request=SETTINGS,
    ),
    Page(
        path="about",
        title=_("About"),
        template="about.html",
        load=load_about,
        command="server list",
        request="/query?type=ManagedServer&format=Entities",
    ),
)
ACTIONS = (
    Action(
        path="maintenance/begin",
        title=_("Begin maintenance"),
        submit=_("Begin"),
        text=_("Live tunnels go on. No backup begins, until maintenance has ended."),
        verb="PUT",
        target=AT,
        subject=AT,
        fields=(
            Field(
                name="message",
                label=_("What tenants hear"),
                value=lambda thing: thing.get("Message"),
            ),
            Field(name="restores", label=_("Let restores begin"), kind=Input.YES, value="yes"),
        ),
        body=lambda _visit, values: body(
            Enabled=True,
            Message=values.get("message"),
            RestoresAllowed=values.get("restores") == "yes",
        ),
        command="maintenance begin --message TEXT",
        back="maintenance",
        dangerous=True,
    ),
    Action(
        path="maintenance/end",
        title=_("End maintenance"),
        submit=_("End it"),
        text=_("Everything may begin again."),
        verb="PUT",
        target=AT,
        body=lambda _visit, _values: {"Enabled": False},
        command="maintenance end",
        back="maintenance",
    ),
)
