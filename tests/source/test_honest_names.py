"""Do names say what they are of? Predicates answer, and what shows itself says its class."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.support.project.source import SOURCE, TESTS, nodes

PREDICATE = re.compile(r"_?(is|are|has|was|may|can)_")
BOOL = re.compile(r"\bbool\b")
"""Also a condition of the database, and a function that answers."""


def dishonest(inside: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """What is called as a question and answers none, and what calls itself by another's name."""
    for node in inside:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if PREDICATE.match(name) and not _answers(node):
                    yield node.lineno, name
            case ast.ClassDef(name=name, body=body):
                for each in body:
                    if isinstance(each, ast.FunctionDef) and each.name == "__repr__":
                        text = ast.unparse(each)
                        if f"{name}(" not in text and "type(self).__name__" not in text:
                            yield each.lineno, f"{name}.__repr__"


def _answers(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return function.returns is not None and bool(BOOL.search(ast.unparse(function.returns)))


@pytest.mark.parametrize("folder", [SOURCE, TESTS], ids=lambda folder: folder.name)
def test_what_is_called_as_a_question_answers_it_and_what_shows_itself_says_its_name(
    folder: Path,
) -> None:
    found = {name: list(dishonest(inside)) for name, inside in nodes(folder).items()}
    assert {file: names for file, names in found.items() if names} == {}


def test_a_name_that_says_something_else_is_found() -> None:
    text = (
        "def is_there() -> None: ...\n"
        "def may_use() -> ColumnElement[bool]: ...\n"
        "class New:\n"
        "    async def has_come(self) -> int: ...\n"
        "    def __repr__(self) -> str:\n"
        "        return f'Old({self.name})'\n"
    )
    found = [(1, "is_there"), (5, "New.__repr__"), (4, "has_come")]
    assert list(dishonest(ast.walk(ast.parse(text)))) == found
