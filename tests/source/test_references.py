"""References: is there whatever a docstring or a comment names in backquotes?"""

import ast
import io
import re
import tokenize

from tests.support.project.source import SOURCE, TESTS

ROOT = TESTS.parent
FOLDERS = (SOURCE, TESTS, *(ROOT / each for each in ("bench", "data_path", "delivery")))
OF_OTHERS = {"SharedMemory", "Upgrade", "bound_contextvars", "hatch_build", "py", "sudo"}
"""What libraries, the system and the project's other files call so."""
REFERENCE = re.compile(r"(?<!`)`([A-Za-z_][\w.]*)(?:\(\))?`(?!`)")
FORMER = "versions"
"""Revisions speak of what was there in their time."""


def references(comments: str) -> set[str]:
    """The names in backquotes, each part of those that have dots."""
    return {part for each in REFERENCE.findall(comments) for part in each.split(".") if part}


def read(source: str) -> tuple[set[str], set[str]]:
    """The names that a module has, also as whole texts; and what its words for readers name."""
    there, named = set(), set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.NAME:
            there.add(token.string)
        elif token.type == tokenize.COMMENT or token.string.startswith('"""'):
            named |= references(token.string)
        elif token.type == tokenize.STRING and token.string[0] in "'\"":
            text = str(ast.literal_eval(token.string))
            there |= set(re.findall(r"\w+", text)) if re.fullmatch(r"[\w.-]+", text) else set()
    return there, named


def test_what_is_named_in_backquotes_is_there() -> None:
    files = [file for folder in FOLDERS for file in folder.rglob("*.py")]
    found = {file: read(file.read_text("utf-8")) for file in files}
    there = OF_OTHERS.union(*(names for names, _ in found.values()))
    there |= {part for file in files for part in file.relative_to(ROOT).with_suffix("").parts}
    gone = {
        str(file.relative_to(ROOT)): sorted(named - there)
        for file, (_, named) in found.items()
        if FORMER not in file.parts and not named <= there
    }
    assert gone == {}


def test_what_is_not_there_is_found() -> None:
    there, named = read('"""As `Gone.method` has it, and `there`()."""\nthere = 1  # see `away`\n')
    assert named - there == {"Gone", "method", "away"}
