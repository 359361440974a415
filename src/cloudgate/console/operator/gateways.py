"""Gateway pages: which gateways are there, what goes through one, and how is it changed?"""

import asyncio

from cloudgate.console.api import Json, RefusedError
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
    count_tunnels,
    drain,
    lines,
    listing,
    number,
    removal,
)
from cloudgate.console.texts import words as _

ONE = "/cloud/gateways/{id}"
_NOT_FOUND = 404
_listed = listing("CloudGateway", "CloudGateways")
_PORT = Field(
    name="port",
    label=_("Port that tenants connect to"),
    kind=Input.NUMBER,
    value=lambda gateway: gateway.get("ExternalPort") or 6180,
)
_ADDRESS = Field(
    name="address",
    label=_("Address that tenants connect to"),
    hint=_("Needed with NAT; the server's own when left out."),
    value=lambda gateway: gateway.get("ExternalIP"),
)
_MODE = Field(
    name="mode",
    label=_("How tenants reach it"),
    kind=Input.CHOICE,
    choices=(("Direct", _("directly")), ("NAT", _("through NAT"))),
    value=lambda gateway: gateway.get("NetworkMode") or "Direct",
)
_INTERNAL = Field(
    name="internal",
    label=_("Port behind NAT"),
    kind=Input.NUMBER,
    hint=_("Only with NAT."),
    value=lambda gateway: gateway.get("InternalPort"),
)


async def load(visit: Visit) -> Json:
    """A page of the gateways."""
    shown = await _listed(visit)
    await count_tunnels(visit.api, shown["rows"])
    return shown


async def load_one(visit: Visit) -> Json:
    """A gateway, with the tunnels that it carries right now."""
    entity, tunnels = await asyncio.gather(
        visit.api.get(filled(ONE, visit.path) + ENTITY),
        visit.api.get_if_there(filled(f"{ONE}/tunnels", visit.path)),
    )
    known = None if tunnels is None else list(tunnels.get("CloudGatewayTunnels") or ())
    shown = None if known is None else paged(visit, known, "tunnels")
    return {"thing": entity, "tunnels": shown, "gateway": visit.path["id"]}


def _created(_visit: Visit, values: Values) -> Json:
    return body(
        ServerHostName=values.get("server"),
        Description=values.get("description"),
        ExternalIp=values.get("address"),
        ExternalPort=number(values, "port", _("Port")),
        NetworkType=values.get("mode"),
        InternalPort=number(values, "internal", _("Port behind NAT")),
    )


def _edited(_visit: Visit, values: Values) -> Json:
    return body(
        Description=values.get("description", ""),
        ExternalIP=values.get("address"),
        ExternalPort=number(values, "port", _("Port")),
        NetworkMode=values.get("mode"),
        InternalPort=number(values, "internal", _("Port behind NAT")),
        ProxyProtocolNetworks={"Networks": lines(values.get("proxies", ""))},
    )


def _tunnel(visit: Visit, found: Json) -> Json:
    """A tunnel by whose it is, from where, and where to.

    Raises:
        RefusedError: it has ended.
    """
    wanted = visit.path["tunnel"]
    for each in found.get("CloudGatewayTunnels") or ():
        if each["TunnelId"] == wanted:
            login = "\\".join(name for name in (each["Tenant"], each["Subtenant"]) if name)
            return {
                **each,
                "Name": f"{login}, {each['Client']} \N{RIGHTWARDS ARROW} {each['Target']}",
            }
    raise RefusedError(_NOT_FOUND, _("This tunnel has ended."))


PAGES = (
    Page(
        path="gateways",
        title=_("Gateways"),
        template="gateways.html",
        load=load,
        live=True,
        command="gateway list",
        request="/query?type=CloudGateway&format=Entities",
    ),
    Page(
        path="gateways/{id}",
        title=_("Gateway"),
        template="gateway.html",
        load=load_one,
        live=True,
        command="gateway tunnels NAME",
        request=f"{ONE}/tunnels",
    ),
)
ACTIONS = (
    Action(
        path="gateways/create",
        title=_("New gateway"),
        submit=_("Make it a gateway"),
        text=_("A managed server becomes a gateway: it listens on one port, and lets tenants in."),
        verb="POST",
        target="/cloud/gateways",
        fields=(
            Field(
                name="server",
                label=_("Managed server"),
                kind=Input.CHOICE,
                choices=choices("ManagedServer", by="Name"),
                required=True,
            ),
            _PORT,
            _MODE,
            _ADDRESS,
            _INTERNAL,
            DESCRIPTION,
        ),
        body=_created,
        command="gateway create SERVER --port 6180",
        back="gateways",
    ),
    Action(
        path="gateways/{id}/edit",
        title=_("Change gateway"),
        submit=_("Change"),
        text=_("Live tunnels go on. If it cannot be done, the settings of now stay in force."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=(
            _PORT,
            _MODE,
            _ADDRESS,
            _INTERNAL,
            Field(
                name="proxies",
                label=_("Load balancers that speak PROXY protocol"),
                hint=_("Networks such as 10.0.0.0/24, one a line."),
                kind=Input.LONG,
                value=lambda gateway: "\n".join(
                    (gateway.get("ProxyProtocolNetworks") or {}).get("Networks") or ()
                ),
            ),
            DESCRIPTION,
            DEADLINE,
        ),
        body=_edited,
        edits=True,
        query=drain,
        command="gateway edit {Name} --port 6180",
        back="gateways/{id}",
    ),
    Action(
        path="gateways/{id}/drain",
        title=_("Drain gateway"),
        submit=_("Drain"),
        text=_("It lets nobody new in. Live tunnels may go on until the time is over."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=(DEADLINE,),
        body=lambda _visit, _values: {"Enabled": False},
        query=drain,
        command="gateway drain {Name} --deadline 8h",
        back="gateways/{id}",
        dangerous=True,
    ),
    Action(
        path="gateways/{id}/enable",
        title=_("Enable gateway"),
        submit=_("Enable"),
        text=_("It lets tenants in again."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        body=lambda _visit, _values: {"Enabled": True},
        command="gateway edit {Name} --enable",
        back="gateways/{id}",
    ),
    removal(
        "gateways/{id}/delete",
        _("Delete gateway"),
        _("The role is taken away; the machine stays a managed server. It lets nobody new in."),
        ONE,
        "gateway delete {Name}",
        back="gateways",
        draining=True,
    ),
    Action(
        path="gateways/{id}/tunnels/{tunnel}/close",
        title=_("Close tunnel"),
        submit=_("Close the tunnel"),
        text=_("What runs through it breaks off. Its tenant may open another at once."),
        verb="DELETE",
        target=f"{ONE}/tunnels/{{tunnel}}",
        subject=f"{ONE}/tunnels",
        pick=_tunnel,
        command="gateway close-tunnel GATEWAY TUNNEL",
        back="gateways/{id}",
        dangerous=True,
    ),
)
