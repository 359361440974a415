"""Manual pages: what does `man` say of each command? What its declaration does, as man(7) has it.

Started as a program, it writes them, and what shells complete, into a folder: `write`.
"""

import gzip
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from cloudgate import __version__
from cloudgate.cli.app import app
from delivery import completions

NAME = "cloudgate"
_STATUS = """.SH EXIT STATUS
.TP
.B 0
It was done.
.TP
.B 1
It was not: the reason is on standard error, in one sentence.
.TP
.B 2
The command line was not understood.
"""
_SHARED = f""".PP
Those of
.BR {NAME} (1)
that say which manager is asked, and as whom, may stand here, too.
"""


def commands() -> dict[str, Any]:
    """All commands, and groups of them, by their words, as what Typer makes of the declarations."""
    return dict(_below(typer.main.get_command(app), NAME))


def _below(command: Any, words: str) -> Iterator[tuple[str, Any]]:
    yield words, command
    for name, each in sorted(getattr(command, "commands", {}).items()):
        if not each.hidden:
            yield from _below(each, f"{words} {name}")


def pages(day: datetime) -> dict[str, str]:
    """The manual pages by the names of their files, of that day."""
    known = commands()
    return {f"{_file(words)}.1": _page(words, known, day) for words in known}


def write(folder: Path, day: datetime) -> None:
    """Write, as they lie below ``/usr/share``, the pages and what shells complete.

    Pages are packed as Debian's Policy (12.1) has it, with no time in them.
    """
    for name, text in pages(day).items():
        _write(folder / "man" / "man1" / f"{name}.gz", gzip.compress(text.encode(), 9, mtime=0))
    for place, text in completions.scripts().items():
        _write(folder / place, text.encode())


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _file(words: str) -> str:
    return words.replace(" ", "-")


def _page(words: str, known: dict[str, Any], day: datetime) -> str:
    command = known[words]
    context = typer.Context(command, info_name=words)
    summary, *more = [" ".join(each.split()) for each in (command.help or "").split("\n\n")]
    usage = command.get_usage(context).removeprefix("Usage:").removeprefix(f" {words}").strip()
    title = _file(words).upper()
    parts = [
        f'.TH "{_text(title)}" 1 "{day:%Y-%m-%d}" "{NAME} {__version__}" "User Commands"\n',
        f".SH NAME\n{_text(_file(words))} \\- {_text(_uncapped(summary))}\n",
        f".SH SYNOPSIS\n.B {_text(words)}\n{_text(usage)}\n",
        f".SH DESCRIPTION\n{_text(summary)}\n",
        *(f".PP\n{_text(each)}\n" for each in more),
        _listed("ARGUMENTS", _records(command, context, "argument")),
        _listed("OPTIONS", _records(command, context, "option")),
        _SHARED if any(each.name == "url" and each.hidden for each in command.params) else "",
        _listed("COMMANDS", _members(words, known)),
        _STATUS,
        _see_also(words, known),
    ]
    return "".join(parts)


def _records(command: Any, context: Any, kind: str) -> Iterator[tuple[str, str]]:
    """Each option or argument, and what it is for, in the words of the command's own help."""
    for each in command.params:
        record = each.get_help_record(context) if each.param_type_name == kind else None
        if record is not None:
            yield "".join(_marked(part) for part in re.split(r"(\s+)", record[0])), record[1]


def _members(words: str, known: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The commands below a group, each with what it does."""
    for name, command in known.items():
        if name.startswith(f"{words} ") and not hasattr(command, "commands"):
            yield rf"\fB{_text(name)}\fR", (command.help or "").split("\n\n")[0]


def _marked(part: str) -> str:
    """A part of a usage: bold is typed as it stands, italic is put in its place (man(7))."""
    if part.isspace() or part == "/":
        return part
    return rf"\fB{_text(part)}\fR" if part.startswith("-") else rf"\fI{_text(part)}\fR"


def _listed(title: str, rows: Iterator[tuple[str, str]]) -> str:
    written = "".join(f".TP\n{name}\n{_text(' '.join(said.split()))}\n" for name, said in rows)
    return f".SH {title}\n{written}" if written else ""


def _see_also(words: str, known: dict[str, Any]) -> str:
    """What leads to a command, and what lies right below it."""
    above = [words.rsplit(" ", depth)[0] for depth in range(words.count(" "), 0, -1)]
    below = [each for each in known if each.rpartition(" ")[0] == words]
    if not above + below:
        return ""
    named = [f".BR {_text(_file(each))} (1)" for each in above + below]
    return ".SH SEE ALSO\n" + ",\n".join(named) + "\n"


def _uncapped(sentence: str) -> str:
    """A sentence as the line of whatis(1) has it."""
    first, _, rest = sentence.partition(" ")
    return f"{first[:1].lower()}{first[1:]} {rest}".rstrip(". ")


def _text(plain: str) -> str:
    """Text that means itself to roff (groff_char(7))."""
    escaped = plain.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^(?=[.'])", r"\\&", escaped)


if __name__ == "__main__":
    seconds = int(os.environ["SOURCE_DATE_EPOCH"])
    write(Path(sys.argv[1]), datetime.fromtimestamp(seconds, UTC))
