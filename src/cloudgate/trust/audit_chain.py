"""Audit chain: do entries of an audit log follow each other? Pure."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

BEGINNING = "0" * 64
"""The hash before the first entry of all."""


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


def hash_of(document: dict[str, Any], previous: str) -> str:
    """The hash of an entry, from what it says and the hash of the one before it."""
    said = json.dumps({**document, "previous": previous}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


REMEMBERED = 100_000
"""Entries before the current one that may follow it again: many times what is delivered at once,
and little memory however long a file is."""


def verify_lines(lines: Iterable[dict[str, Any]]) -> Verdict:
    """See whether entries as an outlet has them follow each other; some may be there twice.

    Raises:
        KeyError: a line is none of an outlet.
    """
    seen: dict[int, str] = {}
    entries = 0
    first: int | None = None
    number: int | None = None
    previous = ""
    for line in lines:
        said = {key: value for key, value in line.items() if key not in ("previous", "hash")}
        here, before, digest = int(said["number"]), str(line["previous"]), str(line["hash"])
        is_right = hash_of(said, before) == digest
        if is_right and seen.get(here) == digest:
            continue  # delivered again after a crash
        if number is not None and here > number + 1:
            problem = f"{span(number + 1, here - 1)} missing."
            return Verdict(entries, first, number, previous, number + 1, problem)
        if not is_right or (number is not None and (before != previous or here != number + 1)):
            problem = f"Entry {here} is not as it was written, or the one before it is not."
            return Verdict(entries, first, number, previous, here, problem)
        number, previous, first = here, digest, first or here
        entries += 1
        seen[here] = digest
        if len(seen) > REMEMBERED:
            del seen[next(iter(seen))]
    return Verdict(entries, first, number, previous or BEGINNING)


def span(first: int, last: int) -> str:
    """What is missing, in words."""
    return f"Entry {first} is" if first >= last else f"Entries {first} to {last} are"
