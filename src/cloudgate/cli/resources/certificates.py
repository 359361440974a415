"""What can be done with the certificates that gateways show?"""

import base64
from pathlib import Path
from typing import Annotated

import typer

from cloudgate.cli.commands import Call, command
from cloudgate.cli.finding import Kind, find
from cloudgate.cli.output import at
from cloudgate.cli.resources import gateways
from cloudgate.cli.resources.common import add_delete, body_of, group

KIND = Kind(
    word="certificate",
    many="certificates that were brought",
    type="CloudCertificate",
    path="/cloud/certificates",
    array="CloudCertificates",
    columns={
        "Name": at("Name"),
        "CloudGateway": at("CloudGateway"),
        "Names": at("Names"),
        "ValidTo": at("ValidTo"),
        "Thumbprint": at("Thumbprint"),
    },
    named=False,
)
app = group(KIND, "Certificates for gateways, instead of the manager's own.")


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
    data = _read(file)
    if b"-----BEGIN" in data:
        pem = data.decode("utf-8", "replace")
        if key is not None:
            pem += "\n" + _read(key).decode("utf-8", "replace")
        body = body_of(Pem=pem, CloudGatewayUid=uid)
    else:
        password = _read(password_file).decode().rstrip("\r\n") if password_file else None
        pfx = base64.b64encode(data).decode()
        body = body_of(Pfx=pfx, Password=password, CloudGatewayUid=uid)
    call.screen.details(call.api.post(KIND.path, body))


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as problem:
        raise typer.BadParameter(f"Cannot read {file}: {problem.strerror}.") from None


add_delete(app, KIND, "Have its gateways show the manager's own certificate again.")
