"""No test waits by spinning: what it waits for needs the processor more."""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent


def spinning(file: Path) -> Iterator[str]:
    """The loops that ask again and again, and do nothing but look at the clock in between."""
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.While):
            continue
        asks = any(isinstance(each, ast.Call) for each in ast.walk(node.test))
        only_looks = all(isinstance(each, ast.Assert) for each in node.body)
        if asks and only_looks and "monotonic" in ast.unparse(node):
            yield f"{file.relative_to(TESTS)}:{node.lineno}"


def test_no_loop_only_looks_at_the_clock() -> None:
    assert [found for file in TESTS.rglob("*.py") for found in spinning(file)] == []
