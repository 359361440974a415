"""Do docs/glossary.md and docs/decisions name things of the source that are there?"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.project.source import SOURCE, modules

ROOT = Path(__file__).parents[2]
DATA_PATH = ROOT / "data_path"


def names() -> list[str]:
    """What the last column of the page names, but for paths of the API."""
    rows = (ROOT / "docs" / "glossary.md").read_text("utf-8").splitlines()
    cells = [row.split("|")[3] for row in rows if row.startswith("|") and row.count("|") == 4]
    found = {each for cell in cells for each in re.findall(r"`([^`]+)`", cell)}
    return sorted(each for each in found if not each.startswith("/"))


def file_of(node: ast.ImportFrom) -> str:
    return str(node.module).removeprefix("cloudgate.").replace(".", "/")


def members(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    """What a module or a class defines, by name."""
    found: dict[str, ast.stmt] = {}
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found[node.target.id] = node
        elif isinstance(node, ast.ImportFrom) and node.names[0].name == "*":
            found.update(members(modules()[f"{file_of(node)}.py"].body))
        elif isinstance(node, ast.ImportFrom):
            found.update((each.name, node) for each in node.names if each.name[0].isupper())
    return found


@cache
def defined() -> dict[tuple[str, str], ast.stmt]:
    """What all modules define, by the module's name and its own."""
    return {
        ((SOURCE / file).parent.name if file.name == "__init__.py" else file.stem, name): node
        for file in map(Path, modules())
        for name, node in members(modules()[str(file)].body).items()
        if file.name == "__init__.py" or not isinstance(node, ast.ImportFrom)
    }


def is_there(name: str) -> bool:
    """Whether a file or folder, a module's class, or a class's member is there."""
    if "/" in name or name.endswith(".py"):
        return any(SOURCE.rglob(f"{name}")) or (SOURCE / name).exists()
    if name.startswith("cloudgate."):
        return (SOURCE.parent / name.replace(".", "/")).exists()
    *_, owner, member = ["", *name.split(".")]
    if (owner, member) in defined():
        return True
    classes = [node for (_, known), node in defined().items() if known == (owner or member)]
    return any(
        isinstance(node, ast.ClassDef) and (not owner or member in members(node.body))
        for node in classes
    )


@pytest.mark.parametrize("name", names())
def test_each_python_name_of_the_glossary_is_there(name: str) -> None:
    assert is_there(name)


DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))


@pytest.mark.parametrize("page", DECISIONS, ids=lambda each: each.stem)
def test_each_file_and_what_is_said_to_be_in_it_is_there(page: Path) -> None:
    text = page.read_text("utf-8")
    files = set(re.findall(r"`([\w/]+\.(?:py|c))`", text))
    nowhere = [
        each
        for each in files
        if not is_there(each) and not (ROOT / each).exists() and not any(DATA_PATH.glob(each))
    ]
    assert nowhere == []
    for name, file in re.findall(r"`(\w+)`\s+in\s+`([\w/]+\.py)`", text):
        assert name in members(modules()[file].body), f"{name} in {file}"


@pytest.mark.parametrize("page", DECISIONS, ids=lambda each: each.stem)
def test_each_class_that_a_decision_names_is_there(page: Path) -> None:
    named = set(re.findall(r"`((?:[A-Z][a-z]+)+)`", page.read_text("utf-8")))
    assert [each for each in named if not is_there(each)] == []
