"""Written secrets: do the lines that people copy keep what is secret from the machine's others?"""

import re
from pathlib import Path

import pytest

from tests.support.project.pages import PAGES, ROOT, blocks, quoted

SETTINGS = sorted((ROOT / "delivery" / "files").iterdir())
INTO_A_FILE = re.compile(r"(?<![>0-9=-])>{1,2} *(\S+)")
IS_SECRET = re.compile(r"key|passw|passphrase|token|secret|acme\.pem")
KEPT = re.compile(r"umask 0[0-7]7\b")


def open_to_all(lines: list[str]) -> list[str]:
    """Lines that write a secret into a file which others may read meanwhile."""
    return [
        line
        for line in lines
        if any(map(IS_SECRET.search, INTO_A_FILE.findall(line))) and not KEPT.search(line)
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_writes_no_secret_for_all_to_read(page: Path) -> None:
    typed = [line for block in blocks(page) if block.language == "sh" for line in block.commands]
    assert not open_to_all([*typed, *quoted(page)])


@pytest.mark.parametrize("file", SETTINGS, ids=lambda file: file.name)
def test_nor_does_what_a_package_brings(file: Path) -> None:
    if file.is_file():
        assert not open_to_all(file.read_text("utf-8").splitlines())


def test_a_line_that_does_is_found() -> None:
    assert open_to_all(["head -c 32 /dev/urandom > /etc/backup.key", "echo x >acme.password"])
    assert not open_to_all(["(umask 077; head -c 32 /dev/urandom > key)", "cat a > trust.pem"])
