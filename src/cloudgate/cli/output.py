"""Output: what does a person see, and what a program? Tables, or the API's JSON as it came."""

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cloudgate.cli import readable
from cloudgate.cli.settings import Output
from cloudgate.client.core.kinds import Json
from cloudgate.client.core.lookup import up_link
from cloudgate.values.shown_texts import in_ascii, printable, printable_json

if TYPE_CHECKING:
    from rich.table import Table

    from cloudgate.client.core.exchange import Answer

Columns = Mapping[str, Callable[[Json], str]]
"""The columns of a table: what each says of an object of the API."""
PLUMBING = frozenset({"Links", "Href", "Type"}) | readable.HIDDEN
"""What programs need and people do not."""
_NOBODY_WATCHES_WIDTH = 10_000


@dataclass(frozen=True)
class Screen:
    """Shows results on standard output, and nothing but results."""

    output: Output = Output.TEXT

    def listing(self, answer: "Answer", rows: Sequence[Json], columns: Columns) -> None:
        """Many things: a table, one line for each."""
        if self._shown_as_json(answer):
            return
        _show(_table(rows, columns))

    def sections(self, parts: Mapping[str, tuple[Sequence[Json], Columns]], last: str = "") -> None:
        """Several listings by their names; one that is empty is left out. `last`: for people."""
        if self.output is Output.JSON:
            say(json.dumps({name: rows for name, (rows, _) in parts.items()}))
            return
        shown = [(rows, columns) for rows, columns in parts.values() if rows]
        for number, (rows, columns) in enumerate(shown):
            if number:
                print()
            _show(_table(rows, columns))
        if shown and last:
            print()
        if last:
            say(printable(last))

    def details(self, answer: "Answer") -> None:
        """One thing: its properties by the API's names, one in each line."""
        if self._shown_as_json(answer):
            return
        from rich.table import Table  # noqa: PLC0415  Rich takes a fifth of the time of --help
        from rich.text import Text  # noqa: PLC0415

        grid = Table.grid(padding=(0, 2, 0, 0))
        grid.add_column(style="bold", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in _properties(answer.body):
            grid.add_row(name, Text(printable(_read(name, value, answer.body))))
        _show(grid)

    def remark(self, text: str) -> None:
        """Say what was done where the API answers nothing."""
        if self.output is Output.TEXT:
            say(printable(text))

    def _shown_as_json(self, answer: "Answer") -> bool:
        if self.output is Output.JSON:
            text = printable_json(answer.text)
            say(text if _is_written(text) else in_ascii(text))
        return self.output is Output.JSON


def say(text: str) -> None:
    """Write a line to standard output; letters that it cannot have, as `complain` does."""
    print(text if _is_written(text) else text.encode("ascii", "backslashreplace").decode("ascii"))


def _is_written(text: str) -> bool:
    """Whether standard output has all letters of a text."""
    try:
        text.encode(sys.stdout.encoding if sys.stdout else "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def complain(text: str) -> None:
    """Say on standard error what went wrong."""
    print(f"Error: {printable(text)}", file=sys.stderr)


def note(text: str) -> None:
    """Say on standard error what is to be known besides a result."""
    print(printable(text), file=sys.stderr)


def at(*path: str) -> Callable[[Json], str]:
    """A column: the value at a path of properties, for people."""

    def say(thing: Json) -> str:
        around, value = _followed(thing, path)
        return _read(path[-1], value, around)

    return say


def exactly(*path: str) -> Callable[[Json], str]:
    """A column: the value at a path of properties as the API says it, for programs."""

    def say(thing: Json) -> str:
        return on_one_line(_followed(thing, path)[1])

    return say


def _followed(thing: Json, path: Sequence[str]) -> tuple[Json, Any]:
    """The value at the end of a path, and the object that has it."""
    around: Any = {}
    value: Any = thing
    for name in path:
        around, value = value, value.get(name) if isinstance(value, dict) else None
    return around if isinstance(around, dict) else {}, value


def _read(name: str, value: Any, around: Json) -> str:
    if value is None:
        return ""
    told = readable.read(name, value, around)
    return on_one_line(value) if told is None else told


def backup_server(thing: Json) -> str:
    """A column: the name of the backup server that something belongs to."""
    return str(up_link(thing).get("Name") or "")


def on_one_line(value: Any) -> str:
    """A value of JSON in one line; what is absent or empty inside it is left out."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "\n".join(on_one_line(item) for item in value)
    if isinstance(value, dict):
        parts = [(name, _read(name, inner, value)) for name, inner in _properties(value)]
        if len(parts) == 1 and isinstance(next(iter(value.values())), dict | list):
            return parts[0][1]
        return ", ".join(f"{name} {text}" for name, text in parts)
    return str(value)


def _properties(thing: Json) -> list[tuple[str, Any]]:
    """Name and UID, then the others in the API's order; without plumbing and what is empty."""
    first = [name for name in ("Name", "UID") if name in thing]
    names = first + [name for name in thing if name not in {*first, *PLUMBING}]
    return [(name, thing[name]) for name in names if on_one_line(thing[name])]


def _table(rows: Sequence[Json], columns: Columns) -> "Table":
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in columns:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(say(row))) for say in columns.values()))
    return table


def _show(table: "Table") -> None:
    """Fitted to a terminal; in full, without blanks at the ends of lines, for anything else."""
    from rich.console import Console  # noqa: PLC0415

    if sys.stdout is not None and sys.stdout.isatty():
        Console(highlight=False).print(table)
        return
    console = Console(file=io.StringIO(), width=_NOBODY_WATCHES_WIDTH, highlight=False)
    with console.capture() as capture:
        console.print(table)
    for line in capture.get().splitlines():
        say(line.rstrip())
