"""Is all that is defined read by somebody? What nobody reads promises what nothing holds."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.support.project.source import SOURCE, TESTS, nodes

ROOT = TESTS.parent
OTHERS = ("tests", "bench", "delivery", "data_path", "ansible")
FOLDERS = (SOURCE, *(ROOT / each for each in OTHERS))
CALLED_BY_PROGRAMS = re.compile(
    r"__\w+__|(test|pytest)_\w*|pytestmark|ModuleDocFragment|DOCUMENTATION|EXAMPLES"
)
"""By Python, pytest and Ansible."""
DECORATED = re.compile(r"\b(add|command|callback|compiles|fixture|hook|listens_for)\b")
REVISIONS = "manager/storage/revisions/"
"""What is in there is read by the tool that carries a database over."""
SHORT = 60
"""A text of so many characters may name something, as patches, routes and annotations do."""


def read_in(inside: Iterable[ast.AST]) -> Iterator[str]:
    """The names that a module reads."""
    for node in inside:
        match node:
            case ast.Name(id=name, ctx=ast.Load() | ast.Del()):
                yield name
            case ast.Attribute(attr=name, ctx=ast.Load() | ast.Del()):
                yield name
            case ast.arg(arg=name):  # of a fixture
                yield name
            case ast.Constant(value=str(text)) if len(text) < SHORT:
                yield from re.findall(r"\w+", text)


def defined_in(module: ast.Module) -> Iterator[tuple[int, str]]:
    """What a module defines for itself and for others, each with its line."""
    for statement in module.body:
        match statement:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                if not any(DECORATED.search(ast.unparse(d)) for d in statement.decorator_list):
                    yield statement.lineno, statement.name
            case ast.Assign(targets=targets):
                for node in (each for target in targets for each in ast.walk(target)):
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                        yield statement.lineno, node.id
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield statement.lineno, name


def unread(folders: Iterable[Path]) -> dict[str, list[str]]:
    """What nobody reads, by file."""
    parsed = {
        str(folder / name): each for folder in folders for name, each in nodes(folder).items()
    }
    read = Counter(name for inside in parsed.values() for name in read_in(inside))
    found: dict[str, list[str]] = {}
    for file, (module, *_) in parsed.items():
        if REVISIONS in file or not isinstance(module, ast.Module):
            continue
        for line, name in defined_in(module):
            if not read[name] and not CALLED_BY_PROGRAMS.fullmatch(name):
                where = str(Path(file).relative_to(ROOT)) if ROOT in Path(file).parents else file
                found.setdefault(where, []).append(f"{line} {name}")
    return found


def test_what_a_module_defines_is_read_by_somebody() -> None:
    assert unread(FOLDERS) == {}


def test_what_nobody_reads_is_found(tmp_path: Path) -> None:
    text = "MOST, LEAST = 5, 1\n_END: str = ''\n\ndef grow():\n    return LEAST\n\nclass Old: ...\n"
    (tmp_path / "one.py").write_text(text)
    (tmp_path / "two.py").write_text("from one import grow\n\nprint(grow())\n")
    assert unread([tmp_path]) == {str(tmp_path / "one.py"): ["1 MOST", "2 _END", "7 Old"]}
