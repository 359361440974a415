"""Effective settings: with which was this manager started, to be looked at?"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One that can be decided at the start."""

    name: str
    """As the file with settings has it."""
    value: str | None
    """Without secrets; None for what was left out."""
