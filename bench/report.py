"""Report: what does a reader see? Tables in Markdown, and goals beside what was reached."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Goal:
    """What is wanted of the gateway, and what it reached."""

    name: str
    wanted: str
    reached: str
    met: bool


@dataclass(frozen=True)
class Section:
    """The result of one kind of measurement."""

    title: str
    note: str
    table: str
    goals: tuple[Goal, ...] = ()

    def __str__(self) -> str:
        return f"### {self.title}\n\n{self.note}\n\n{self.table}\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column is text and whose other columns are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def goals(sections: Iterable[Section]) -> Section | None:
    """All goals side by side; None when there are none."""
    rows = [
        (each.name, each.wanted, each.reached, "met" if each.met else "not met")
        for section in sections
        for each in section.goals
    ]
    if not rows:
        return None
    return Section("Goals", "What is wanted, and what this run reached.", _goal_table(rows))


def _goal_table(rows: Iterable[Sequence[str]]) -> str:
    return table(("Goal", "Wanted", "Reached", ""), rows)
