"""A group of commands: what does its help say of each? The first sentence, however long it is."""

from typing import Any

import typer
from typer.core import TyperGroup

_LONGEST_SENTENCE = 1000


class _Group(TyperGroup):
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the commands, each with its sentence in full: the lines are wrapped."""
        named = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, each.get_short_help_str(_LONGEST_SENTENCE)) for name, each in named if each]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def group(**settings: Any) -> typer.Typer:
    """A group of commands with these settings of Typer's."""
    # Rich's columns cut what is long, at 80 characters.
    return typer.Typer(cls=_Group, rich_markup_mode=None, no_args_is_help=True, **settings)
