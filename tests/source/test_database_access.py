"""Does the manager alone read and write the database? Whoever is above it asks its operations."""

import ast
from collections.abc import Iterable, Iterator

from tests.support.project.source import nodes

BY_DATABASE = {
    *("add", "add_all", "delete", "execute", "expire", "flush", "get", "merge", "query"),
    *("refresh", "scalar", "scalars"),
}
ROOM = "manager/"


def asked(inside: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
    """Where a session of the database is asked for something, and for what."""
    for node in inside:
        match node:
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(attr="session") | ast.Name(id="session"), attr=what
                )
            ) if what in BY_DATABASE:
                yield node.lineno, what


def test_only_the_manager_asks_the_database() -> None:
    found = {
        name: list(asked(inside)) for name, inside in nodes().items() if not name.startswith(ROOM)
    }
    assert {file: places for file, places in found.items() if places} == {}


def test_who_asks_the_database_is_found() -> None:
    text = "work.session.get(Row, 1)\nsession.flush()\ncall.session.id\nself._session.close()\n"
    assert list(asked(ast.walk(ast.parse(text)))) == [(1, "get"), (2, "flush")]
