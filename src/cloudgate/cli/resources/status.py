"""Status: how is everything, on one screen? With what needs a look."""

from collections.abc import Sequence

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.output import at, backup_server, on_one_line
from cloudgate.cli.resources import tasks
from cloudgate.cli.resources.cloud import gateways
from cloudgate.cli.resources.infrastructure import backup_servers, servers
from cloudgate.client.core.addresses import ENTITY
from cloudgate.client.core.kinds import Json
from cloudgate.network import hostport
from cloudgate.values.enumeration import few

_WARNINGS = "/warnings"
_SITES = backup_servers.KIND.array
_WELL = ("Online", "Expected")
_GATEWAY_WELL = ("Listening", "Starting", "Draining", "Closed")
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
    "Address": lambda thing: (
        hostport.join(thing["ExternalIP"], thing["ExternalPort"]) if thing.get("ExternalIP") else ""
    ),
    "Mode": at("NetworkMode"),
    "Pool": lambda thing: on_one_line(_pool(thing)),
}
_SETTINGS = {"Setting": at("Name"), "Value": at("Value")}
_TASKS = {"Task": at("TaskId"), "Operation": at("Operation"), "State": at("State")}


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, "status")(status)
    command(app, "settings")(settings)


def settings(call: Call) -> None:
    """Show what the manager was started with, without secrets."""
    answer = call.api.get("/settings")
    call.screen.listing(answer, answer.body.get("ManagerSettings") or [], _SETTINGS)


def status(call: Call) -> None:
    """Show servers, gateways, running tasks, and what needs a look."""
    found = {
        kind.array: call.api.get(kind.path + ENTITY).body.get(kind.array) or []
        for kind in (servers.KIND, gateways.KIND, backup_servers.KIND)
    }
    listed = call.api.get(tasks.KIND.path).body.get(tasks.KIND.array) or []
    running = [task for task in listed if task.get("State") != "Finished"]
    said_of = call.api.get(_WARNINGS).body.get("OperatorWarnings") or []
    warnings = [{**each, "Warning": each.get("Message")} for each in said_of]
    last = (
        "" if warnings else summary(found["ManagedServers"], found["CloudGateways"]),
        # What a backup server has is the manager's own release.
        *(unlike(found["ManagedServers"], each.get("Version")) for each in found[_SITES][:1]),
    )
    call.screen.sections(
        {
            "ManagedServers": (found["ManagedServers"], _SERVERS),
            "CloudGateways": (found["CloudGateways"], _GATEWAYS),
            "Tasks": (running, _TASKS),
            "Warnings": (warnings, {"Needs a look": at("Name"), "Because": at("Warning")}),
        },
        " ".join(filter(None, last)),
    )


def summary(managed: Sequence[Json], known: Sequence[Json]) -> str:
    """How servers and gateways are, in one line, where there is no warning. Pure."""
    ill = [
        f"{each.get('Name')} is {on_one_line(each.get('State'))}"
        for each, well in (*((e, _WELL) for e in managed), *((e, _GATEWAY_WELL) for e in known))
        if each.get("State") not in well
    ]
    if ill:
        return f"Not all is well: {few(dict.fromkeys(ill))}."
    online = [each for each in managed if each.get("State") == "Online"]
    tunnels = sum(int(each.get("LiveTunnels") or 0) for each in known)
    counted = (
        _count(len(known), "gateway"),
        _count(tunnels, "live tunnel"),
        f"{_count(len(online), 'managed server')} online",
    )
    return f"All is well: {', '.join(counted)}."


def unlike(managed: Sequence[Json], release: object) -> str:
    """Which servers have another release than the manager, in one line; empty for none. Pure."""
    named = [
        f"{each.get('Name')} ({version})"
        for each in managed
        if (version := each.get("Version")) not in {None, release}
    ]
    return f"The manager has release {on_one_line(release)}; {few(named)}." if named else ""


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")


def _pool(gateway: Json) -> str:
    links = gateway.get("Links") or ()
    names = (link.get("Name") for link in links if link.get("Rel") == "Related")
    return str(next(names, "") or "")
