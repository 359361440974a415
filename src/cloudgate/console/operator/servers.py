"""Server pages: which machines have joined, and how does one more?"""

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Page, Visit, filled
from cloudgate.console.operator.common import DESCRIPTION, ENTITY, body, listing, removal
from cloudgate.console.texts import words as _

ONE = "/managedServers/{id}"


async def load_one(visit: Visit) -> Json:
    """A managed server."""
    return {"thing": await visit.api.get(filled(ONE, visit.path) + ENTITY)}


PAGES = (
    Page(
        path="servers",
        title=_("Servers"),
        template="servers.html",
        load=listing("ManagedServer", "ManagedServers"),
        live=True,
        command="server list",
        request="/query?type=ManagedServer&format=Entities",
    ),
    Page(
        path="servers/{id}",
        title=_("Server"),
        template="server.html",
        load=load_one,
        live=True,
        command="server show NAME",
        request=ONE,
    ),
)
ACTIONS = (
    Action(
        path="servers/create",
        title=_("New server"),
        submit=_("Let it join"),
        text=_("You get two commands to type on that machine. The token in them is good once."),
        verb="POST",
        target="/managedServers",
        fields=(
            Field(
                name="name",
                label=_("Its DNS name or IP address"),
                required=True,
                example="gw1.example",
            ),
            DESCRIPTION,
        ),
        body=lambda _visit, values: body(
            Name=values["name"], Description=values.get("description")
        ),
        command="server create NAME",
        back="servers",
        shown="join.html",
    ),
    Action(
        path="servers/{id}/token",
        title=_("New join token"),
        submit=_("Make a token"),
        text=_("A machine can join as this server, anew. What joined before loses its credential."),
        verb="POST",
        target=f"{ONE}?action=renewJoinToken",
        subject=ONE + ENTITY,
        command="server renew-token {Name}",
        back="servers/{id}",
        shown="join.html",
        dangerous=True,
    ),
    Action(
        path="servers/{id}/revoke",
        title=_("Revoke server"),
        submit=_("Revoke"),
        text=_("The manager listens to it no more. Its gateway lets nobody new in; tunnels go on."),
        verb="POST",
        target=f"{ONE}?action=revoke",
        subject=ONE + ENTITY,
        command="server revoke {Name}",
        back="servers/{id}",
        dangerous=True,
    ),
    Action(
        path="servers/{id}/readmit",
        title=_("Readmit server"),
        submit=_("Let it in"),
        text=_(
            "After a backup of the manager was put back: a machine that joined since is let in"
            " again, if it was refused in the last two minutes."
        ),
        verb="POST",
        target=f"{ONE}?action=readmit",
        subject=ONE + ENTITY,
        command="server readmit {Name}",
        back="servers/{id}",
        dangerous=True,
    ),
    removal(
        "servers/{id}/delete",
        _("Delete server"),
        _("It is refused while the server is a gateway."),
        ONE,
        "server delete {Name}",
        back="servers",
    ),
)
