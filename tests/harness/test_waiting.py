"""No test waits by spinning: what it waits for needs the processor more."""

import ast
import asyncio
from collections.abc import Callable, Iterable, Iterator

import pytest

from tests.support.project.source import TESTS, nodes
from tests.support.waiting import until, until_async


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


def test_no_loop_looks_again_and_again_but_that_of_support() -> None:
    silenced = "noqa: " + "ASYNC110"
    texts = {str(path.relative_to(TESTS)): path.read_text() for path in TESTS.rglob("*.py")}
    assert [name for name, text in texts.items() if silenced in text] == []


class CountedLooks:
    """Comes to hold at the third look."""

    looks = 0

    def looked_at(self) -> int:
        self.looks += 1
        return self.looks if self.looks > 2 else 0

    async def asked(self) -> int:
        return self.looked_at()


def test_what_comes_to_hold_is_returned_and_looked_for_no_more() -> None:
    assert until(CountedLooks().looked_at) == 3
    assert asyncio.run(until_async(CountedLooks().looked_at)) == 3
    assert asyncio.run(until_async(CountedLooks().asked)) == 3


def nothing() -> bool:
    return False


async def still_nothing() -> bool:
    return False


async def never() -> None:
    await asyncio.Event().wait()


def test_who_waits_in_vain_is_shown_what_there_is() -> None:
    with pytest.raises(AssertionError, match="a log"):
        until(nothing, 0.05, said=lambda: "a log")


@pytest.mark.parametrize("holds", [nothing, still_nothing, never])
def test_who_waits_in_vain_beside_others_is_shown_what_there_is(
    holds: Callable[[], object],
) -> None:
    with pytest.raises(AssertionError, match="a log"):
        asyncio.run(until_async(holds, 0.05, said=lambda: "a log"))
