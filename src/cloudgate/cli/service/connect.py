"""Connect command: which is the tenant's? `connect`."""

import getpass
import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudgate.cli import passwords
from cloudgate.cli.failures import failing_in_words
from cloudgate.cli.loading import loading
from cloudgate.connector.settings import (
    DEFAULT_GATEWAY_PORT,
    Options,
    read_address,
    read_file,
    read_forward,
)
from cloudgate.errors import InvalidRequestError

if TYPE_CHECKING:
    from cloudgate.connector.balancer import Balancer
    from cloudgate.connector.own_certificate import CertificateKeeper
    from cloudgate.connector.tls_connection import Identity

PASSWORD_VARIABLE = "CLOUDGATE_TENANT_PASSWORD"  # noqa: S105  the name, not a password


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("connect")(connect)


def connect(
    gateway: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="GATEWAY[:PORT]...",
            help="One of the provider's gateways; more, for when that one is down at the start.",
        ),
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
    stdio: Annotated[
        str | None,
        typer.Option(
            "--stdio",
            "-W",
            metavar="TARGET:PORT",
            help="Instead of ports: standard input and output lead to a target, as in ssh.",
        ),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(help=f"File with the password; or set {PASSWORD_VARIABLE}, or be asked."),
    ] = None,
    certificate_file: Annotated[
        Path | None,
        typer.Option(
            help="File with a key and its certificate, to come in by in place of the password;"
            " renewed there, and got by the password where there is none.",
            show_default=False,
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="Authority of the gateways' certificates; else the system's."),
    ] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option(metavar="SHA256", help="The one certificate to trust, instead of names."),
    ] = None,
    half_close: Annotated[
        bool | None,
        typer.Option(
            "--half-close",
            help="For programs that end one direction and go on in the other; slower.",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="File with these settings, in TOML.", show_default=False)
    ] = None,
    print_unit: Annotated[
        bool, typer.Option("--print-unit", help="Print a systemd unit for --config, and end.")
    ] = False,
) -> None:
    """As a tenant: open local ports that lead through the provider's gateways."""
    said = Options(
        tuple(gateway or ()),
        tenant,
        tuple(listen or ()),
        password_file,
        ca,
        fingerprint,
        half_close,
        certificate_file,
    )
    with failing_in_words():
        if print_unit:
            typer.echo(_unit(said, config), nl=False)
        else:
            _run(said.override(read_file(config)) if config else said, stdio)


def _run(wanted: Options, stdio: str | None) -> None:
    # Kept out of the way of --help.
    with loading():
        from cloudgate.cli.service.event_loop import run as run_on_loop  # noqa: PLC0415
        from cloudgate.cli.service.logs import log_to_stderr  # noqa: PLC0415
        from cloudgate.connector.balancer import Balancer  # noqa: PLC0415
        from cloudgate.connector.run import Output, run_connector, run_standard_streams  # noqa: PLC0415

    if (
        not wanted.gateway
        or not (wanted.tenant or wanted.certificate_file)
        or not (wanted.listen or stdio)
    ):
        raise InvalidRequestError(
            "Give a gateway, --tenant, and at least one -L or else -W; see --help."
        )
    addresses = [read_address(each, DEFAULT_GATEWAY_PORT) for each in wanted.gateway]
    forwards = [read_forward(each) for each in wanted.listen]
    target = read_address(stdio) if stdio else None
    who = _identity(wanted)
    watched = sys.stdout is not None and sys.stdout.isatty()
    log_to_stderr(_clear_live_line if watched and not stdio else None)
    fleet = Balancer(addresses, who, half_close=bool(wanted.half_close))
    keeper = _keeper(wanted, who, fleet)
    if target is not None:
        run_on_loop(run_standard_streams(fleet, target, keeper))
        return
    told = Output(
        say=lambda text: print(text, flush=True),
        show=_show_live_line if watched else None,
    )
    try:
        run_on_loop(run_connector(fleet, forwards, told, keeper))
    finally:
        if watched:
            _clear_live_line()


def _identity(wanted: Options) -> "Identity":
    """Who comes in, and by what: its password, or a certificate."""
    from cloudgate.connector.tls_connection import identity  # noqa: PLC0415  keeps --help fast

    if wanted.certificate_file is None:
        password = _password(wanted)
        return identity(wanted.tenant or "", password, wanted.ca, wanted.fingerprint)
    from cloudgate.connector.own_certificate import read_certificate  # noqa: PLC0415

    held = read_certificate(wanted.certificate_file)
    if held is None and not wanted.tenant:
        raise InvalidRequestError(
            f"There is no {wanted.certificate_file} yet: give --tenant, and a password to get it."
        )
    return identity(wanted.tenant or (held.name if held else ""), "", wanted.ca, wanted.fingerprint)


def _keeper(wanted: Options, who: "Identity", fleet: "Balancer") -> "CertificateKeeper | None":
    if wanted.certificate_file is None:
        return None
    from cloudgate.connector.own_certificate import CertificateKeeper  # noqa: PLC0415

    asked: list[str] = []
    if not wanted.certificate_file.exists() and not _has_password(wanted):
        asked.append(_password(wanted))

    def password() -> str | None:
        # A file is read anew: there may be another password by now.
        return _password(wanted) if _has_password(wanted) else next(iter(asked), None)

    return CertificateKeeper(
        wanted.certificate_file, who, lambda: fleet.addresses, password=password
    )


def _has_password(wanted: Options) -> bool:
    return wanted.password_file is not None or PASSWORD_VARIABLE in os.environ


def _show_live_line(text: str) -> None:
    # A line that is longer than the terminal is wide could not be taken back.
    width = shutil.get_terminal_size().columns - 1
    print(f"\r\x1b[K{text[:width]}", end="", flush=True)


def _clear_live_line() -> None:
    print("\r\x1b[K", end="", flush=True)


def _password(wanted: Options) -> str:
    if wanted.password_file is not None:
        return passwords.from_file(wanted.password_file)
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    if not passwords.somebody_types():
        raise InvalidRequestError(f"No password: give --password-file, or set {PASSWORD_VARIABLE}.")
    return getpass.getpass(f"Password of {wanted.tenant}: ")


def _unit(said: Options, config: Path | None) -> str:
    """The unit (systemd.service(5)). It runs as who prints it, and so can read the same files."""
    if sys.platform == "win32":
        raise InvalidRequestError("--print-unit is for systemd, which Windows does not have.")
    import pwd  # noqa: PLC0415  not everywhere

    from cloudgate.cli.service.connector_unit import connector_unit  # noqa: PLC0415  keeps --help fast

    if config is None or said != Options():
        raise InvalidRequestError(
            "--print-unit needs --config and no other option: the unit will use what is in the"
            " file alone."
        )
    wanted = read_file(config)
    by_itself = wanted.password_file or (
        wanted.certificate_file and wanted.certificate_file.exists()
    )
    if not (wanted.gateway and wanted.tenant and wanted.listen and by_itself):
        raise InvalidRequestError(
            f"{config} must name gateway, tenant, listen and password_file, or a certificate_file"
            " that is there: nobody can be asked when the machine starts."
        )
    if wanted.password_file:
        _password(wanted)
    _identity(wanted)
    return connector_unit(wanted, config, pwd.getpwuid(os.geteuid()).pw_name)
