"""What can be done with managed servers? They join by themselves: `cloudgate host join`."""

import socket
from typing import Annotated
from urllib.parse import urlsplit

import typer

from cloudgate.cli.client import Answer
from cloudgate.cli.commands import Call, command
from cloudgate.cli.finding import Kind, find
from cloudgate.cli.output import at, backup_server
from cloudgate.cli.resources.backup_servers import uid_of_site
from cloudgate.cli.resources.common import (
    Description,
    Site,
    Thing,
    add_delete,
    body_of,
    group,
)
from cloudgate.cli.settings import DEFAULT_PORT

KIND = Kind(
    word="server",
    many="managed servers",
    type="ManagedServer",
    path="/managedServers",
    array="ManagedServers",
    columns={
        "Name": at("Name"),
        "State": at("State"),
        "ManagedServerType": at("ManagedServerType"),
        "Version": at("Version"),
        "LastSeen": at("LastSeen"),
        "BackupServer": backup_server,
        "Description": at("Description"),
    },
)
app = group(KIND, "Managed servers: the machines that can be gateways.")


@command(app, "create")
def create(
    call: Call,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its DNS name or IP address.")],
    description: Description = None,
    backup_server: Site = None,
) -> None:
    """Add a machine that is to join, and show the command that it joins with, once."""
    body = body_of(
        Name=name, Description=description, BackupServerUid=uid_of_site(call, backup_server)
    )
    _show_expected(call, call.api.post(KIND.path, body))


@command(app, "renew-token")
def renew_token(call: Call, name: Thing) -> None:
    """Let a machine join as this server, anew: show another command for it, once."""
    path = find(call.api, KIND, name).path
    _show_expected(call, call.api.post(f"{path}?action=renewJoinToken"))


@command(app, "revoke")
def revoke(call: Call, name: Thing) -> None:
    """Listen to the server's machine no more; its gateway goes on as it is."""
    call.api.post(f"{find(call.api, KIND, name).path}?action=revoke")
    call.screen.remark(f"Revoked {name}. `cloudgate server renew-token {name}` lets it join again.")


def _show_expected(call: Call, answer: Answer) -> None:
    call.screen.details(answer)
    token, fingerprint = answer.body["JoinToken"], answer.body["JoinFingerprint"]
    call.screen.remark(
        "\nOn that machine, where Cloudgate is installed, type:\n"
        f"  cloudgate host join {_seen_from_elsewhere(call.api.url)} --token {token}"
        f" --fingerprint {fingerprint}\n"
        "  cloudgate host run"
    )


def _seen_from_elsewhere(url: str) -> str:
    """The manager's address for another machine, for which localhost is itself."""
    parts = urlsplit(url)
    if parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        return url
    return f"{parts.scheme}://{socket.gethostname()}:{parts.port or DEFAULT_PORT}"


add_delete(app, KIND, "Remove a managed server that has no role.")
