"""Pages: which commands do the documents have, in their blocks?"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
PAGES = sorted(
    (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "ansible").rglob("*.md"))
)
TYPED = {"sh", "console", "sql", "python"}
"""What a block is marked with that has commands, or what is typed otherwise."""
_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A block of a page."""

    page: str
    """Its path, from the root on."""
    language: str
    text: str

    @property
    def first_line(self) -> str:
        """What tells it from others of its page."""
        return self.text.partition("\n")[0].strip()

    @property
    def commands(self) -> list[str]:
        """Its lines, those that go on as one."""
        joined = self.text.replace("\\\n", " ")
        return [re.sub(r"\s+", " ", line).strip() for line in joined.splitlines() if line.strip()]


def blocks(page: Path) -> Iterator[Block]:
    """All of a page, in order."""
    name = str(page.relative_to(ROOT))
    for language, text in _BLOCK.findall(page.read_text("utf-8")):
        yield Block(name, language, text)


def quoted(page: Path) -> Iterator[str]:
    """What stands in backquotes in the running text of a page, each on one line."""
    for said in re.findall(r"`([^`]+)`", _BLOCK.sub("", page.read_text("utf-8"))):
        yield re.sub(r"\s+", " ", said).strip()


def typed() -> list[Block]:
    """Those of all pages that have commands."""
    found = [block for page in PAGES for block in blocks(page)]
    return [block for block in found if block.language in TYPED]


LISTED: dict[str, dict[str, str]] = tomllib.loads(
    (ROOT / "tests" / "documents" / "commands_of_pages.toml").read_text("utf-8")
)


def run_by(block: Block) -> str | None:
    """By what a block is run, as the list says; None when it stands in none."""
    rows = LISTED.get(block.page, {})
    return rows.get(block.first_line) or rows.get("*")
