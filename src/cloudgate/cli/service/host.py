"""Host commands: how does a machine become a managed server, and run its host service?"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from cloudgate.cli import groups
from cloudgate.cli.failures import fail, failing_in_words
from cloudgate.cli.loading import loading
from cloudgate.cli.service.config_option import FROM_FILE, config_option
from cloudgate.cli.service.manager.options import Data
from cloudgate.cli.service.running import run_service
from cloudgate.cli.settings import default_data_folder
from cloudgate.errors import CloudgateError
from cloudgate.named_files import text_of

host_commands = groups.group(help="Make this machine a managed server, and run its host service.")

HostMetricsListen = Annotated[
    str | None,
    typer.Option(
        envvar="CLOUDGATE_METRICS_LISTEN",
        metavar="ADDRESS:PORT",
        help="Where /metrics, /livez and /readyz of this host are shown, to all who reach it;"
        " nowhere when left out.",
        show_default=False,
    ),
]


@host_commands.command("join")
def join(
    url: Annotated[str, typer.Argument(help="Address of the manager: https://host:9398.")],
    token: Annotated[
        str | None, typer.Option(help="The one-time join token.", show_default=False)
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token instead.", show_default=False)
    ] = None,
    fingerprint: Annotated[
        str | None,
        typer.Option(
            metavar="SHA256",
            help="Fingerprint of the manager's certificate authority.",
            show_default=False,
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(help="File with that authority, its ca.pem, instead.", show_default=False),
    ] = None,
    install: Annotated[
        bool, typer.Option("--install", help="Have systemd run the host service from now on.")
    ] = False,
    data: Data = None,
) -> None:
    """Make this machine a managed server, once. `cloudgate server create` shows this command."""
    from cloudgate.host.manager_link.join import (  # noqa: PLC0415
        authority_by_fingerprint,
        join_host,
    )

    folder = (data or default_data_folder()) / "host"
    if (token is None) == (token_file is None):
        fail("Give the join token, with --token or with --token-file.")
    if (fingerprint is None) == (ca is None):
        fail("Say how to know the manager, with --fingerprint or with --ca.")
    if install:
        _see_that_it_may_be_installed()  # before the token is used up
    secret = token or _text_of(token_file)

    async def join_by() -> None:
        known = _text_of(ca) if ca else await authority_by_fingerprint(url, fingerprint or "")
        await join_host(folder, url, secret, known)

    run_service(join_by())
    if install:
        install_service(data)


@host_commands.command("install")
def install_service(
    data: Data = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            resolve_path=True,
            help="File with settings that it is to be run with, for host run --config.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Have systemd run the host service that has joined, as the user who joined. Needs root."""
    from cloudgate.host.platform import install  # noqa: PLC0415
    from cloudgate.host.state.enrolment import load_enrolment  # noqa: PLC0415
    from cloudgate.host.state.paths import state_paths  # noqa: PLC0415

    _see_that_it_may_be_installed()
    folder = (data or default_data_folder()).resolve()
    try:
        load_enrolment(state_paths(folder / "host"))
    except CloudgateError as problem:
        fail(
            f"{problem.message} If it joined as another user or with another folder, name that"
            f" folder: cloudgate host install --data {_folder_of_caller() or 'DIR'}"
        )
    with failing_in_words():
        print(install(folder, config))


def _see_that_it_may_be_installed() -> None:
    from cloudgate.host.platform import check_installable  # noqa: PLC0415

    with failing_in_words():
        check_installable()


def _folder_of_caller() -> Path | None:
    """Where the user who typed `sudo` keeps state, if there is something."""
    caller = os.environ.get("SUDO_USER")
    if not caller:
        return None
    import pwd  # noqa: PLC0415  where there is sudo, there is this

    folder = Path(pwd.getpwnam(caller).pw_dir) / ".local" / "share" / "cloudgate"
    return folder if (folder / "host").is_dir() else None


def _text_of(file: Path | None) -> str:
    if file is None:
        return ""
    with failing_in_words():
        return text_of(file).strip()


@host_commands.command("run")
def run(
    ctx: typer.Context,
    config: Annotated[Path | None, config_option(of_hosts=True)] = None,
    data: Data = None,
    metrics_listen: HostMetricsListen = None,
    with_parent: Annotated[int | None, typer.Option(hidden=True)] = None,
    until_input_ends: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run the host service of this machine."""
    del config  # it was read before everything else
    from cloudgate.processes.signals import held  # noqa: PLC0415

    # Killed before it can be told to end, it would leave Envoy behind.
    with held():
        if _has_to_start_anew(data, metrics_listen, with_parent, until_input_ends=until_input_ends):
            # The program on disk may be a newer one, and the file may say something else by now.
            # Envoy goes on, and is adopted by what starts now.
            for name in ctx.meta.get(FROM_FILE, ()):
                del os.environ[name]
            os.execv(sys.executable, [sys.executable, "-m", "cloudgate", *sys.argv[1:]])  # noqa: S606


def _has_to_start_anew(
    data: Path | None,
    metrics_listen: str | None,
    with_parent: int | None,
    *,
    until_input_ends: bool,
) -> bool:
    with loading():
        from cloudgate.cli.service.logs import log_to_stderr  # noqa: PLC0415
        from cloudgate.cli.service.parent_death import end_with_parent  # noqa: PLC0415
        from cloudgate.host.service import run_host_service  # noqa: PLC0415
        from cloudgate.monitoring.systemd import Notifier  # noqa: PLC0415

    log_to_stderr()
    if with_parent is not None:
        end_with_parent(with_parent)
    until = _read_input if until_input_ends else None
    return run_service(
        run_host_service(
            (data or default_data_folder()) / "host",
            until=until,
            # The manager on this machine has that address, and shows what its host reports.
            metrics_listen=metrics_listen if with_parent is None else None,
            notifier=Notifier() if with_parent is None else Notifier({}),
        )
    )


def _read_input() -> None:
    # Not by sys.stdin, whose lock would be held when the interpreter ends.
    while os.read(0, 4096):
        pass
