"""Texts of others, as they are shown: does nothing of them steer a terminal or a spreadsheet?"""

import json
from pathlib import Path

import pytest

import cloudgate
from cloudgate.values.shown_texts import cell, printable, printable_json

SOURCES = Path(cloudgate.__file__).parent
STEERING = "\x1b[2J\x07\r\x7f\x9b2J\u202e\u2028\U000e0041\ud800"


def test_what_steers_a_terminal_is_shown_as_what_it_is() -> None:
    shown = printable(f"a{STEERING}\nb")
    assert shown.replace("\n", "").isprintable()
    assert shown.startswith("a\\x1b[2J\\x07\\r\\x7f\\x9b2J\\u202e")
    assert printable("a\nb") == "a\nb"
    assert printable("a\nb", kept="") == "a\\nb"
    assert printable("Köln \U0001f600") == "Köln \U0001f600"


def test_json_that_steers_no_terminal_means_the_same() -> None:
    document = {"name": STEERING, "of": ["Köln", "\xa0", "\n\t"]}
    for indent in (None, 1):
        written = json.dumps(document, ensure_ascii=False, indent=indent)
        shown = printable_json(written)
        assert shown.replace("\n", "").isprintable()
        assert json.loads(shown) == document
        assert "Köln" in shown


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(begin: str) -> None:
    assert cell(f"{begin}HYPERLINK()") == f"'{begin}HYPERLINK()"
    assert cell("acme") == "acme"
    assert cell(None) == ""


def test_whoever_writes_a_table_writes_such_cells() -> None:
    texts = [each.read_text() for each in SOURCES.rglob("*.py")]
    writers = [text for text in texts if "csv.writer(" in text]
    assert writers
    assert all("cell(" in text for text in writers)
