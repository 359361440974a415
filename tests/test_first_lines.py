"""Does each module of the product name its thing, and then the question that it answers?"""

import ast
import re
from pathlib import Path

from tests.support.source import modules

FORM = re.compile(r"^(?:[A-Z]|gRPC|xDS)[^:?]*: .+\?( .+\.)?$")
"""The thing in the field's word, the question, and perhaps a remark: "Noun: question? Remark."."""


def first_lines() -> dict[Path, str]:
    """By module. A released revision is never edited; what it says is what it changed."""
    return {
        Path(name): (ast.get_docstring(module) or "").partition("\n")[0]
        for name, module in modules().items()
        if "versions" not in Path(name).parts
    }


def test_the_first_line_of_each_module_names_the_thing_and_asks_its_question() -> None:
    others = {str(path): line for path, line in first_lines().items() if not FORM.match(line)}
    assert not others, f'"Noun: question?" is wanted: {others}'


def test_no_two_modules_of_one_folder_answer_one_question() -> None:
    places = [(path.parent, line) for path, line in first_lines().items()]
    assert len(set(places)) == len(places)
