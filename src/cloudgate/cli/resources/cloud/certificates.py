"""Certificate commands: what can be done with those that gateways show?"""

import base64
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cloudgate.cli import passwords
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at
from cloudgate.cli.resources.cloud import gateways
from cloudgate.cli.resources.common import add_delete, body_of, content_of, group
from cloudgate.client.core import kinds


class Challenge(StrEnum):
    """How an ACME server sees that a name is yours (RFC 8555, 8)."""

    HTTP = "http-01"
    DNS = "dns-01"


KIND = kinds.CERTIFICATE
COLUMNS: Columns = {
    "Name": at("Name"),
    "CloudGateway": at("CloudGateway"),
    "Names": at("Names"),
    "ValidTo": at("ValidTo"),
    "Thumbprint": at("Thumbprint"),
    "Source": at("Source"),
}
app = group(KIND, COLUMNS, "Certificates for gateways, instead of the manager's own.")


@command(app, "import")
def bring(
    call: Call,
    file: Annotated[Path, typer.Argument(help="PEM with the chain, or PKCS#12 (.pfx, .p12).")],
    key: Annotated[
        Path | None,
        typer.Option(help="PEM with the key, if FILE has none.", show_default=False),
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="File with the password of the PKCS#12.", show_default=False)
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(help="Name or id of the one gateway that it is for.", show_default=False),
    ] = None,
) -> None:
    """Have all gateways, or one, show a certificate from now on; live tunnels go on."""
    uid = find(call.api, gateways.KIND, gateway).uid if gateway else None
    data = content_of(file)
    if b"-----BEGIN" in data:
        pem = data.decode("utf-8", "replace")
        if key is not None:
            pem += "\n" + content_of(key).decode("utf-8", "replace")
        body = body_of(Pem=pem, CloudGatewayUid=uid)
    else:
        password = passwords.from_file(password_file) if password_file else None
        pfx = base64.b64encode(data).decode()
        body = body_of(Pfx=pfx, Password=password, CloudGatewayUid=uid)
    call.screen.details(call.api.post(KIND.path, body))


@command(app, "acme", waits=True)
def acme(
    call: Call,
    directory: Annotated[
        str,
        typer.Option(metavar="URL", help="Directory of the ACME server.", show_default=False),
    ],
    name: Annotated[
        list[str],
        typer.Option(
            metavar="NAME", help="DNS name to certify; may be repeated.", show_default=False
        ),
    ],
    challenge: Annotated[
        Challenge, typer.Option(help="How the server sees that the names are yours.")
    ] = Challenge.HTTP,
    email: Annotated[
        str | None, typer.Option(help="Where the server may write to.", show_default=False)
    ] = None,
    server_ca: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Authority of a private ACME server; the public ones when left out.",
            show_default=False,
        ),
    ] = None,
    gateway: Annotated[
        str | None,
        typer.Option(help="Name or id of the one gateway that it is for.", show_default=False),
    ] = None,
) -> None:
    """Have an ACME server certify names, now and from then on, and agree to its terms."""
    body = body_of(
        DirectoryUrl=directory,
        Names=",".join(name),
        Challenge=challenge.value,
        Email=email,
        CaFile=content_of(server_ca).decode("utf-8", "replace") if server_ca else None,
        CloudGatewayUid=find(call.api, gateways.KIND, gateway).uid if gateway else None,
    )
    call.show_result(call.api.post(f"{KIND.path}?action=order", body))


add_delete(app, KIND, "Have its gateways show the manager's own certificate again.")
