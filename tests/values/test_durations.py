"""Durations: what people type for a time, and what is none."""

import pytest

from cloudgate.values.durations import seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("45s", 45),
        ("30m", 1800),
        ("2h", 7200),
        ("7d", 604_800),
        ("90", 90),
        ("0", 0),
        ("007m", 420),
    ],
)
def test_a_number_with_a_unit_is_a_time_and_one_without_is_of_seconds(
    text: str, seconds: int
) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "h", "2 h", "-1h", "1.5h", "2w", "٣h", "9" * 5000 + "h", "2H"]
)
def test_anything_else_is_none_and_is_told_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="is no time; write 2h, 30m, 45s or 0"):
        seconds_of(text)
