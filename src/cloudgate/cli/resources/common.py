"""Shared resource commands: what is the same for every resource?"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cloudgate.cli import groups
from cloudgate.cli.commands import Call, command
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns
from cloudgate.client.core.addresses import ENTITY
from cloudgate.client.core.kinds import Json, Kind
from cloudgate.errors import InvalidRequestError
from cloudgate.named_files import data_of
from cloudgate.values import durations

Thing = Annotated[str, typer.Argument(metavar="NAME", help="Its name or id.", show_default=False)]
Description = Annotated[str | None, typer.Option(help="What it is for.", show_default=False)]
NewName = Annotated[str | None, typer.Option("--name", help="New name.", show_default=False)]
Site = Annotated[
    str | None,
    typer.Option(
        "--backup-server",
        metavar="NAME",
        help="Name or id of the backup server; may be left out while there is one.",
        show_default=False,
    ),
]


def content_of(file: Path) -> bytes:
    """What is in a file that was named on the command line.

    Raises:
        typer.BadParameter: it cannot be read.
    """
    try:
        return data_of(file)
    except InvalidRequestError as problem:
        raise typer.BadParameter(problem.message) from None


def group(
    kind: Kind, columns: Columns, text: str, show: Callable[..., None] | None = None
) -> typer.Typer:
    """The commands of a kind of thing; `list` and `show` to begin with.

    `columns`: of the table; `show`: shows one, where more can be said of it than its entity.
    """
    app = groups.group(name=kind.word, help=text)

    def show_all(call: Call) -> None:
        answer = call.api.get(kind.path + ENTITY)
        call.screen.listing(answer, answer.body.get(kind.array) or [], columns)

    def show_one(call: Call, name: Thing) -> None:
        call.show(find(call.api, kind, name).entity)

    show_all.__doc__ = f"List the {kind.many}."
    article = "an" if kind.word[0] in "aeio" else "a"
    show_one.__doc__ = f"Show {article} {kind.spoken}."
    command(app, "list")(show_all)
    command(app, "show")(show or show_one)
    return app


def add_delete(app: typer.Typer, kind: Kind, text: str) -> None:
    """Add the command that removes a thing.

    Args:
        app: the commands of this kind of thing.
        kind: of thing.
        text: what it does, for the help.
    """

    def delete(call: Call, name: Thing) -> None:
        answer = call.api.delete(find(call.api, kind, name).path)
        if kind.by_task:
            call.show_task(answer)
        else:
            call.screen.remark(f"Deleted {name}.")

    delete.__doc__ = text
    command(app, "delete", waits=kind.by_task)(delete)


Deadline = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="How long live tunnels may go on, such as 2h, 30m or 45s; 0 ends them now. [8h]",
        show_default=False,
    ),
]


def seconds_of(text: str) -> int:
    """A time such as ``2h`` or ``90`` (seconds).

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return durations.seconds_of(text)
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from None


_SIZE = re.compile(r"(?P<number>[0-9]{1,18}) ?(?P<unit>|B|[KMGTP]i?B?)", re.IGNORECASE)


def bytes_of(text: str) -> int:
    """A size such as ``20TB`` or ``500 GiB``, in units of 1024; a number alone is of bytes.

    Raises:
        typer.BadParameter: it is none.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"{text!r} is no size; write 20TB, 500GB or 0.")
    power = " KMGTP".index(match["unit"][:1].upper() or " ") if match["unit"].upper() != "B" else 0
    number: int = int(match["number"]) * 1024**power
    return number


def with_deadline(path: str, deadline: str | None) -> str:
    """A path of a change that ends tunnels, with the time that they have."""
    return path if deadline is None else f"{path}?drainSeconds={seconds_of(deadline)}"


def body_of(**properties: Any) -> Json:
    """The body of a request; what is None is left out, and so stays as it is."""
    return {name: value for name, value in properties.items() if value is not None}


def change_of(**properties: Any) -> Json:
    """The body of a change, which must change something."""
    body = body_of(**properties)
    if not body:
        raise typer.BadParameter("Nothing to change: give at least one option.")
    return body


def networks_of(networks: list[str] | None, *, none: bool = False) -> Json | None:
    """A list of networks as the API wants it, or an empty one; None where no option says so."""
    if networks and none:
        raise typer.BadParameter("Give networks, or the option that takes them away, not both.")
    if none:
        return {"Networks": []}
    return {"Networks": networks} if networks else None
