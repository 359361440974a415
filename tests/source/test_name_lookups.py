"""Are names looked up only where that holds up nobody else?

An event loop has few threads for it, and a name server may be silent for half a minute.
"""

import ast
from collections.abc import Iterable, Iterator

from tests.support.project.source import SOURCE, nodes

MAY = {
    "network/lookups.py",
    "host/platform/addresses.py",  # the machine's own name, which /etc/hosts knows
}


def looking_up(inside: Iterable[ast.AST]) -> Iterator[int]:
    """The lines that have the system or an event loop look a name up."""
    for node in inside:
        if isinstance(node, ast.Attribute) and node.attr in ("getaddrinfo", "gethostbyname"):
            yield node.lineno


def test_names_are_looked_up_by_the_threads_that_are_there_for_it() -> None:
    found = {name: list(looking_up(inside)) for name, inside in nodes(SOURCE).items()}
    assert {name for name, lines in found.items() if lines} == MAY


def test_a_lookup_by_an_event_loop_is_found() -> None:
    text = "async def f(loop):\n    return await loop.getaddrinfo('name', 1)\n"
    assert list(looking_up(ast.walk(ast.parse(text)))) == [2]
