"""References: is there whatever a docstring or a comment names in backquotes?"""

import ast
import io
import re
import tokenize
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from tests.support.project.source import SOURCE, TESTS

ROOT = TESTS.parent
FOLDERS = (SOURCE, TESTS, *(ROOT / each for each in ("bench", "data_path", "delivery")))
OF_OTHERS = {"SharedMemory", "Upgrade", "bound_contextvars", "hatch_build", "py", "sudo"} | {
    "http.server",
    "requests.Session",
    "tasks.wait",
}
"""What libraries, the system, the project's other files and members of objects are called."""
REFERENCE = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)(?:\(\))?`(?!`)")
CLASS = re.compile(r"^class (\w+)", re.MULTILINE)
FORMER = ".versions."
"""Revisions speak of what was there in their time."""


class Module(NamedTuple):
    """What a module has and says."""

    names: frozenset[str]
    """Its own, also as whole texts."""
    classes: frozenset[str]
    references: frozenset[str]
    """What its words for readers name."""


def read(source: str) -> Module:
    """A module, by its text."""
    names, named = set(), set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            names.add(token.string)
        elif token.type == tokenize.COMMENT or token.string.startswith('"""'):
            named |= set(REFERENCE.findall(token.string))
        elif token.type == tokenize.STRING and token.string[0] in "'\"":
            text = str(ast.literal_eval(token.string))
            names |= set(re.findall(r"\w+", text)) if re.fullmatch(r"[\w.-]+", text) else set()
    return Module(frozenset(names), frozenset(CLASS.findall(source)), frozenset(named))


class Names:
    """All that can be named: modules by their dotted paths, and what they have."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._all = OF_OTHERS.union(*(each.names for each in modules.values()))
        self._homes: dict[str, set[str]] = {}
        for path, module in modules.items():
            *above, last = path.removesuffix(".__init__").split(".")
            self._all |= {*above, last}
            for each in {last, *module.classes}:
                self._homes.setdefault(each, set()).update(module.names)
            for each in above[-1:]:
                self._homes.setdefault(each, set()).add(last)

    def is_there(self, reference: str) -> bool:
        """Whether a name is anywhere, and the last of several where the one before it is."""
        *above, last = reference.rstrip(".").split(".")
        home = self._homes.get(above[-1], self._all) if above else self._all
        return reference in OF_OTHERS or (last in home and self._all.issuperset(above))


def gone(modules: Mapping[str, Module], speakers: Iterable[str]) -> dict[str, list[str]]:
    """What modules name that is not there."""
    names = Names(modules)
    found = {
        path: sorted(each for each in modules[path].references if not names.is_there(each))
        for path in speakers
    }
    return {path: missing for path, missing in found.items() if missing}


def test_what_is_named_in_backquotes_is_there() -> None:
    modules = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): read(file.read_text("utf-8"))
        for folder in FOLDERS
        for file in folder.rglob("*.py")
    }
    assert gone(modules, (path for path in modules if FORMER not in path)) == {}


def test_what_is_not_there_is_found() -> None:
    source = '"""`Here.gone`, `room.other.there`, `away`, `there()` and `Here.there`."""\n'
    modules = {
        "room.one": read(source),
        "room.other": read("class Here:\n    there = 1\n"),
        "room.third": read("gone = 2\n"),
    }
    assert gone(modules, modules) == {"room.one": ["Here.gone", "away"]}
