"""Own pages: what does a tenant have, who came by its name, and who are its users?"""

import asyncio

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Input, Page, Visit, paged
from cloudgate.console.figures.charts import DAYS, held_back
from cloudgate.console.operator.customers.connection_guides import connection_guides
from cloudgate.console.texts import words as _

SELF = "/cloud/self"
USER = f"{SELF}/subtenants/{{user}}"


def _quotas(entity: Json) -> list[Json]:
    return list((entity.get("Quotas") or {}).get("CloudSelfQuotas") or ())


def _gateways(entity: Json) -> list[str]:
    return list((entity.get("Gateways") or {}).get("Gateways") or ())


async def load_overview(visit: Visit) -> Json:
    """What it has and uses, and its tunnels right now."""
    entity, tunnels = await asyncio.gather(
        visit.api.get(SELF), visit.api.get_if_there(f"{SELF}/tunnels")
    )
    said = tunnels or {}
    is_user = entity.get("Subtenant") is not None
    held = {} if visit.is_news or is_user else await _held_back(visit)
    return {
        "own": entity,
        "quotas": _quotas(entity),
        "tunnels": paged(visit, list(said.get("CloudGatewayTunnels") or ()), "tunnels"),
        "unknown": None if tunnels is None else int(said.get("UnknownGateways") or 0),
        **held,
    }


async def _held_back(visit: Visit) -> Json:
    """When it got less speed than it would have taken."""
    found = await visit.api.get(f"{SELF}/heldBack?days={DAYS}")
    times = list(found.get("CloudHeldBackTimes") or ())
    return {"held_back": held_back(times, visit.now)}


async def load_logins(visit: Visit) -> Json:
    """Who came lately by its name."""
    found = await visit.api.get(f"{SELF}/logins")
    return {"rows": list(found.get("CloudSelfLogins") or ())}


async def load_users(visit: Visit) -> Json:
    """Its users, and whether it may change their passwords."""
    entity, found = await asyncio.gather(visit.api.get(SELF), visit.api.get(f"{SELF}/subtenants"))
    return {"own": entity, "users": paged(visit, list(found.get("CloudSubtenants") or ()), "page")}


async def load_connecting(visit: Visit) -> Json:
    """How it connects: its gateways, its storage, and lines for each program."""
    entity = await visit.api.get(SELF)
    gateways = _gateways(entity)
    storage = [str(each["Endpoint"]) for each in _quotas(entity) if each.get("Endpoint")]
    return {
        "thing": entity,
        "gateways": gateways,
        "storage": storage,
        "guides": connection_guides(str(entity["Name"]), gateways[0] if gateways else "", storage),
    }


async def load_authority(visit: Visit) -> Json:
    """The authority of the gateways' certificates, as a file."""
    found = await visit.api.ask("GET", f"{SELF}/authority")
    return {"download": found.text, "media_type": "application/x-pem-file", "file": "ca.pem"}


PAGES = (
    Page(
        path="",
        title=_("Overview"),
        template="own_overview.html",
        load=load_overview,
        live=True,
        request=SELF,
    ),
    Page(
        path="logins",
        title=_("Who came"),
        template="own_logins.html",
        load=load_logins,
        live=True,
        request=f"{SELF}/logins",
    ),
    Page(
        path="users",
        title=_("Users"),
        template="own_users.html",
        load=load_users,
        request=f"{SELF}/subtenants",
    ),
    Page(
        path="connect",
        title=_("How to connect"),
        template="own_connect.html",
        load=load_connecting,
        request=SELF,
    ),
    Page(path="ca.pem", title=_("Authority"), template="own_connect.html", load=load_authority),
)
ACTIONS = (
    Action(
        path="users/{user}/password",
        title=_("New password"),
        submit=_("Change it"),
        text=_("It is good at once; the old one stays good beside it for a day."),
        verb="PUT",
        target=f"{USER}/password",
        subject=USER,
        fields=(
            Field(
                name="password",
                label=_("Password"),
                kind=Input.PASSWORD,
                hint=_("12 characters or more. Left empty, one is made and shown once."),
            ),
        ),
        body=lambda _visit, values: {"Password": values["password"]},
        makes_password=True,
        rotates=True,
        command="",
        back="users",
        by_task=False,
    ),
)
