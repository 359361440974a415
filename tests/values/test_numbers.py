"""Numbers of others: are they read however long they are, and by one rule?"""

from pathlib import Path

import pytest

import cloudgate
from cloudgate.values.numbers import whole

SOURCES = Path(cloudgate.__file__).parent
ROOMS = ("api", "cli", "client", "connector", "console", "manager", "wire")
"""Where what comes was written by others, and is no line of the system's."""
OWN = {
    "api/http/proxies.py": "a port as a trusted proxy has written it, which stays a text",
}


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7),
        ("0", 0),
        ("0" * 5000 + "7", 7),
        ("1000", 1000),
        ("1001", None),
        ("9" * 5000, None),
        ("", None),
        ("-1", None),
        ("+1", None),
        (" 1", None),
        ("1_0", None),
        ("\u0661", None),
        ("\u00b2", None),
    ],
)
def test_a_number_is_ascii_digits_of_which_zeros_before_count_for_nothing(
    text: str, number: int | None
) -> None:
    assert whole(text, 0, 1000) == number


def test_less_than_the_least_is_none() -> None:
    assert whole("0", 1, 9) is None


def test_where_others_write_it_is_read_by_the_one_rule() -> None:
    found = {
        str(each.relative_to(SOURCES))
        for room in ROOMS
        for each in (SOURCES / room).rglob("*.py")
        if ".isdigit()" in (text := each.read_text()) or ".isdecimal()" in text
    }
    assert found == set(OWN)
