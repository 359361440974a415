"""Does ``make check`` run all tests that start nothing? The Makefile lists them as ``PURE``."""

import ast
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support.source import TESTS, modules, nodes

START_NOTHING = {"tests.support.source", "tests.support.waiting"}
START_SOMETHING = {"socket", "subprocess"}
TAKE_LONGER = {
    "data_path/test_fuzz.py": "a compiler, and what it made",
    "data_path/test_request.py": "a compiler",
    "host/test_xds_resources.py": "Envoy",
    "manager/test_later_releases.py": "databases",
    "manager/test_sealed_files.py": "what hashes a passphrase",
    "manager/test_storage.py": "databases",
}
"""Modules by whose imports one does not see it, with what they run."""


def listed() -> frozenset[str]:
    """What the Makefile names: folders, and modules."""
    command = ["make", "--silent", "--eval", "listed: ; @echo $(PURE)", "listed"]
    said = subprocess.run(
        command,
        cwd=TESTS.parent,
        env={**os.environ, "MAKEFLAGS": ""},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=60,
    )
    return frozenset(said.stdout.split())


def given() -> frozenset[str]:
    """The fixtures that several modules share: each has something run."""
    return frozenset(
        node.name
        for name, inside in nodes(TESTS).items()
        if Path(name).name == "conftest.py"
        for node in inside
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and any("fixture" in ast.unparse(each) for each in node.decorator_list)
    )


def is_pure(inside: Iterable[ast.AST], fixtures: frozenset[str]) -> bool:
    """Whether a module takes from nobody what has something run."""
    for node in inside:
        match node:
            case ast.ImportFrom(module=str(name)):
                if name.startswith("tests.") and name not in START_NOTHING:
                    return False
                if name in START_SOMETHING:
                    return False
            case ast.Import(names=names):
                if any(each.name in START_SOMETHING for each in names):
                    return False
            case ast.arg(arg=name) if name in fixtures:
                return False
    return True


def test_what_starts_nothing_is_tried_before_each_commit() -> None:
    known, fixtures = listed(), given()
    forgotten = [
        name
        for name, inside in nodes(TESTS).items()
        if Path(name).name.startswith("test_")
        and len(Path(name).parts) > 1
        and name not in TAKE_LONGER
        and is_pure(inside, fixtures)
        and not {f"tests/{name}", f"tests/{Path(name).parent}"} & known
    ]
    assert forgotten == []


def test_what_is_named_is_there() -> None:
    assert [each for each in listed() if not (TESTS.parent / each).exists()] == []
    assert [name for name in TAKE_LONGER if name not in modules(TESTS)] == []
