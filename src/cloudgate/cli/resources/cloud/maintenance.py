"""Maintenance commands: what can be done about maintenance of the whole provider?"""

from typing import Annotated

import typer

from cloudgate.cli import groups
from cloudgate.cli.commands import Call, command
from cloudgate.cli.resources.common import change_of

PATH = "/cloud/maintenance"
app = groups.group(
    name="maintenance", help="Maintenance: running tunnels finish, restores begin, backups do not."
)


@command(app, "show")
def show(call: Call) -> None:
    """Show whether there is maintenance, and what tenants hear of it."""
    call.show(PATH)


@command(app, "begin")
def begin(
    call: Call,
    message: Annotated[
        str | None, typer.Option(help="What tenants hear.", show_default=False)
    ] = None,
    restores: Annotated[
        bool, typer.Option("--restores/--no-restores", help="Let restores begin.")
    ] = True,
) -> None:
    """Let no backup begin from now on; live tunnels go on."""
    wanted = change_of(Enabled=True, Message=message, RestoresAllowed=restores)
    call.screen.details(call.api.put(PATH, wanted))


@command(app, "end")
def end(call: Call) -> None:
    """Let everything begin again."""
    call.screen.details(call.api.put(PATH, {"Enabled": False}))
