"""Do figures and times read as people say them, in each language?"""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.console.texts import (
    ENGLISH,
    GERMAN,
    NOTHING,
    TONES,
    at_port,
    count,
    day,
    duration,
    is_at_all,
    is_over,
    moment,
    month,
    percent,
    size,
    tone,
)


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KB"),
        (10 * 1024, "10 KB"),
        (5 * 1024**3 // 2, "2.5 GB"),
        (3000 * 1024**6, "3000 EB"),
        (None, "\N{EN DASH}"),
        (True, "\N{EN DASH}"),
    ],
)
def test_bytes_read_as_people_say_them(amount: object, said: str) -> None:
    assert size(amount) == said


def test_times_read_in_utc_and_what_is_none_is_shown_as_it_is() -> None:
    assert moment("2026-11-28T23:22:45.5+01:00") == "2026-11-28 22:22 UTC"
    assert moment("2026-11-28T23:22:45") == "2026-11-28 23:22 UTC"
    assert moment("soon") == "soon"
    assert moment(None) == "\N{EN DASH}"


def test_a_part_of_nothing_is_none_and_more_than_all_is_all() -> None:
    assert [percent(1, 3), percent(5, 0), percent(None, 5), percent(9, 3)] == [33, 0, 0, 100]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (659, "10 min"),
        (3600, "1 h"),
        (7290, "2 h 2 min"),
        (3_600_000, "1.000 h"),
        (None, NOTHING),
    ],
)
def test_how_long_something_took_reads_as_people_say_it(seconds: int | None, said: str) -> None:
    assert duration(seconds, GERMAN) == said


UNITS = {unit: 1024**power for power, unit in enumerate(("B", "KB", "MB", "GB", "TB", "PB", "EB"))}
EXBIBYTE = 1024**6


@given(st.integers(0, 1000 * EXBIBYTE))
@example(1024**2 - 1)
@example(1024**3 - 1)
def test_bytes_are_said_within_a_twentieth_and_in_the_unit_that_fits(amount: int) -> None:
    number, unit = size(amount).split(" ")
    meant = float(number) * UNITS[unit]
    assert abs(meant - amount) <= amount / 20
    assert float(number) < 1024 or unit == "EB"
    assert size(amount, GERMAN) == f"{number.replace('.', ',')} {unit}"


@given(st.integers())
def test_a_number_of_things_is_read_again_as_the_same(amount: int) -> None:
    assert int(count(amount, ENGLISH).replace(",", "")) == amount
    assert int(count(amount, GERMAN).replace(".", "")) == amount
    assert all(len(each) == 3 for each in count(amount).lstrip("-").split(",")[1:])


@given(st.integers(0, 10**9))
def test_how_long_something_took_is_said_in_the_largest_unit_and_the_next(seconds: int) -> None:
    said = duration(seconds)
    worth = {"h": 3600, "min": 60, "s": 1}
    parts = re.findall(r"([\d,]+) (h|min|s)", said)
    meant = sum(int(number.replace(",", "")) * worth[unit] for number, unit in parts)
    assert 1 <= len(parts) <= 2
    assert " ".join(f"{number} {unit}" for number, unit in parts) == said
    assert abs(meant - seconds) <= max(seconds / 10, 0)
    smaller = [int(number) for number, unit in parts[1:] if unit != "h"]
    assert all(each < 60 for each in smaller)


def test_what_is_no_number_is_not_known() -> None:
    what: object
    for what in (None, True, 1.5, "7", []):
        assert size(what) == count(what) == duration(what) == NOTHING


def test_months_days_and_times_read_as_the_language_has_them() -> None:
    assert (month("2026-11"), month("2026-11", GERMAN)) == ("2026-11", "11/2026")
    assert (month("2026-13"), month(None)) == ("2026-13", "None")
    begin = datetime(2026, 11, 2, tzinfo=UTC)
    assert (day(begin), day(begin, GERMAN)) == ("2026-11-02", "02.11.2026")
    assert moment("2026-11-28T23:22:45.5+01:00", GERMAN) == "28.11.2026, 22:22 UTC"


def test_what_never_was_is_no_time_and_is_not_over() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert not is_at_all("1753-01-01T00:00:00Z")
    assert not is_at_all("")
    assert not is_at_all(None)
    assert is_at_all("2026-01-01T00:00:00Z")
    assert not is_over("1753-01-01T00:00:00Z", now)
    assert is_over("2026-01-01T00:00:00Z", now)
    assert not is_over("2026-01-01T00:00:00.000001Z", now)


def test_where_one_connects_to_reads_as_it_is_typed() -> None:
    assert at_port("vault.example", 8443) == "vault.example:8443"
    assert at_port("2001:db8::1", 8443) == "[2001:db8::1]:8443"
    assert at_port(None, 8443) == at_port("", 8443) == NOTHING


def test_a_state_that_nobody_has_thought_of_is_neither_good_nor_bad() -> None:
    assert tone("Listening") == "good"
    assert tone("Something new") == tone(None) == "idle"
    assert set(TONES.values()) == {"good", "busy", "warn", "bad", "idle"}
