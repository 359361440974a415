"""Status: how is everything, on one screen? With what needs a look."""

import typer

from cloudgate.cli.client import Json
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import ENTITY
from cloudgate.cli.output import at, backup_server, said
from cloudgate.cli.resources import tasks
from cloudgate.cli.resources.cloud import gateways
from cloudgate.cli.resources.infrastructure import servers

_WARNINGS = "/warnings"
_SERVERS = {
    "Server": at("Name"),
    "State": at("State"),
    "OnlineSince": at("OnlineSince"),
    "LastSeen": at("LastSeen"),
    "Version": at("Version"),
    "BackupServer": backup_server,
}
_GATEWAYS = {
    "Gateway": at("Name"),
    "State": at("State"),
    "Tunnels": at("LiveTunnels"),
    "Address": lambda thing: f"{said(thing.get('ExternalIP'))}:{said(thing.get('ExternalPort'))}",
    "Mode": at("NetworkMode"),
    "Pool": lambda thing: said(_pool(thing)),
}
_TASKS = {"Task": at("TaskId"), "Operation": at("Operation"), "State": at("State")}


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "status")(status)


def status(call: Call) -> None:
    """Show servers, gateways, running tasks, and what needs a look."""
    found = {
        kind.array: call.api.get(kind.path + ENTITY).body.get(kind.array) or []
        for kind in (servers.KIND, gateways.KIND)
    }
    listed = call.api.get(tasks.KIND.path).body.get(tasks.KIND.array) or []
    running = [task for task in listed if task.get("State") != "Finished"]
    said_of = call.api.get(_WARNINGS).body.get("OperatorWarnings") or []
    warnings = [{**each, "Warning": each.get("Message")} for each in said_of]
    call.screen.sections(
        {
            "ManagedServers": (found["ManagedServers"], _SERVERS),
            "CloudGateways": (found["CloudGateways"], _GATEWAYS),
            "Tasks": (running, _TASKS),
            "Warnings": (warnings, {"Needs a look": at("Name"), "Because": at("Warning")}),
        }
    )


def _pool(gateway: Json) -> str:
    links = gateway.get("Links") or ()
    names = (link.get("Name") for link in links if link.get("Rel") == "Related")
    return str(next(names, "") or "")
