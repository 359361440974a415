"""Does an audit log go on from a backup, or is it of another past?"""

from typing import Any

import pytest

from cloudgate.manager.backups.pasts import BackupEnd, Standing, standing
from cloudgate.manager.backups.revocations import revocations_among
from cloudgate.trust.audit_chain import BEGINNING
from tests.manager.backups.support import entry


def past(called: str, first: int, until: int, previous: str = "") -> list[dict[str, Any]]:
    """Entries of a past, of which the first follows that hash."""
    found, before = [], previous or f"{called}{first - 1}"
    for number in range(first, until + 1):
        digest = f"{called}{number}"
        made = entry(number, "DeleteAccount", digest, object_id=None)
        found.append({**made, "at": digest, "previous": before, "hash": digest})
        before = digest
    return found


KNOWN = {number: f"a{number}" for number in range(3, 6)}
END = BackupEnd(5, KNOWN.get)
"""Of a backup that has removed its first two."""


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        (past("a", 1, 9), Standing.GOES_ON),
        (past("a", 5, 5), Standing.GOES_ON),
        (past("a", 6, 9), Standing.GOES_ON),
        ([*past("a", 4, 9), *past("b", 5, 12, "a4")], Standing.GOES_ON),
        (past("b", 5, 12, "a4"), Standing.APART),
        (past("b", 6, 12), Standing.APART),
        (past("b", 4, 4, "a3"), Standing.APART),
        ([{**each, "hash": ""} for each in past("a", 5, 6)[:1]], Standing.APART),
        (past("a", 1, 4), Standing.ENDS_BEFORE),
        (past("z", 1, 2), Standing.ENDS_BEFORE),
        (past("b", 7, 9), Standing.NOT_TOLD),
        ([], Standing.NOT_TOLD),
    ],
)
def test_by_number_and_hash_it_is_seen_how_entries_stand_to_a_backup(
    entries: list[dict[str, Any]], expected: Standing
) -> None:
    assert standing(entries, END) is expected


def test_the_first_entry_of_all_goes_on_from_a_backup_without_any() -> None:
    assert standing(past("a", 1, 2, BEGINNING), BackupEnd(0)) is Standing.GOES_ON
    assert standing(past("a", 1, 2, "0"), BackupEnd(0)) is Standing.APART


def test_what_a_backup_has_not_is_told_whatever_its_number() -> None:
    both = [*past("a", 1, 7), *past("b", 4, 9, "a3")]
    found = revocations_among(both, END)
    expected = ["a6", "a7", *(f"b{number}" for number in range(4, 10))]
    assert sorted(each.at for each in found.revocations) == expected
    assert found.gaps == ()
    found = revocations_among(past("a", 5, 7), END, past("b", 4, 9, "a3"))
    assert sorted(each.at for each in found.revocations) == expected
    assert found.gaps == (), "what is of another past is not missing in this one"


def test_entries_that_follow_each_other_by_number_alone_are_no_whole() -> None:
    assert revocations_among([*past("a", 5, 7), *past("b", 8, 9)], END).gaps == ((7, 7),)
    assert revocations_among([*past("a", 5, 7), *past("b", 9, 9)], END).gaps == ((8, 8),)
    assert revocations_among([*past("a", 5, 7), *past("a", 6, 9)], END).gaps == ()
