"""Is it seen from the lines alone when one was altered, taken away or put elsewhere?"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.trust import audit_chain
from cloudgate.trust.audit_chain import (
    BEGINNING,
    RESTORED,
    Verdict,
    hash_of,
    span,
    verify_lines,
)

Line = dict[str, Any]


def chained(count: int, first: int = 1) -> list[Line]:
    """Entries as an outlet has them."""
    lines, previous = [], BEGINNING
    for number in range(first, first + count):
        said = {"number": number, "text": f"Entry {number}", "after": {"Name": "ä"}}
        digest = hash_of(said, previous)
        lines.append({**said, "previous": previous, "hash": digest})
        previous = digest
    return lines


def restored(after: Line, count: int, operation: str = RESTORED) -> list[Line]:
    """What comes after a restore of a backup whose last entry that is."""
    lines: list[Line] = []
    previous = after["hash"]
    for number in range(after["number"] + 1, after["number"] + 1 + count):
        said = {"number": number, "operation": operation, "text": f"Anew {len(lines)}"}
        digest = hash_of(said, previous)
        lines.append({**said, "previous": previous, "hash": digest})
        previous, operation = digest, "EditCloudTenant"
    return lines


lengths = st.integers(1, 12)


@given(lengths, st.integers(1, 10**6))
def test_what_follows_is_right_wherever_a_file_begins(count: int, first: int) -> None:
    lines = chained(count, first)
    assert verify_lines(lines) == Verdict(count, first, first + count - 1, lines[-1]["hash"])


def test_no_lines_are_no_entries() -> None:
    assert verify_lines([]) == Verdict(0, None, None, BEGINNING)


@given(lengths, st.data())
def test_what_was_delivered_again_counts_once(count: int, data: st.DataObject) -> None:
    lines = chained(count)
    until = data.draw(st.integers(1, count))
    since = data.draw(st.integers(0, until - 1))
    again = [*lines[:until], *lines[since:]]
    assert verify_lines(again) == verify_lines(lines)


def test_what_was_delivered_again_otherwise_than_before_is_named() -> None:
    lines = chained(3)
    found = verify_lines([*lines, {**lines[1], "text": "another"}])
    assert (found.wrong, found.entries) == (2, 3)


@given(st.integers(2, 12), st.data())
def test_the_first_that_was_altered_is_named(count: int, data: st.DataObject) -> None:
    lines = chained(count)
    place = data.draw(st.integers(0, count - 1))
    what = data.draw(st.sampled_from(["text", "after", "hash", "previous", "added", "left out"]))
    altered = dict(lines[place])
    if what == "left out":
        del altered["text"]
    else:
        altered[what] = "x"
    found = verify_lines([*lines[:place], altered, *lines[place + 1 :]])
    assert found.wrong == place + 1
    assert found.entries == place
    assert found.message == (
        f"Entry {place + 1} is not as it was written, or the one before it is not."
    )


@given(st.integers(3, 12), st.data())
def test_what_was_taken_out_of_the_middle_is_named(count: int, data: st.DataObject) -> None:
    lines = chained(count)
    since = data.draw(st.integers(1, count - 2))
    until = data.draw(st.integers(since + 1, count - 1))
    found = verify_lines([*lines[:since], *lines[until:]])
    assert (found.wrong, found.last, found.entries) == (since + 1, since, since)
    assert found.message == f"{span(since + 1, until)} missing."


@given(st.integers(2, 12), st.data())
def test_lines_in_another_order_are_wrong(count: int, data: st.DataObject) -> None:
    lines = chained(count)
    other = data.draw(st.permutations(lines))
    assert (verify_lines(other).wrong is None) == (other == lines)


def test_an_entry_that_was_made_anew_from_an_altered_one_on_breaks_where_it_meets_the_old() -> None:
    lines = chained(4)
    said = {"number": 2, "text": "another", "after": None}
    forged = {**said, "previous": lines[0]["hash"], "hash": hash_of(said, lines[0]["hash"])}
    assert verify_lines([lines[0], forged]).wrong is None, "the end alone shows nothing"
    assert verify_lines([lines[0], forged, *lines[2:]]).wrong == 3


@given(lengths, lengths, st.data())
def test_after_a_restore_lines_go_on_from_the_backup_and_what_it_replaced_is_named(
    before: int, after: int, data: st.DataObject
) -> None:
    lines = chained(before)
    last = data.draw(st.integers(1, before))
    again = data.draw(st.integers(0, last))  # the backup knew of no more that were delivered
    anew = restored(lines[last - 1], after)
    found = verify_lines([*lines, *lines[again:last], *anew, *anew])
    replaced = ((last + 1, before),) if last < before else ()
    expected = Verdict(before + after, 1, last + after, anew[-1]["hash"], replaced=replaced)
    assert found == expected


@given(lengths, lengths, st.data())
def test_what_was_altered_is_named_also_after_a_restore(
    before: int, after: int, data: st.DataObject
) -> None:
    lines = chained(before)
    last = data.draw(st.integers(1, before))
    anew = restored(lines[last - 1], after)
    place = data.draw(st.integers(0, after - 1))
    anew[place] = {**anew[place], "text": "another"}
    found = verify_lines([*lines, *anew])
    assert (found.wrong, found.entries) == (anew[place]["number"], before + place)
    assert "is not as it was written" in found.message


def test_of_several_restores_each_past_is_replaced_but_what_the_newest_goes_on_from() -> None:
    first = chained(10)
    second = restored(first[3], 3)
    third = restored(first[7], 4)
    fourth = restored(third[1], 1)
    found = verify_lines([*first, *second, *third])
    assert (found.message, found.last) == ("", 12)
    assert found.replaced == ((9, 10), (5, 7))
    found = verify_lines([*first, *second, *third, *fourth])
    assert (found.message, found.last, found.hash) == ("", 11, fourth[-1]["hash"])
    assert found.replaced == ((9, 10), (5, 7), (11, 12))


def test_a_restore_goes_on_from_no_entry_that_the_file_should_have_and_has_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = chained(10)
    other = {**lines[4], "hash": "another"}
    assert verify_lines([*lines, *restored(other, 2)]).wrong == 6
    assert verify_lines([*lines, *restored({**lines[4], "number": 5, **_hash(lines[3])}, 2)]).wrong
    assert verify_lines([*lines, *restored(lines[4], 2, "EditCloudTenant")]).wrong == 6
    monkeypatch.setattr(audit_chain, "REMEMBERED", 5)
    assert verify_lines([*lines, *restored(lines[3], 2)]).wrong == 5, "nobody remembers it"
    assert verify_lines([*lines, *restored(lines[6], 2)]).wrong is None


def _hash(line: Line) -> Line:
    return {"hash": line["hash"]}


def test_a_restore_may_go_on_from_what_was_rotated_away() -> None:
    lines = chained(10)
    found = verify_lines([*lines[6:], *restored(lines[2], 2)])
    assert (found.message, found.first, found.last) == ("", 7, 5)
    assert found.replaced == ((7, 10),)


def test_a_line_that_is_none_is_not_passed_over() -> None:
    with pytest.raises(KeyError):
        verify_lines([{"number": 1}])


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text()))
def test_a_hash_is_of_what_is_said_in_whatever_order(said: Line) -> None:
    said.pop("previous", None)
    turned = dict(reversed(said.items()))
    assert hash_of(said, BEGINNING) == hash_of(turned, BEGINNING)
    assert hash_of(said, BEGINNING) != hash_of({**said, "more": 1, "moré": 2}, BEGINNING)


def test_what_is_missing_reads_as_one_or_as_several() -> None:
    assert span(3, 3) == "Entry 3 is"
    assert span(3, 5) == "Entries 3 to 5 are"
