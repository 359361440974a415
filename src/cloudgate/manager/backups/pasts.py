"""Pasts: does an audit log go on from a backup, or is it of another past? Pure.

A restore begins a new past, whose entries have the numbers of those that it has ended. So an entry
is known by its number and its hash.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from cloudgate.manager.backups.change_kinds import Entry
from cloudgate.trust.audit_chain import BEGINNING


def _knows_none(_: int) -> None:
    return None


@dataclass(frozen=True)
class BackupEnd:
    """Where the audit log in a backup ends."""

    number: int
    """Of the last entry; 0 where it has none."""
    hash_of: Callable[[int], str | None] = _knows_none
    """By the number of an entry; None for one that it has not, or not any more."""

    def has(self, entry: Entry) -> bool:
        """Whether that entry is in the backup. Of one without a hash the number decides."""
        number, digest = int(entry["number"]), entry.get("hash")
        if number > self.number:
            return False
        return not digest or self.hash_of(number) in (None, digest)

    def is_followed_by(self, entry: Entry) -> bool:
        """Whether that entry is the backup's last, or was written right after it."""
        last = self.hash_of(self.number) if self.number else BEGINNING
        if last is None:
            return False
        said = {self.number: "hash", self.number + 1: "previous"}.get(int(entry["number"]))
        return said is not None and entry.get(said) == last


class Standing(Enum):
    """How entries stand to a backup."""

    GOES_ON = auto()
    """They are of its past, and begin no later than right after it."""
    NOT_TOLD = auto()
    """They begin later, or there are none: nothing shows what they follow."""
    ENDS_BEFORE = auto()
    """They say nothing of what came after it."""
    APART = auto()
    """They are of another past: what came after the backup is not among them."""


def standing(entries: Sequence[Entry], end: BackupEnd) -> Standing:
    """How these stand to a backup; they may be of several pasts, as in a file of `--audit-log`."""
    if any(end.is_followed_by(each) for each in entries):
        return Standing.GOES_ON
    numbers = [int(each["number"]) for each in entries]
    is_near = end.number in numbers or end.number + 1 in numbers
    others = (each for each in entries if int(each["number"]) <= end.number)
    if is_near or not all(end.has(each) for each in others):
        return Standing.APART
    if numbers and max(numbers) < end.number:
        return Standing.ENDS_BEFORE
    return Standing.NOT_TOLD
