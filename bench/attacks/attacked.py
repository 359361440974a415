"""Figure of an attack: what does a reader see of it, now and in the release before?"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure, as a reader sees it."""

    key: str
    """By which the figure of an earlier release is found."""
    what: str
    wanted: str
    reached: str
    met: bool | None = None
    """None where nothing is wanted of it."""
