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


_ASKING = {"get", "post", "put", "delete", "head", "options", "request", "stream"}
_CLIENTS = {"Client", "AsyncClient"}


def impatient(inside: Iterable[ast.AST]) -> Iterator[int]:
    """Lines where an HTTP client gives up after its own five seconds."""
    for node in inside:
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        is_one = ast.unparse(node.func.value) == "httpx2" and node.func.attr in _ASKING | _CLIENTS
        said = {each.arg for each in node.keywords}
        if is_one and not said & {"timeout", "transport", None}:
            yield node.lineno


def test_no_http_client_gives_up_while_the_machine_is_busy() -> None:
    found = [
        f"{name}:{line}" for name, inside in nodes(TESTS).items() for line in impatient(inside)
    ]
    assert found == []
