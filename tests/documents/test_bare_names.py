"""Bare names: is nobody told to install whatever an index of packages has under this name?"""

import re
from pathlib import Path

import pytest

from tests.support.project.pages import PAGES, ROOT

SOURCES = sorted((ROOT / "src" / "cloudgate").rglob("*.py"))
BY_NAME = re.compile(
    r"\b(?:pipx?|uv)\b[^`\n]* (?:install|show|inject|run|add)\b[^`\n]*?"
    r"[ '\"]cloudgate(?:\[[\w,]*\])?(?=[ '\"`\n]|$)"
)
EXTRA = re.compile(r"\bcloudgate\[(?:postgres|sso|otel)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_has_it_installed_by_its_bare_name(page: Path) -> None:
    text = page.read_text("utf-8")
    assert not [*BY_NAME.findall(text), *EXTRA.findall(text)]


def test_no_message_does() -> None:
    assert not [file for file in SOURCES if EXTRA.search(file.read_text("utf-8"))]


def test_a_bare_name_is_found_and_a_file_is_none() -> None:
    assert BY_NAME.search("`pipx install cloudgate`")
    assert BY_NAME.search("pip install 'cloudgate[sso]'")
    assert not BY_NAME.search("pipx install ./cloudgate-0.2.0-*.whl")
