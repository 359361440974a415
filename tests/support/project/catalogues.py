"""The catalogues of the console's texts: what is in them is what its sources say.

``.venv/bin/python -m tests.support.project.catalogues`` takes new texts in, drops those that are
gone, and compiles what the product reads. What is new has no translation then: write it, and run
it again.
"""

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from cloudgate.console.languages import LANGUAGES, SOURCE

CONSOLE = Path(__file__).parents[3] / "src" / "cloudgate" / "console"
FOLDER = CONSOLE / "translations"
TAGS = tuple(tag for tag in LANGUAGES if tag != SOURCE.tag)
_METHODS = [("**.py", "python"), ("**.html", "jinja2")]
_KEYWORDS = {"_": None, "words": None, "ngettext": (1, 2)}


def extracted() -> Catalog:
    """What the sources say: each text once, with the files that have it."""
    found = Catalog()
    texts = extract_from_dir(str(CONSOLE), _METHODS, keywords=_KEYWORDS)
    for file, _line, text, _comments, _context in sorted(texts, key=lambda each: each[0]):
        found.add(text, locations=[(file, 0)])
    return found


def path_of(tag: str) -> Path:
    """Where the catalogue of a language is."""
    return FOLDER / f"{tag}.po"


def written(tag: str) -> Catalog:
    """The catalogue of a language, as it is kept."""
    with path_of(tag).open("rb") as file:
        return read_po(file, locale=tag)


def compiled(catalogue: Catalog) -> bytes:
    """The same as the product reads it: of the same texts the same bytes."""
    made = io.BytesIO()
    catalogue.creation_date = catalogue.revision_date = datetime(2026, 1, 1, tzinfo=UTC)
    write_mo(made, catalogue)
    return made.getvalue()


def forms(message: Message) -> list[tuple[str, str]]:
    """What a text says and its translation: of one thing, and of several where that differs."""
    if isinstance(message.id, str):
        return [(message.id, str(message.string or ""))]
    translated = message.string if isinstance(message.string, tuple | list) else ()
    return [(source, str(said or "")) for source, said in zip_longest(message.id, translated)]


def texts_of(catalogue: Catalog) -> Iterator[str]:
    """The texts of a catalogue, without its head; of those with a number, what is said of one."""
    yield from (forms(each)[0][0] for each in catalogue if each.id)


def _update(tag: str) -> None:
    head, _sep, _rest = path_of(tag).read_text("utf-8").partition("\n\n")
    catalogue = written(tag)
    catalogue.update(extracted(), no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    texts = io.BytesIO()
    write_po(texts, catalogue, width=98, omit_header=True, sort_output=True, include_lineno=False)
    path_of(tag).write_text(f"{head}\n\n{texts.getvalue().decode().lstrip()}", "utf-8")
    (FOLDER / f"{tag}.mo").write_bytes(compiled(catalogue))
    missing = [
        each.id for each in catalogue if each.id and not all(said for _, said in forms(each))
    ]
    print(f"{tag}: {len(catalogue)} texts, {len(missing)} without a translation")  # noqa: T201
    for each in missing:
        print(f"  {each!r}")  # noqa: T201


if __name__ == "__main__":
    for each in TAGS:
        _update(each)
