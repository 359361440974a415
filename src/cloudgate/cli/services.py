"""Which commands start a part of Cloudgate itself? `up`, `serve`, `host join`, `host run`."""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudgate.cli.settings import DEFAULT_PORT, default_data_folder
from cloudgate.errors import CloudgateError

host_commands = typer.Typer(
    help="Make this machine a managed server, and run its host service.", no_args_is_help=True
)

Data = Annotated[
    Path | None,
    typer.Option(envvar="CLOUDGATE_DATA", help="Folder for all state.", show_default=False),
]
Host = Annotated[
    str,
    typer.Option(envvar="CLOUDGATE_HOST", help="Address to listen on; all when left out."),
]
Port = Annotated[
    int, typer.Option(envvar="CLOUDGATE_PORT", min=1, max=65535, help="Port of the REST API.")
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        envvar="CLOUDGATE_ADMIN_PASSWORD_FILE",
        help="File with the password of the user admin; generated and printed when left out.",
        show_default=False,
    ),
]


HttpPort = Annotated[
    int | None,
    typer.Option(
        envvar="CLOUDGATE_HTTP_PORT",
        min=1,
        max=65535,
        help="Serve the REST API without TLS too, on this port (9399 in the original).",
        show_default=False,
    ),
]
TrustedProxies = Annotated[
    list[str] | None,
    typer.Option(
        envvar="CLOUDGATE_TRUSTED_PROXIES",
        metavar="ADDRESS",
        help="Proxy, or network of proxies, whose Forwarded headers count; may be repeated.",
        show_default=False,
    ),
]
AuditLog = Annotated[
    str | None,
    typer.Option(
        envvar="CLOUDGATE_AUDIT_LOG",
        metavar="FILE|syslog",
        help="Where the audit log goes besides the database.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(up)
    app.command("serve")(serve)
    app.add_typer(host_commands, name="host")


def up(
    data: Data = None,
    host: Host = "",
    port: Port = DEFAULT_PORT,
    admin_password_file: PasswordFile = None,
    http_port: HttpPort = None,
    trusted_proxy: TrustedProxies = None,
    audit_log: AuditLog = None,
) -> None:
    """Start everything on this machine: manager, backup server, managed server."""
    from cloudgate.cli.running import Options, run_up  # noqa: PLC0415  keeps --help fast

    options = Options(
        data or default_data_folder(),
        host,
        port,
        admin_password_file,
        http_port,
        tuple(trusted_proxy or ()),
        audit_log,
    )
    _run(run_up(options))


def serve(
    data: Data = None,
    host: Host = "",
    port: Port = DEFAULT_PORT,
    admin_password_file: PasswordFile = None,
    http_port: HttpPort = None,
    trusted_proxy: TrustedProxies = None,
    audit_log: AuditLog = None,
) -> None:
    """Start the manager alone, for managed servers on other machines."""
    from cloudgate.cli.running import Options, run_serve  # noqa: PLC0415

    options = Options(
        data or default_data_folder(),
        host,
        port,
        admin_password_file,
        http_port,
        tuple(trusted_proxy or ()),
        audit_log,
    )
    _run(run_serve(options))


@host_commands.command("join")
def join(
    url: Annotated[str, typer.Argument(help="Address of the manager: https://host:9398.")],
    token_file: Annotated[Path, typer.Option(help="File with the one-time join token.")],
    ca: Annotated[Path, typer.Option(help="Certificate authority of the manager: its ca.pem.")],
    data: Data = None,
) -> None:
    """Make this machine a managed server, once."""
    from cloudgate.gateway.host import join_host  # noqa: PLC0415

    folder = (data or default_data_folder()) / "host"
    try:
        token, authority = token_file.read_text().strip(), ca.read_text()
    except OSError as problem:
        _fail(f"Cannot read {problem.filename}: {problem.strerror}.")
    _run(join_host(folder, url, token, authority))


@host_commands.command("run")
def run(
    data: Data = None,
    with_parent: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Run the host service of this machine."""
    from cloudgate.cli.running import end_with_parent, log_to_stderr  # noqa: PLC0415
    from cloudgate.gateway.host import run_host  # noqa: PLC0415

    log_to_stderr()
    if with_parent is not None:
        end_with_parent(with_parent)
    _run(run_host((data or default_data_folder()) / "host"))


def _run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop  # noqa: PLC0415

    try:
        uvloop.run(work)
    except CloudgateError as problem:
        _fail(problem.message)


def _fail(message: str) -> Any:
    print(f"Error: {message}", file=sys.stderr)
    raise typer.Exit(1)
