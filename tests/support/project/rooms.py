"""The tables of docs/architecture.md, made of the import contracts and the first lines of rooms.

``.venv/bin/python -m tests.support.project.rooms`` writes them anew.
"""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "architecture.md"
TABLE = re.compile(r"(<!-- rooms of ([\w.]+) -->\n).*?(<!-- end -->)", re.DOTALL)
RULES = re.compile(r"(<!-- who may not use whom -->\n).*?(<!-- end -->)", re.DOTALL)


def contracts(kind: str) -> list[dict[str, Any]]:
    """The contracts of a type, as pyproject.toml has them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return [each for each in project["tool"]["importlinter"]["contracts"] if each["type"] == kind]


def first_line(module: str) -> str:
    """What a module says of itself."""
    path = ROOT / "src" / module.replace(".", "/")
    package = path / "__init__.py"
    file = package if package.exists() else path.with_suffix(".py")
    text = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return text.partition("\n")[0]


def layered() -> dict[str, list[list[str]]]:
    """By package that has layers: the rooms of each layer, the highest first."""
    return {
        package: [[name.strip() for name in layer.split("|")] for layer in each["layers"]]
        for each in contracts("layers")
        for package in each["containers"]
    }


def table(package: str) -> str:
    """The layers of a package as a table."""
    return "\n".join(_lines(package, layered()[package])) + "\n"


def _lines(package: str, layers: list[list[str]]) -> Iterator[str]:
    yield "| Layer | Room | Its question |"
    yield "|---:|---|---|"
    for number, rooms in enumerate(reversed(layers), start=1):
        for room in rooms:
            yield f"| {number} | `{room}` | {first_line(f'{package}.{room}')} |"


def rules() -> str:
    """Who may not use whom, besides what the layers say."""
    return "".join(f"- {each['name']}\n" for each in contracts("forbidden"))


def filled(text: str) -> str:
    """The page with its tables as they have to be now."""
    text = TABLE.sub(lambda found: found[1] + table(found[2]) + found[3], text)
    return RULES.sub(lambda found: found[1] + rules() + found[2], text)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text("utf-8")), "utf-8")
