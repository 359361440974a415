"""Named units: are the units of systemd that people are told of those that packages have?"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from delivery.packages import UNITS
from tests.support.project.pages import PAGES, ROOT, quoted

FILES = sorted(
    each
    for folder in ("monitoring", "ansible", "delivery/files", "deploy")
    for each in (ROOT / folder).rglob("*")
    if each.is_file() and each.suffix not in {".pyc", ".json", ".md"}
)
COMMAND = re.compile(r"\b(?:systemctl|journalctl) [^`|;&)\n]*")
UNIT = re.compile(r"(?<![\w/.-])cloudgate[\w-]*(?!\w|-|\.toml)")
BY_ANSIBLE = re.compile(r"systemd_service:\n +name: (\S+)")


def named(said: str) -> Iterator[str]:
    for command in COMMAND.findall(said):
        yield from UNIT.findall(command)
    yield from BY_ANSIBLE.findall(said)


def units(file: Path) -> set[str]:
    """The units of ours that a file names, in a line or in backquotes over several."""
    text = file.read_text("utf-8")
    spans = quoted(file) if file.suffix == ".md" else ()
    return {unit for said in (text, *spans) for unit in named(said)}


@pytest.mark.parametrize("file", [*PAGES, *FILES], ids=lambda file: str(file.relative_to(ROOT)))
def test_a_unit_that_is_named_is_one_of_a_package(file: Path) -> None:
    assert units(file) <= UNITS


def test_units_are_found() -> None:
    assert set.union(*map(units, PAGES)) == UNITS
    assert set.union(*map(units, FILES)) == UNITS
