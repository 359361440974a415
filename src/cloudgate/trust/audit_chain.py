"""Audit chain: do entries of an audit log follow each other? Pure."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

BEGINNING = "0" * 64
"""The hash before the first entry of all."""
RESTORED = "RestoreBackup"
"""What the first entry of a past is called that a restore begins."""


@dataclass(frozen=True)
class Verdict:
    """What was found out about the audit log."""

    entries: int
    """That are there and follow each other from the beginning."""
    first: int | None
    last: int | None
    hash: str
    """Of the last of these."""
    wrong: int | None = None
    """The number of the first entry that is not as it was, or is missing; None when none is."""
    message: str = ""
    """What is wrong."""
    replaced: tuple[tuple[int, int], ...] = ()
    """From and to: entries of a file that are of a past which a restore has replaced."""


def hash_of(document: dict[str, Any], previous: str) -> str:
    """The hash of an entry, from what it says and the hash of the one before it."""
    said = json.dumps({**document, "previous": previous}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


REMEMBERED = 100_000
"""Entries before the current one that may follow it again: many times what is delivered at once,
and little memory however long a file is."""


@dataclass(eq=False)
class _Past:
    """Entries that follow each other, from the beginning of a file or a restore on."""

    first: int
    last: int
    hash: str
    """Of the last."""
    goes_on_from: Self | None
    """The past that has the entry before the first; None where the file has none."""


def verify_lines(lines: Iterable[dict[str, Any]]) -> Verdict:
    """See whether entries as an outlet has them follow each other; some may be there twice.

    The first one after a restore goes on from an entry that is not the last before it in the file.
    What comes between these two is of a past that was replaced.

    Raises:
        KeyError: a line is none of an outlet.
    """
    seen: dict[str, tuple[int, _Past]] = {}
    pasts: list[_Past] = []
    entries = 0
    for line in lines:
        said = {key: value for key, value in line.items() if key not in ("previous", "hash")}
        here, before, digest = int(said["number"]), str(line["previous"]), str(line["hash"])
        is_right = hash_of(said, before) == digest
        if is_right and digest in seen:
            continue  # delivered again after a crash
        is_restore = said.get("operation") == RESTORED
        past = _past_of(pasts, seen, here, before, is_restore=is_restore) if is_right else None
        if past is None:
            return _wrong(pasts, entries, here)
        if not pasts or past is not pasts[-1]:
            pasts.append(past)
        past.last, past.hash = here, digest
        entries += 1
        seen[digest] = here, past
        if len(seen) > REMEMBERED:
            del seen[next(iter(seen))]
    return _verdict(pasts, entries)


def _past_of(
    pasts: Sequence[_Past],
    seen: Mapping[str, tuple[int, _Past]],
    number: int,
    before: str,
    *,
    is_restore: bool,
) -> _Past | None:
    """The past that an entry goes on with, perhaps as its first; None where it follows nothing."""
    if not pasts:
        return _Past(number, number, "", None)
    if (number, before) == (pasts[-1].last + 1, pasts[-1].hash):
        return pasts[-1]
    if not is_restore:
        return None
    at, origin = seen.get(before, (0, None))
    if origin is not None:
        return _Past(number, number, "", origin) if at == number - 1 else None
    was_rotated_away = number <= min(each.first for each in pasts)
    return _Past(number, number, "", None) if was_rotated_away else None


def _wrong(pasts: Sequence[_Past], entries: int, here: int) -> Verdict:
    """What is found where an entry does not follow the one before it."""
    last = pasts[-1].last if pasts else here
    if here > last + 1:
        problem = f"{span(last + 1, here - 1)} missing."
        return _verdict(pasts, entries, last + 1, problem)
    problem = f"Entry {here} is not as it was written, or the one before it is not."
    return _verdict(pasts, entries, here, problem)


def _verdict(
    pasts: Sequence[_Past], entries: int, wrong: int | None = None, message: str = ""
) -> Verdict:
    if not pasts:
        return Verdict(entries, None, None, "" if message else BEGINNING, wrong, message)
    first, newest = pasts[0].first, pasts[-1]
    replaced = tuple(_replaced(pasts))
    return Verdict(entries, first, newest.last, newest.hash, wrong, message, replaced)


def _replaced(pasts: Sequence[_Past]) -> Iterator[tuple[int, int]]:
    """What the newest of these pasts does not go on from."""
    newest = pasts[-1]
    kept = {newest: newest.last}
    while newest.goes_on_from is not None:
        kept[newest.goes_on_from] = newest.first - 1
        newest = newest.goes_on_from
    for each in pasts:
        first = max(each.first, kept.get(each, 0) + 1)
        if first <= each.last:
            yield first, each.last


def span(first: int, last: int) -> str:
    """What is missing, in words."""
    return f"Entry {first} is" if first >= last else f"Entries {first} to {last} are"
