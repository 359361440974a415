"""Redaction: what may leave the house, of what logs and state files say? Pure.

Secrets are taken out by the name of what holds them, and by their form wherever they stand. What
names a customer is replaced by the same word each time: one can still follow who did what.
"""

import json
import re
from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import quote, quote_plus

from cloudgate.network.destinations import is_loopback
from cloudgate.values import precis

REMOVED = "[removed]"
_SECRET_NAMES = re.compile(
    r"passw|secret|token|credential|hash|private|authorization|cookie|sealed|_key$|key_pem|api_?key",
    re.IGNORECASE,
)
_SECRET_FORMS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\$argon2[a-z]*\$[^\s\"']+"
    r"|cgt_[0-9A-Za-z]{20,}"
    r"|\b(?:Basic|Bearer)\s+[\w+/=.~-]{4,}"
    r"|(?<=://)[^\s/@:\"']*:[^\s/@\"']+(?=@)",
    re.DOTALL | re.IGNORECASE,
)
_WORD = r"(?:passw|secret|token|credential|private_?key|authorization|cookie|api_?key)"
_SECRET_PAIRS = re.compile(
    rf"({_WORD}[\w-]{{0,40}}[\\\"']{{0,3}}\s{{0,3}}[:=]\s{{0,3}}"
    rf"|--(?:[a-z]{{1,20}}-){{0,3}}{_WORD}\s{{1,3}})"
    rf"(?!{re.escape(REMOVED)})"
    r"(?:\\?\"[^\"]*\"?|'[^']*'?|[^\s,;&}\]\"']+)",
    re.IGNORECASE,
)
"""A name that says so, and what follows it, in a text that is no JSON."""
_ENCODED = r"(?<=%[0-9a-f]{2})"
_IPV4 = rf"(?:(?<![\w.])|{_ENCODED})(?:\d{{1,3}}\.){{3}}\d{{1,3}}(?![\w.]*\d\.)"
_IPV6 = (
    rf"(?:(?<![\w:.])|{_ENCODED}|(?<=[g-z]:)|(?<=ipv6:))"
    r"(?:[0-9a-f]{0,4}:){2,7}(?:(?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4})(?![\w:])"
)
_ADDRESSES = re.compile(f"{_IPV4}|{_IPV6}", re.IGNORECASE)
_BEGINS = rf"(?:(?<![^\W_])|{_ENCODED}|(?<=\\[bfnrt])|(?<=\\u[0-9a-f]{{4}}))"
"""Where a name may begin: after what is no letter or digit, also where that is written in code."""
_SHORTEST_NAME = 2
"""Characters: a shorter one is replaced only where it is all that is said."""


class Redaction:
    """Takes out secrets, and gives customers other names; the same one each time."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        """`names`: what is to be replaced, each with the kind of thing that it names."""
        self._aliases: dict[str, str] = {}
        counts: dict[str, int] = {}
        inside: set[str] = set()
        for name, kind in names:
            if name and _folded(name) not in self._aliases and not _is_here(name):
                counts[kind] = counts.get(kind, 0) + 1
                for form in _forms(name):
                    self._aliases.setdefault(_folded(form), f"{kind}-{counts[kind]}")
                    if len(form) >= _SHORTEST_NAME:
                        inside.add(form)
        longest_first = sorted(inside, key=lambda name: (-len(name), name))
        words = [re.escape(each) for each in longest_first if _is_word(each)]
        others = [_bounded(each) for each in longest_first if not _is_word(each)]
        by_letter: dict[str, list[str]] = {}
        for word in words:
            by_letter.setdefault(word[:2].lower() if word[:2].isascii() else "", []).append(word)
        # By their first letters: a pattern that tries ten thousand names one by one takes minutes.
        grouped = "|".join(
            f"(?={re.escape(first) if first.isalnum() else ''})(?:{'|'.join(some)})"
            for first, some in by_letter.items()
        )
        patterns = [*others, *([rf"{_BEGINS}(?:{grouped})(?![^\W_])"] if words else [])]
        self._names = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None
        self._addresses: dict[str, str] = {}

    def text(self, text: str) -> str:
        """A text without secrets and names."""
        alias = self._aliases.get(_folded(text))
        if alias is not None:
            return alias
        text = _SECRET_PAIRS.sub(rf"\1{REMOVED}", _SECRET_FORMS.sub(REMOVED, text))
        if self._names is not None:
            text = self._names.sub(self._alias, text)
        return _ADDRESSES.sub(lambda found: self._address(found[0]), text)

    def value(self, value: Any) -> Any:
        """A value of JSON without secrets and names."""
        if isinstance(value, dict):
            return {self.text(name): self._member(name, inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(each) for each in value]
        return self.text(value) if isinstance(value, str) else value

    def lines(self, text: str) -> str:
        """The lines of a log: JSON by its members, others as text."""
        return "\n".join(self._line(line) for line in text.split("\n"))

    def document(self, text: str) -> str:
        """A state file; of what is no JSON nothing is told, as secrets cannot be known in it."""
        try:
            return json.dumps(self.value(json.loads(text)), indent=1, ensure_ascii=False)
        except ValueError as problem:
            reason = str(problem)
        except RecursionError:
            reason = "it is nested too deeply"
        return f"It is left out: its {len(text)} characters are no JSON ({reason})."

    def _member(self, name: str, value: Any) -> Any:
        if _SECRET_NAMES.search(name) and value not in (None, "", True, False, [], {}):
            return REMOVED
        return self.value(value)

    def _line(self, line: str) -> str:
        if line.startswith("{"):
            try:
                return json.dumps(self.value(json.loads(line)), ensure_ascii=False)
            except (ValueError, RecursionError):
                pass  # cut off, or no JSON: a text
        return self.text(line)

    def _alias(self, found: re.Match[str]) -> str:
        # Letters that are alike to a pattern and have no form in common are still a name.
        return self._aliases.get(_folded(found[0]), REMOVED)

    def _address(self, text: str) -> str:
        """An address of the internet by another name; this machine and private networks stay."""
        try:
            address = ip_address(text)
        except ValueError:
            return text  # a time, a version
        if address.is_private or address.is_unspecified or address.is_multicast:
            return text
        return self._addresses.setdefault(str(address), f"address-{len(self._addresses) + 1}")


def _is_here(name: str) -> bool:
    """Whether it names this machine, as all do alike."""
    return is_loopback(name) or name.lower() == "localhost"


def _folded(name: str) -> str:
    """A name, whichever way its letters are written."""
    return precis.normalized("NFC", precis.normalized("NFC", name).casefold())


def _is_word(form: str) -> bool:
    return form[0].isalnum() and form[-1].isalnum()


def _bounded(form: str) -> str:
    """The pattern of a name that no letter or digit follows, if it ends with one."""
    before = _BEGINS if form[0].isalnum() else ""
    return before + re.escape(form) + (r"(?![^\W_])" if form[-1].isalnum() else "")


def _forms(name: str) -> Iterator[str]:
    """How a name may be written in a text: in other letters, in a URL, in JSON."""
    letters = {name: None}
    if not name.isascii():
        composed = (precis.normalized("NFC", name), precis.normalized("NFD", name))
        letters |= {
            each: None
            for text in composed
            for each in (text, text.lower(), text.upper(), text.casefold())
        }
    for each in letters:
        yield each
        code = each.encode("utf-8", "surrogatepass")
        yield from (quote(code, safe=""), quote_plus(code))
        yield from (json.dumps(each, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
