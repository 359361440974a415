"""Is each block of commands in the documents run by a test, or is it said why by none?"""

import re
from collections.abc import Iterator

import pytest

from tests.support.project.pages import LISTED, PAGES, ROOT, blocks, run_by, typed

TYPED_BY = "tests/cli/test_typed_pages.py::test_what_the_pages_say_can_be_typed"
NOT_HERE = "not here: "
TESTS = sorted({by for rows in LISTED.values() for by in rows.values() if "::" in by})


def test_each_block_of_commands_stands_in_the_list() -> None:
    assert len(typed()) > 80
    missing = [(each.page, each.first_line) for each in typed() if run_by(each) is None]
    assert not missing, "say in tests/documents/commands_of_pages.toml by what it is run"


def test_each_row_of_the_list_is_of_a_block_that_is_there() -> None:
    there = {(each.page, line) for each in typed() for line in (each.first_line, "*")}
    assert not {(page, first) for page, rows in LISTED.items() for first in rows} - there


def test_a_row_names_a_test_or_says_why_there_is_none() -> None:
    for by in (by for rows in LISTED.values() for by in rows.values()):
        assert by == "typed" or by in TESTS or len(by.removeprefix(NOT_HERE)) > 20, by
        assert by == "typed" or by in TESTS or by.startswith(NOT_HERE), by


@pytest.mark.parametrize("named", [TYPED_BY, *TESTS])
def test_each_test_that_is_named_is_there(named: str) -> None:
    file, _, name = named.partition("::")
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)


def unmarked() -> Iterator[str]:
    for page in PAGES:
        yield from (f"{page}: {each.first_line}" for each in blocks(page) if not each.language)


def test_each_block_says_what_it_is() -> None:
    assert not list(unmarked())
