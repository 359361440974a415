"""Server commands: what can be done with managed servers?"""

import contextlib
import os
import socket
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at, backup_server
from cloudgate.cli.resources.common import (
    Description,
    Site,
    Thing,
    add_delete,
    body_of,
    group,
)
from cloudgate.cli.resources.infrastructure.backup_servers import uid_of_site
from cloudgate.cli.settings import PACKAGED_HOST_DATA
from cloudgate.client.core import kinds
from cloudgate.client.core.addresses import DEFAULT_PORT
from cloudgate.network.hostport import bracketed

if TYPE_CHECKING:
    from cloudgate.client.core.exchange import Answer

KIND = kinds.SERVER
COLUMNS: Columns = {
    "Name": at("Name"),
    "State": at("State"),
    "ManagedServerType": at("ManagedServerType"),
    "Version": at("Version"),
    "LastSeen": at("LastSeen"),
    "BackupServer": backup_server,
    "Description": at("Description"),
}
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that are nobody's, but beyond the default route (RFC 5737, RFC 3849)."""
app = group(KIND, COLUMNS, "Managed servers: the machines that can be gateways.")


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
    """Listen to the server's machine no more; its gateway lets nobody new in."""
    call.api.post(f"{find(call.api, KIND, name).path}?action=revoke")
    call.screen.remark(f"Revoked {name}. `cloudgate server renew-token {name}` lets it join again.")


@command(app, "readmit")
def readmit(call: Call, name: Thing) -> None:
    """After an older database was put back: let a machine in again that it does not know."""
    call.api.post(f"{find(call.api, KIND, name).path}?action=readmit")
    call.screen.remark(f"{name} is let in again, within half a minute.")


def _show_expected(call: Call, answer: "Answer") -> None:
    call.screen.details(answer)
    token, fingerprint = answer.body["JoinToken"], answer.body["JoinFingerprint"]
    url, *others = seen_from_elsewhere(call.api.url)
    join = f"cloudgate host join {url} --token {token} --fingerprint {fingerprint}"
    call.screen.remark(
        "\nOn that machine, where Cloudgate is installed, type:\n"
        f"  {join}\n"
        "  cloudgate host run\n"
        "\nor, where it was installed as a package, as root, for its service:\n"
        f"  runuser -u cloudgate-host -- {join} --data {PACKAGED_HOST_DATA}\n"
        "  systemctl enable --now cloudgate-host"
    )
    if others:
        call.screen.remark(f"\nIt may know the manager as {' or '.join(others)} instead.")


def seen_from_elsewhere(url: str) -> list[str]:
    """The manager's addresses for another machine, for which localhost is itself; best first.

    An address that the operator chose is taken as it is, also the manager's own where commands
    are typed in its environment, as in its container. The machine's name comes last, because
    another machine may not be able to resolve it.
    """
    parts = urlsplit(url)
    if parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        return [url]
    if own := os.environ.get("CLOUDGATE_OWN_URL"):
        return [own]
    port = parts.port or DEFAULT_PORT
    return [f"{parts.scheme}://{host}:{port}" for host in (*_outbound(), socket.gethostname())]


def _outbound() -> list[str]:
    """This machine's addresses that its outbound traffic uses, as URLs write them."""
    found = []
    for family, elsewhere in _ELSEWHERE:
        # Nothing is sent there: a datagram socket only asks the kernel for the route.
        # ENETUNREACH, EAFNOSUPPORT: there is no way for that family, and no address to suggest.
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asked:
            asked.connect((elsewhere, 9))
            address = str(asked.getsockname()[0])
            found.append(bracketed(address))
    return found


add_delete(app, KIND, "Remove a managed server that has no role.")
