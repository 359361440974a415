"""Does ``make check`` run all tests that start nothing, and no test that has a product started?"""

import ast
from pathlib import Path

from tests.support.project.pure import (
    OVER_AT_ONCE,
    TAKE_LONGER,
    is_pure,
    pure_tests,
    shared_fixtures,
)
from tests.support.project.source import TESTS, modules, nodes


def test_what_starts_nothing_is_tried_before_each_commit() -> None:
    known = pure_tests()
    assert {"manager/queries/test_filter.py", "wire/test_values.py"} <= known
    assert not {"end_to_end/test_backup.py", "api/handlers/cloud/test_gateways.py"} & known


def test_a_module_is_not_pure_that_takes_what_has_something_run() -> None:
    def tree(source: str) -> list[ast.AST]:
        return list(ast.walk(ast.parse(source)))

    fixtures = shared_fixtures()
    assert "running" in fixtures
    assert is_pure(tree("from cloudgate.wire import xml\ndef test_a(one): ..."), fixtures)
    assert not is_pure(tree("def test_a(running): ..."), fixtures)
    assert not is_pure(tree("import subprocess"), fixtures)
    assert not is_pure(tree("from socket import socket"), fixtures)
    assert not is_pure(tree("from tests.support.running.product import product"), fixtures)


def test_what_is_listed_by_hand_is_there_and_has_to_be_listed() -> None:
    fixtures = shared_fixtures()
    assert [name for name in TAKE_LONGER if name not in modules(TESTS)] == []
    assert [name for name in sorted(OVER_AT_ONCE) if name not in modules(TESTS)] == []
    assert [name for name in TAKE_LONGER if not is_pure(nodes(TESTS)[name], fixtures)] == []
    assert [name for name in OVER_AT_ONCE if is_pure(nodes(TESTS)[name], fixtures)] == []
    assert all(Path(name).name.startswith("test_") for name in OVER_AT_ONCE)
