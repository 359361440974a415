"""Does docs/security.md name tests that are there, for each line of advice?"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.project.source import TESTS, nodes

DOCUMENT = TESTS.parent / "docs" / "security.md"
ADVICE = "## Published advice, line by line"
SHOWN_BY = "Shown by"
OF_THE_BENCH = "`bench`"


def named_tests(text: str) -> set[str]:
    """The tests that a text names."""
    return set(re.findall(r"`(test_\w+)`", text))


def known_tests() -> set[str]:
    """Every test of this project, by its name."""
    return {
        node.name
        for name, inside in nodes(TESTS).items()
        if Path(name).name.startswith("test_")
        for node in inside
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def rows_of_advice(text: str) -> Iterator[list[str]]:
    """The cells of each line of the tables of advice."""
    for line in text.partition(ADVICE)[2].splitlines():
        cells = [each.strip() for each in line.strip().strip("|").split(" | ")]
        if line.startswith("|") and cells[-1] != SHOWN_BY and not set(line) <= set("|-: "):
            yield cells


def test_each_test_that_the_document_names_is_there() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert named_tests(text), "the document names tests"
    assert named_tests(text) <= known_tests()


def test_each_line_of_advice_is_shown_by_a_test_or_says_why_by_none() -> None:
    rows = list(rows_of_advice(DOCUMENT.read_text("utf-8")))
    assert rows
    for row in rows:
        *_, shown = row
        shows = named_tests(shown) or OF_THE_BENCH in shown or shown.startswith("none: ")
        assert len(row) == 4, row
        assert shows, row
