"""Which command is the tenant's? `connect`."""

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from cloudgate.connect.settings import (
    DEFAULT_GATEWAY_PORT,
    Wanted,
    read_address,
    read_file,
    read_forward,
)
from cloudgate.errors import CloudgateError, InvalidRequestError

PASSWORD_VARIABLE = "CLOUDGATE_TENANT_PASSWORD"  # noqa: S105  the name, not a password


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("connect")(connect)


def connect(
    gateway: Annotated[
        str | None,
        typer.Argument(metavar="GATEWAY[:PORT]", help="One of the provider's gateways."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option(help="Your name at the provider.", show_default=False)
    ] = None,
    listen: Annotated[
        list[str] | None,
        typer.Option(
            "--listen",
            "-L",
            metavar="[ADDRESS:]PORT:TARGET:PORT",
            help="Open a local port that leads to a target; may be repeated.",
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(help=f"File with the password; or set {PASSWORD_VARIABLE}, or be asked."),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="Authority of the gateways' certificates; else the system's."),
    ] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="The one certificate to trust, instead of names."),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="File with these settings, in TOML.", show_default=False)
    ] = None,
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a systemd unit for --config, and end.")
    ] = False,
) -> None:
    """As a tenant: open local ports that lead through the provider's gateways."""
    said = Wanted(gateway, tenant, tuple(listen or ()), password_file, ca, fingerprint)
    try:
        if print_unit:
            typer.echo(_unit(config), nl=False)
            return
        _run(said.over(read_file(config)) if config else said)
    except CloudgateError as problem:
        _fail(problem.message)


def _run(wanted: Wanted) -> None:
    import uvloop  # noqa: PLC0415  keeps --help fast

    from cloudgate.cli.logs import log_to_stderr  # noqa: PLC0415
    from cloudgate.connect.run import run_connector  # noqa: PLC0415
    from cloudgate.connect.tunnel import identity  # noqa: PLC0415

    if not wanted.gateway or not wanted.tenant or not wanted.listen:
        raise InvalidRequestError("Give the gateway, --tenant and at least one -L; see --help.")
    address = read_address(wanted.gateway, DEFAULT_GATEWAY_PORT)
    forwards = [read_forward(each) for each in wanted.listen]
    who = identity(wanted.tenant, _password(wanted), wanted.ca, wanted.fingerprint)
    log_to_stderr()
    watched = sys.stdout.isatty()
    uvloop.run(
        run_connector(
            address,
            forwards,
            who,
            say=lambda text: print(text, flush=True),
            show=_live_line if watched else None,
        )
    )


def _live_line(text: str) -> None:
    print(f"\r\x1b[K{text}", end="", flush=True)


def _password(wanted: Wanted) -> str:
    if wanted.password_file is not None:
        try:
            return wanted.password_file.read_text("utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as problem:
            raise InvalidRequestError(f"Cannot read {wanted.password_file}: {problem}.") from None
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    if not sys.stdin.isatty():
        raise InvalidRequestError(f"No password: give --password-file, or set {PASSWORD_VARIABLE}.")
    return getpass.getpass(f"Password of {wanted.tenant}: ")


def _unit(config: Path | None) -> str:
    if config is None:
        raise InvalidRequestError("--print-unit needs --config, which the unit will use.")
    return f"""[Unit]
Description=Cloudgate connector
Wants=network-online.target
After=network-online.target

[Service]
ExecStart={sys.executable} -m cloudgate connect --config {config.resolve()}
Restart=always
RestartSec=2
DynamicUser=no
NoNewPrivileges=yes
ProtectSystem=strict
PrivateTmp=yes

[Install]
WantedBy=multi-user.target
"""


def _fail(message: str) -> NoReturn:
    print(f"Error: {message}", file=sys.stderr)
    raise typer.Exit(1)
