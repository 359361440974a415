"""No test waits by spinning: what it waits for needs the processor more."""

import ast
from collections.abc import Iterable, Iterator

from tests.support.source import TESTS, nodes


def spinning(inside: Iterable[ast.AST]) -> Iterator[int]:
    """Lines of loops that ask again and again, and do nothing but look at the clock in between."""
    for node in inside:
        if not isinstance(node, ast.While):
            continue
        asks = any(isinstance(each, ast.Call) for each in ast.walk(node.test))
        only_looks = all(isinstance(each, ast.Assert) for each in node.body)
        if asks and only_looks and "monotonic" in ast.unparse(node):
            yield node.lineno


def test_no_loop_only_looks_at_the_clock() -> None:
    found = [f"{name}:{line}" for name, inside in nodes(TESTS).items() for line in spinning(inside)]
    assert found == []
