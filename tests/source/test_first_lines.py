"""Does each module name its thing, and then the question that it answers?"""

import ast
import re
from pathlib import Path

import pytest

from tests.support.project.source import SOURCE, TESTS, modules

FOLDERS = [SOURCE, *(TESTS.parent / name for name in ("bench", "data_path", "delivery"))]

FORM = re.compile(r"^(?:[A-Z]|gRPC|xDS)[^:?]*: .+\?( .+\.)?$")
"""The thing in the field's word, the question, and perhaps a remark: "Noun: question? Remark."."""


def first_lines(folder: Path) -> dict[Path, str]:
    """By module. A released revision is never edited; what it says is what it changed."""
    return {
        Path(name): (ast.get_docstring(module) or "").partition("\n")[0]
        for name, module in modules(folder).items()
        if "versions" not in Path(name).parts
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda each: each.name)
def test_the_first_line_of_each_module_names_the_thing_and_asks_its_question(folder: Path) -> None:
    others = {str(path): line for path, line in first_lines(folder).items() if not FORM.match(line)}
    assert not others, f'"Noun: question?" is wanted: {others}'


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda each: each.name)
def test_no_two_modules_of_one_folder_answer_one_question(folder: Path) -> None:
    places = [(path.parent, line) for path, line in first_lines(folder).items()]
    assert len(set(places)) == len(places)


def test_each_module_of_tests_says_what_it_is_about() -> None:
    assert [str(path) for path, line in first_lines(TESTS).items() if not line] == []
