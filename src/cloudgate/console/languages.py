"""Languages: in which language does a page come, and what do its texts say there?

English is the source: a text is its own name in the catalogues (``translations``, made by
``tests/support/project/catalogues.py``), and stands where one has none. What the API says stays
English.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

from cloudgate.console.texts import ENGLISH, GERMAN, Style

COOKIE = "__Host-cloudgate-language"
CHOOSE = "language"
"""Where the choice of a reader is sent, below a section."""
_YEAR_SECONDS = 366 * 24 * 3600
_LONGEST = 1000
_RANGE = re.compile(r"(?P<range>\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)")
_WEIGHT = re.compile(r"[qQ]=(?P<weight>0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


@dataclass(frozen=True, kw_only=True)
class LocalizedText:
    """A text, and the tag of its language where that is not the page's."""

    text: str
    tag: str = ""


@dataclass(frozen=True, kw_only=True)
class Language:
    """A language that pages come in."""

    tag: str
    """By BCP 47."""
    name: str
    """In itself."""
    style: Style

    @cached_property
    def catalogue(self) -> NullTranslations:
        """Its texts; none of the source's own."""
        if self.tag == SOURCE.tag:
            return NullTranslations()
        kept = files("cloudgate.console").joinpath("translations", f"{self.tag}.mo")
        return GNUTranslations(io.BytesIO(kept.read_bytes()))

    def text(self, text: str) -> str:
        """What a text of the console says in it."""
        return self.catalogue.gettext(text) if text else ""  # an empty one is the catalogue's head

    def translate(self, text: str) -> LocalizedText:
        """What may be the API's, in its own words, or a text of the console."""
        here = self.text(text)
        is_foreign = here == text and self.tag != SOURCE.tag
        return LocalizedText(text=here, tag=SOURCE.tag if is_foreign else "")


SOURCE = Language(tag="en", name="English", style=ENGLISH)
LANGUAGES: Mapping[str, Language] = {
    each.tag: each for each in (SOURCE, Language(tag="de", name="Deutsch", style=GERMAN))
}


def language_of(chosen: str, accepted: str) -> Language:
    """The language of a page.

    Args:
        chosen: what the reader has chosen, as the cookie has it; empty for nothing.
        accepted: what the browser asks for, by Accept-Language.
    """
    return LANGUAGES.get(chosen) or negotiated(accepted)


def negotiated(accepted: str) -> Language:
    """The language that an Accept-Language asks for most (RFC 9110, 12.5.4; RFC 4647, 3.4)."""
    ranges = _ranges(accepted[:_LONGEST])
    refused = {wanted for wanted, weight in ranges if weight == 0}
    named = {wanted.partition("-")[0] for wanted, _weight in ranges}
    for wanted, weight in sorted(ranges, key=lambda each: -each[1]):
        found = wanted.partition("-")[0]
        if wanted == "*":
            found = next((tag for tag in LANGUAGES if tag not in named), "")
        if weight and found in LANGUAGES and found not in refused:
            return LANGUAGES[found]
    return SOURCE


def _ranges(accepted: str) -> list[tuple[str, float]]:
    """Language ranges in small letters, each with its weight; what is none is left out."""
    found = []
    for each in accepted.split(","):
        wanted, _sep, weight = (part.strip() for part in each.partition(";"))
        said = _WEIGHT.fullmatch(weight)
        if _RANGE.fullmatch(wanted) and (said or not weight):
            found.append((wanted.lower(), float(said["weight"]) if said else 1.0))
    return found


def keep(language: Language) -> str:
    """The Set-Cookie by which a browser keeps a choice."""
    return (
        f"{COOKIE}={language.tag}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age={_YEAR_SECONDS}"
    )
