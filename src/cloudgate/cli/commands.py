"""Command frame: what does every command that asks the API share?"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, ParamSpec

import typer

from cloudgate import __version__
from cloudgate.cli import option_groups
from cloudgate.cli.failures import failing_in_words
from cloudgate.cli.loading import loading
from cloudgate.cli.output import Screen
from cloudgate.cli.settings import DEFAULT_URL, ConnectionSettings, Output, connection
from cloudgate.client.core.addresses import DEFAULT_USER

if TYPE_CHECKING:  # what --help does not need
    from cloudgate.client.api import Api
    from cloudgate.client.core.exchange import Answer

P = ParamSpec("P")


@dataclass(frozen=True)
class Call:
    """What a command works with: the API, the screen, and whether it waits for tasks."""

    api: "Api"
    screen: Screen = field(default_factory=Screen)
    waits: bool = True
    """Whether the end of tasks is waited for."""

    def show(self, path: str) -> None:
        """Show the thing at a path or Href."""
        self.screen.details(self.api.get(path))

    def show_result(self, accepted: "Answer", path: str | None = None) -> None:
        """See a task to its end, and show what it has made or changed.

        Args:
            accepted: the 202 answer with the task.
            path: where the result is, for tasks that do not tell.
        """
        from cloudgate.client.core.tasks import related  # noqa: PLC0415

        task = self._ended(accepted)
        place = (related(task) or path) if self.waits else None
        if place is None:
            self.screen.details(task)
        else:
            self.show(place)

    def show_task(self, accepted: "Answer", progress: Callable[[], str] | None = None) -> None:
        """See a task to its end, and show it. `progress` says how far it is, meanwhile."""
        self.screen.details(self._ended(accepted, progress))

    def _ended(self, accepted: "Answer", progress: Callable[[], str] | None = None) -> "Answer":
        from cloudgate.cli import task_wait  # noqa: PLC0415

        return task_wait.finished(self.api, accepted, progress) if self.waits else accepted


Command = Callable[Concatenate[Call, P], None]


def command(
    app: typer.Typer, name: str, *, waits: bool = False
) -> Callable[[Command[P]], Command[P]]:
    """Make a function a command: it gets a `Call`, and the options that all commands share.

    An option of its own hides the shared one of that name, which then goes before the command.

    Args:
        app: the group of commands that it belongs to.
        name: of the command.
        waits: whether it starts tasks, so that ``--no-wait`` makes sense.
    """

    def register(function: Command[P]) -> Command[P]:
        app.command(name)(_with_shared_options(function, waits=waits))
        return function

    return register


def _with_shared_options(function: Callable[..., None], *, waits: bool) -> Callable[..., None]:
    """A command as Typer sees it; groups of options are taken apart.

    Of ``create(call, name, *, port=6180)`` it makes::

        run(*, ctx, name, port=6180, no_wait=False, output=None, url=None, user=None, ...)
    """
    taken = list(inspect.signature(function).parameters.values())[1:]
    own = list(option_groups.flattened(taken))
    names = {parameter.name for parameter in own}
    shared = [
        parameter
        for parameter in inspect.signature(_shared_options).parameters.values()
        if parameter.name not in names and (waits or parameter.name != "no_wait")
    ]
    of_all = {parameter.name for parameter in shared}

    def run(ctx: typer.Context, **values: Any) -> None:
        common = {name: values.pop(name) for name in of_all}
        waiting_wanted = not common.pop("no_wait", False)
        before = ctx.find_root().obj
        given = ConnectionSettings(**common).over(
            before if isinstance(before, ConnectionSettings) else ConnectionSettings()
        )
        arguments = option_groups.gathered(taken, values)
        _carry_out(function, arguments, given, waits=waiting_wanted)

    ctx = inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in [ctx, *own, *shared]]
    vars(run)["__signature__"] = inspect.Signature(keywords)  # what Typer reads
    run.__doc__ = function.__doc__
    return run


def _carry_out(
    function: Callable[..., None], values: dict[str, Any], given: ConnectionSettings, *, waits: bool
) -> None:
    """Run a command. What goes wrong is said in one sentence, and ends with status 1."""
    with loading():  # what --help does not need
        from cloudgate.cli.connecting import connected  # noqa: PLC0415

    with failing_in_words(), connected(connection(given)) as api:
        function(Call(api, Screen(given.output or Output.TEXT), waits), **values)


def _shared_options(
    *,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Show the task, and do not wait for its end.")
    ] = False,
    output: Annotated[
        Output | None,
        typer.Option("--output", "-o", help="json for the API's own answer.", show_default=False),
    ] = None,
    url: Annotated[str | None, typer.Option(hidden=True)] = None,
    user: Annotated[str | None, typer.Option(hidden=True)] = None,
    password_file: Annotated[Path | None, typer.Option(hidden=True)] = None,
    token_file: Annotated[Path | None, typer.Option(hidden=True)] = None,
    ca: Annotated[Path | None, typer.Option(hidden=True)] = None,
) -> None:
    """The options that may stand after any command; Typer reads them from here."""


def _show_version(*, wanted: bool) -> None:
    if wanted:
        print(f"cloudgate {__version__}")
        raise typer.Exit


def before_any_command(
    ctx: typer.Context,
    *,
    url: Annotated[
        str | None,
        typer.Option(envvar="CLOUDGATE_URL", help="The manager.", show_default=DEFAULT_URL),
    ] = None,
    user: Annotated[
        str | None,
        typer.Option(envvar="CLOUDGATE_USER", help="Who is asking.", show_default=DEFAULT_USER),
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(
            envvar="CLOUDGATE_PASSWORD_FILE",
            help="File with the password; or set CLOUDGATE_PASSWORD, or be asked.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(
            envvar="CLOUDGATE_TOKEN_FILE",
            help="File with an API token, in place of user and password; or set CLOUDGATE_TOKEN.",
        ),
    ] = None,
    ca: Annotated[
        Path | None,
        typer.Option(
            envvar="CLOUDGATE_CA",
            help="Certificate authority of the manager.",
            show_default="tls/ca.pem of this machine's manager, else the system's",
        ),
    ] = None,
    output: Annotated[
        Output | None, typer.Option("--output", "-o", help="json for the API's own answers.")
    ] = None,
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show it, and end."),
    ] = False,
) -> None:
    """A cloud gateway for backup service providers."""
    del version  # it was shown by now
    ctx.obj = ConnectionSettings(url, user, password_file, ca, output, token_file)
