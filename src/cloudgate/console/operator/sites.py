"""Site pages: which backup servers does all else belong to, and how is one connected?"""

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Field, Input, Page, Values, Visit
from cloudgate.console.operator.common import (
    DESCRIPTION,
    ENTITY,
    body,
    listing,
    number,
    removal,
)
from cloudgate.console.texts import words as _

ONE = "/backupServers/{id}"
_PORT = _("Port")
_USUAL_PORT = 9392


def _spec(_visit: Visit, values: Values) -> Json:
    port = number(values, "port", _PORT)
    return body(
        DnsNameOrIpAddress=values["name"],
        Port=_USUAL_PORT if port is None else port,
        Description=values.get("description", ""),
    )


_FIELDS = (
    Field(
        name="name",
        label=_("Its DNS name or IP address"),
        required=True,
        example="backup.example.com",
        value=lambda site: site.get("Name"),
    ),
    Field(
        name="port",
        label=_PORT,
        kind=Input.NUMBER,
        hint=_("9392 when left empty."),
        value=lambda site: site.get("Port"),
    ),
    DESCRIPTION,
)
PAGES = (
    Page(
        path="sites",
        title=_("Backup servers"),
        template="sites.html",
        load=listing("BackupServer", "BackupServers"),
        live=True,
        command="backup-server list",
        request="/query?type=BackupServer&format=Entities",
    ),
)
ACTIONS = (
    Action(
        path="sites/create",
        title=_("New backup server"),
        submit=_("Connect it"),
        text=_("A site of yours: servers, repositories, gateways and tenants belong to it."),
        verb="POST",
        target="/backupServers?action=create",
        fields=_FIELDS,
        body=_spec,
        command="backup-server create NAME --port 9392",
        back="sites",
    ),
    Action(
        path="sites/{id}/edit",
        title=_("Change backup server"),
        submit=_("Change"),
        text=_("Tenants reach it by the new name from then on; live tunnels go on."),
        verb="PUT",
        target=ONE,
        subject=ONE + ENTITY,
        fields=_FIELDS,
        body=_spec,
        edits=True,
        command="backup-server edit {Name} --port 9392",
        back="sites",
    ),
    Action(
        path="sites/{id}/collect",
        title=_("Collect data"),
        submit=_("Collect"),
        text=_("What is known of it is read anew."),
        verb="POST",
        target=f"{ONE}?action=collect",
        subject=ONE + ENTITY,
        command="backup-server collect {Name}",
        back="sites",
    ),
    removal(
        "sites/{id}/delete",
        _("Disconnect backup server"),
        _("It is refused while anything belongs to it."),
        ONE,
        "backup-server delete {Name}",
        back="sites",
        submit=_("Disconnect"),
    ),
)
