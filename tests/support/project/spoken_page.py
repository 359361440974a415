"""Texts of a page: what of it is in English, on a page that is in another language?"""

from html.parser import HTMLParser

from cloudgate.console.languages import Language
from tests.support.project import catalogues

_SPOKEN = ("aria-label", "placeholder", "title", "alt", "data-label")
_DATA = ("bdi", "code", "time", "script", "style")
"""Elements with names of things, or what is typed."""
_VOID = ("input", "link", "meta", "img", "br", "path", "rect")
_SENTENCE = 3
"""Words of a text that nothing else would have in it by chance."""


class _Reader(HTMLParser):
    """Collects what a page says itself, without names of things and what the API says."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._open: list[bool] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Attributes are read out, too."""
        given = dict(attrs)
        is_data = tag in _DATA or given.get("lang") == "en" or "mono" in (given.get("class") or "")
        if tag not in _VOID:
            self._open.append(is_data)
        if not any(self._open):
            self.said += [str(given[name]) for name in given if name in _SPOKEN]
            if tag == "body":
                self.said += [str(value) for name, value in attrs if name.startswith("data-")]

    def handle_endtag(self, tag: str) -> None:
        """What was data ends."""
        if tag not in _VOID and self._open:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        """A text."""
        if data.strip() and not any(self._open):
            self.said.append(" ".join(data.split()))


def english_left(page: str, language: Language) -> set[str]:
    """The English texts of the catalogue that a page still says, or has within what it says."""
    reader = _Reader()
    reader.feed(page.partition("<html")[2].partition(">")[2])
    texts = {
        text
        for text in catalogues.texts_of(catalogues.written(language.tag))
        if language.text(text) != text
    }
    sentences = [text for text in texts if len(text.split()) >= _SENTENCE and "%" not in text]
    whole = {said for said in reader.said if said in texts}
    return whole | {each for each in sentences for said in reader.said if each in said}
