"""Does everything that takes an error of the system say what it takes it for?

ENOENT may mean that there is none; EMFILE and EIO never do. So whoever catches OSError tells
somebody which it was (raises it, or passes it on), looks at its number, or names in a comment the
numbers that it stands for and what they mean there. An error of our own that has no word of the one
of the system takes all of its numbers for one thing.
"""

import ast
import re
from collections.abc import Iterable, Iterator

from tests.support.project.source import SOURCE, nodes

CAUGHT = {"OSError", "EnvironmentError", "IOError"}
NUMBER = re.compile(r"#.*\bE[A-Z]{3,}\b|\berrno\b")


def catching(inside: Iterable[ast.AST]) -> Iterator[tuple[ast.AST, int, int]]:
    """What catches OSError, and its first and last line."""
    for node in inside:
        if isinstance(node, ast.ExceptHandler) and node.type is not None:
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            if CAUGHT & {ast.unparse(each) for each in kinds}:
                yield node, node.lineno, node.end_lineno or node.lineno
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                call = item.context_expr
                if (
                    isinstance(call, ast.Call)
                    and ast.unparse(call.func).endswith("suppress")
                    and CAUGHT & {ast.unparse(each) for each in call.args}
                ):
                    yield node, node.lineno, node.end_lineno or node.lineno


def tells(node: ast.AST) -> bool:
    """Whether a handler raises the error that it has caught, or uses it."""
    if not isinstance(node, ast.ExceptHandler):
        return False
    inside = [each for statement in node.body for each in ast.walk(statement)]
    return any(
        (isinstance(each, ast.Raise) and each.exc is None)
        or (isinstance(each, ast.Name) and each.id == node.name)
        for each in inside
    )


def silent(source: str, inside: Iterable[ast.AST] | None = None) -> list[int]:
    """The lines that take an error for something without a word."""
    inside = ast.walk(ast.parse(source)) if inside is None else inside
    lines = source.splitlines()
    return [
        first
        for node, first, last in catching(inside)
        if not tells(node) and not any(NUMBER.search(each) for each in lines[first - 2 : last])
    ]


def test_whoever_catches_an_error_of_the_system_says_what_it_stands_for() -> None:
    found = {
        name: silent((SOURCE / name).read_text("utf-8"), inside) for name, inside in nodes().items()
    }
    assert {file: lines for file, lines in found.items() if lines} == {}


def test_a_silent_handler_is_found() -> None:
    text = "try:\n    x()\nexcept {}:{}\n    y()\n"
    assert silent(text.format("OSError", "")) == [3]
    assert silent(text.format("(ValueError, OSError)", "")) == [3]
    assert silent(text.format("OSError", "  # it is gone")) == [3]
    assert silent(text.format("OSError", "  # ENOENT: it is gone")) == []
    assert silent(text.format("ValueError", "")) == []
    assert silent("with suppress(OSError):\n    x()\n") == [1]
    assert silent("try:\n    x()\nexcept OSError as error:\n    raise Y(error)\n") == []
    assert silent("try:\n    x()\nexcept OSError:\n    close()\n    raise\n") == []
    assert silent("try:\n    x()\nexcept OSError:\n    raise Y('another has it')\n") == [3]
