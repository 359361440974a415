"""Does docs/architecture.md say what the import contracts hold, and name files that are there?"""

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project.rooms import PAGE, ROOT, TABLE, filled, layered

SOURCE = ROOT / "src" / "cloudgate"
PLACES = (ROOT, SOURCE)
FILE = (
    r"`((?:ansible|api|cli|client|console|docs|host|manager|monitoring|protocol|src|tests|tools|wire)"
    r"/[\w/.-]*)`"
)


def test_the_tables_of_rooms_are_those_of_the_contracts() -> None:
    text = PAGE.read_text("utf-8")
    assert filled(text) == text, "write them anew: .venv/bin/python -m tests.support.project.rooms"


def test_each_package_with_layers_has_a_table() -> None:
    assert {found[2] for found in TABLE.finditer(PAGE.read_text("utf-8"))} == set(layered())


@pytest.mark.parametrize("page", [PAGE, ROOT / "CONTRIBUTING.md"], ids=lambda page: page.name)
def test_each_file_that_the_page_names_is_there(page: Path) -> None:
    named = {each for each in re.findall(FILE, page.read_text("utf-8")) if "NAME" not in each}
    assert len(named) > 10
    missing = [each for each in named if not any((place / each).exists() for place in PLACES)]
    assert not missing


def test_each_name_that_a_recipe_looks_for_in_a_file_is_there() -> None:
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text("utf-8").split())
    said = re.findall(r"((?:`\w+`(?:, | and )?)+),? (?:of|in) `([\w/]+\.py)`", text)
    said += [(name, file) for file, name in re.findall(r"`([\w/]+\.py)`: (`\w+`)", text)]
    assert ("`_CLOUD` and `_CREATED_IN_CLOUD`", "api/handlers/entry_points.py") in said
    for names, file in said:
        found = next(place / file for place in PLACES if (place / file).exists())
        for name in re.findall(r"\w+", names.replace(" and ", " ")):
            assert re.search(rf"\b{name}\b", found.read_text("utf-8")), f"{name} in {file}"


def test_each_name_that_a_step_of_a_recipe_says_is_a_name_of_its_files() -> None:
    recipes = (
        (ROOT / "CONTRIBUTING.md")
        .read_text("utf-8")
        .partition("## Recipes")[2]
        .partition("\n## ")[0]
    )
    steps = re.findall(r"^\d\. (.*?)(?=^\d\. |^$|\Z)", recipes, flags=re.DOTALL | re.MULTILINE)
    tried = set()
    for step in steps:
        said_files = re.findall(r"`(\w+/[\w/.]+)`", step)
        places = [place / each for each in said_files for place in PLACES]
        files = [each for place in places for each in (place, *place.rglob("*.py"))]
        sources = [each for each in files if each.suffix == ".py" and each.exists()]
        if "NAME" in step or ".md`" in step or not sources:
            continue
        known = {each for source in sources for each in _names(source)}
        said = set(re.findall(r"`(\w+)`", step))
        assert said <= known, (step, said - known)
        tried |= said
    assert "host_fields" in tried


def _names(source: Path) -> Iterator[str]:
    """Of a module, without the words of its texts."""
    with source.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.NAME:
                yield token.string


def test_each_module_that_ends_tunnels_is_named_where_the_page_says_what_ends_them() -> None:
    said = PAGE.read_text("utf-8").partition("What ends a tunnel:")[2].partition("Nothing else")[0]
    ending = {
        str(each.relative_to(SOURCE))
        for each in (SOURCE / "host").rglob("*.py")
        if re.search(r"\.terminate(_connections)?\(", each.read_text("utf-8"))
    }
    assert "host/tunnels/restore_only.py" in ending
    assert [each for each in sorted(ending) if f"`{each}`" not in said] == []


def test_no_folder_has_more_modules_than_one_looks_over() -> None:
    crowded = [
        str(folder.relative_to(ROOT))
        for root in (SOURCE, *(ROOT / each for each in ("bench", "data_path", "delivery", "tests")))
        for folder in _folders(root)
        if len([each for each in folder.glob("*.py") if each.name != "__init__.py"]) > 15
    ]
    assert not crowded


def _folders(root: Path) -> list[Path]:
    return [
        each
        for each in (root, *root.rglob("*"))
        if each.is_dir() and each.name not in ("versions", "__pycache__")
    ]
