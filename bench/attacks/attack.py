"""Attacks: what do strangers reach who attack a manager or a gateway, before and now?

Each row is measured in the same way on each release. What the release before reached is kept as
data beside this, with its version: `python -m bench attack --record RELEASE` writes it anew.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.attacks import attack_gateway, attack_manager
from bench.attacks.attacked import Row
from bench.report import Goal, Section, table

PARTS: dict[str, Callable[[Path], Iterator[Row]]] = {
    "logons": attack_manager.logons,
    "silence": attack_manager.silence,
    "files": attack_manager.files,
    "guesses": attack_gateway.guesses,
    "floods": attack_gateway.floods,
}
"""Each kind of attack, and how its rows are measured."""
_KEPT = Path(__file__).with_name("attack_before.json")


@dataclass(frozen=True)
class Before:
    """What an earlier release reached."""

    release: str
    figures: dict[str, str]
    """By the key of the row."""


def measure(folder: Path, parts: tuple[str, ...] = (), record: str | None = None) -> Section:
    """Attack, kind after kind.

    Args:
        folder: an empty one.
        parts: kinds; all when empty.
        record: keep the figures as those of this release.
    """
    rows: list[Row] = []
    for name in parts or tuple(PARTS):
        place = folder / name
        place.mkdir(parents=True)
        rows.extend(PARTS[name](place))
    before = _before()
    if record is not None:
        figures = before.figures | {row.key: row.reached for row in rows}
        _KEPT.write_text(json.dumps({"release": record, "figures": figures}, indent=2) + "\n")
    return _section(rows, before)


def _before() -> Before:
    if not _KEPT.exists():
        return Before("nothing kept", {})
    kept = json.loads(_KEPT.read_text())
    return Before(kept["release"], kept["figures"])


def _section(rows: list[Row], before: Before) -> Section:
    head = ("Attack, and what is measured", "wanted", "before", "now", "")
    lines = [
        (
            row.what,
            row.wanted,
            before.figures.get(row.key, "-"),
            row.reached,
            "" if row.met is None else "met" if row.met else "not met",
        )
        for row in rows
    ]
    goals = tuple(
        Goal(row.what, row.wanted, row.reached, row.met) for row in rows if row.met is not None
    )
    note = f"Attackers and attacked share this machine. Before: {before.release}."
    return Section("Under attack", note, table(head, lines), goals)
