"""Is all there yet that a release has promised, and does the page name tests that are there?"""

import json
import re
from pathlib import Path

import pytest

from delivery import promised

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "compatibility.md"
RELEASED = sorted((ROOT / "tests" / "released").glob("*.json"))


@pytest.mark.parametrize("release", RELEASED, ids=lambda file: file.stem)
def test_what_a_release_had_is_there(release: Path) -> None:
    had, has = json.loads(release.read_text("utf-8")), promised.names()
    assert had["calls"]
    gone = {kind: set(names) - set(has[kind]) for kind, names in had.items()}
    assert not {kind: names for kind, names in gone.items() if names}


def test_each_promise_names_tests_that_are_there() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")][1:]
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)`", row.rpartition(" | ")[2])
        assert named, row
        assert all((ROOT / each).is_file() for each in named), row


def test_each_release_of_the_changelog_has_said_what_it_has() -> None:
    released = re.findall(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert released
    assert {*released} == {file.stem for file in RELEASED}
