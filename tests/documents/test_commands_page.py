"""Does docs/commands.md name each command and setting, and is what pages type understood?"""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from cloudgate.cli.app import app
from delivery.promised import OWN_VARIABLES, variables
from tests.support.project.pages import PAGES, ROOT, blocks, quoted

SOURCE = ROOT / "src" / "cloudgate"
PAGE = ROOT / "docs" / "commands.md"
COMMAND = re.compile(r"(?:^|[|;&(] *|-- |sudo )(?:\S*/)?cloudgate ((?!\)).*)")
ENDS = re.compile(r"\s(?:\||>|<|&|;|#)")
"""What a shell takes for itself."""


@cache
def commands() -> Any:
    """The whole command line."""
    return typer.main.get_command(app)


def typed_in(page: Path) -> Iterator[list[str]]:
    """The words behind ``cloudgate`` of each command in the blocks and the text of a page."""
    for block in blocks(page):
        if block.language in {"sh", "console"}:
            for line in block.commands:
                yield from words_in(line)
    for said in quoted(page):
        if said.startswith("cloudgate "):
            yield from words_in(said)


def words_in(line: str) -> Iterator[list[str]]:
    for found in COMMAND.findall(line):
        yield shlex.split(ENDS.split(f" {found}")[0])


def understand(command: Any, words: list[str]) -> None:
    """Take words as the command line does, without doing what they say.

    Raises:
        KeyError, ClickException: there is no such command, or option.
    """
    _, left, _ = command.make_parser(typer.Context(command)).parse_args(words)
    if left and hasattr(command, "commands"):
        understand(command.commands[left[0]], left[1:])
    else:
        assert not left


def test_each_command_stands_in_the_page() -> None:
    text = PAGE.read_text("utf-8")
    said = set(re.findall(r"[\w-]+", " ".join(re.findall(r"`([^`]*)`", text))))
    missing = set(commands().commands) - said
    assert not missing, "tell of it in docs/commands.md, in backquotes"


def test_each_setting_of_the_environment_stands_in_the_page() -> None:
    named = variables(SOURCE)
    assert named > OWN_VARIABLES
    missing = named - OWN_VARIABLES - set(re.findall(r"CLOUDGATE_\w+", PAGE.read_text("utf-8")))
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_command_in_a_page_is_one_that_there_is(page: Path) -> None:
    for words in typed_in(page):
        understand(commands(), words)


def test_commands_are_found_in_pages() -> None:
    assert sum(1 for page in PAGES for _ in typed_in(page)) > 100
