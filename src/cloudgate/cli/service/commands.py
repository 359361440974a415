"""Service commands: which start a part of Cloudgate itself? `up`, `serve`, `host run`."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cloudgate.cli import groups
from cloudgate.cli.failures import fail, failing_in_words
from cloudgate.cli.loading import loading
from cloudgate.cli.service.config_option import config_option
from cloudgate.cli.service.host import host_commands, run
from cloudgate.cli.service.manager.options import Options
from cloudgate.cli.service.manager.typed_options import options_of, parameters
from cloudgate.cli.service.running import run_service

if TYPE_CHECKING:
    from cloudgate.cli.service.settings_file import Setting

config_commands = groups.group(help="Files with the settings of services.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("up")(_with_manager_options(up, of_hosts=True))
    app.command("serve")(_with_manager_options(serve))
    app.add_typer(host_commands, name="host")
    app.add_typer(config_commands, name="config")


def _with_manager_options(
    function: Callable[..., None], *, of_hosts: bool = False
) -> Callable[..., None]:
    """A command as Typer sees it; `of_hosts`: whether its file may say what is the host service's.

    Of ``serve(options, *, print_unit=False)`` it makes::

        run(*, ctx, config=None, data=None, host="", port=9398, ..., print_unit=False)
    """
    _, *own = inspect.signature(function).parameters.values()
    shared = {each.name: each for each in parameters()}
    keyword = inspect.Parameter.KEYWORD_ONLY
    ctx = inspect.Parameter("ctx", keyword, annotation=typer.Context)
    option = Annotated[Path | None, config_option(of_hosts=of_hosts)]
    config = inspect.Parameter("config", keyword, default=None, annotation=option)

    def run(ctx: typer.Context, config: Path | None, **values: Any) -> None:
        with loading():  # what --help does not need
            from cloudgate.cli.service import launcher  # noqa: F401, PLC0415
        said = {name: values.pop(name) for name in shared}
        typed = frozenset(name for name in shared if _is_typed(ctx, name, said[name]))
        options = replace(options_of(said), config=config, typed=typed)
        function(options, **values)

    # What Typer reads.
    vars(run)["__signature__"] = inspect.Signature([ctx, config, *shared.values(), *own])
    run.__doc__ = function.__doc__
    return run


def _is_typed(ctx: typer.Context, name: str, value: object) -> bool:
    """Whether an option was said, but not by the file; where the folder is, depends on who says."""
    source = ctx.get_parameter_source(name)
    by = source.name if source is not None else ""
    is_said = by in ("COMMANDLINE", "ENVIRONMENT") and value is not None
    return is_said or (name == "data" and by == "DEFAULT")


def up(options: Options) -> None:
    """Start everything on this machine: manager, backup server, managed server."""
    from cloudgate.cli.service.launcher import run_up  # noqa: PLC0415

    run_service(run_up(options))


def serve(
    options: Options,
    *,
    print_unit: Annotated[
        bool,
        typer.Option("--print-unit", help="Print a systemd unit that starts it so; start nothing."),
    ] = False,
) -> None:
    """Start the manager alone, for managed servers on other machines."""
    if not print_unit:
        from cloudgate.cli.service.launcher import run_serve  # noqa: PLC0415

        run_service(run_serve(options))
        return
    from cloudgate.cli.service.manager.systemd_unit import manager_unit  # noqa: PLC0415

    with failing_in_words():
        print(manager_unit(options), end="")


class Service(StrEnum):
    """Whose settings a file has."""

    MANAGER = "manager"
    HOST = "host"


@config_commands.command("check")
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file.")],
    service: Annotated[
        Service | None,
        typer.Option(
            "--for",
            help="Whose settings they are, when the file is not called manager.toml or host.toml.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Look whether a file with settings is right, and say in which line it is not."""
    named = next((each for each in Service if file.name.startswith(each)), None)
    whose = service or named
    if whose is None:
        fail(f"Whose settings are in {file}? Say --for manager or --for host.")
    from cloudgate.cli.service.settings_file import read_file  # noqa: PLC0415

    with failing_in_words():
        found = read_file(file, *_known_to(whose))
    if found.problems:
        fail("\n".join(found.problems))
    print(f"{file}: {len(found.values)} settings of the {whose}, as they should be.")


def _known_to(service: Service) -> "tuple[Mapping[str, Setting], Any]":
    """What may stand in the file of a service, and the command that they are of."""
    from cloudgate.cli.service.settings_file import OF_HOSTS, settings_of  # noqa: PLC0415

    is_host = service is Service.HOST
    alone = typer.Typer(add_completion=False)
    alone.command()(run if is_host else _with_manager_options(serve))
    command: Any = typer.main.get_command(alone)
    known = settings_of(command.params, OF_HOSTS if is_host else ())
    return known, typer.Context(command)
