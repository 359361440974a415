"""Redaction: what may leave the house, of what logs and state files say? Pure.

Secrets are taken out by the name of what holds them, and by their form wherever they stand. What
names a customer is replaced by the same word each time: one can still follow who did what.
"""

import json
import re
from collections.abc import Iterable
from ipaddress import ip_address
from typing import Any

REMOVED = "[removed]"
_SECRET_NAMES = re.compile(
    r"passw|secret|token|credential|hash|private|authorization|cookie|sealed|_key$|key_pem|api_?key",
    re.IGNORECASE,
)
_SECRET_FORMS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\$argon2[a-z]*\$[^\s\"']+"
    r"|\b(?:Basic|Bearer)\s+[\w+/=.~-]{4,}",
    re.DOTALL | re.IGNORECASE,
)
_IPV4 = r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d\.)"
_IPV6 = r"(?<![\w:.])(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?![\w:])"
_ADDRESSES = re.compile(f"{_IPV4}|{_IPV6}", re.IGNORECASE)
_SHORTEST_NAME = 2
"""Characters: a shorter one is replaced only where it is all that is said."""


class Redaction:
    """Takes out secrets, and gives customers other names; the same one each time."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        """`names`: what is to be replaced, each with the kind of thing that it names."""
        self._aliases: dict[str, str] = {}
        counts: dict[str, int] = {}
        for name, kind in names:
            if name and name.lower() not in self._aliases and not _is_here(name):
                counts[kind] = counts.get(kind, 0) + 1
                self._aliases[name.lower()] = f"{kind}-{counts[kind]}"
        longest_first = sorted(self._aliases, key=lambda name: (-len(name), name))
        inside = [re.escape(name) for name in longest_first if len(name) >= _SHORTEST_NAME]
        self._names = (
            re.compile(rf"(?<!\w)(?:{'|'.join(inside)})(?!\w)", re.IGNORECASE) if inside else None
        )
        self._addresses: dict[str, str] = {}

    def text(self, text: str) -> str:
        """A text without secrets and names."""
        alias = self._aliases.get(text.lower())
        if alias is not None:
            return alias
        text = _SECRET_FORMS.sub(REMOVED, text)
        if self._names is not None:
            text = self._names.sub(lambda found: self._aliases[found[0].lower()], text)
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
        """A state file; what is no JSON is taken for text."""
        try:
            return json.dumps(self.value(json.loads(text)), indent=1, ensure_ascii=False)
        except ValueError:
            return self.text(text)

    def _member(self, name: str, value: Any) -> Any:
        if _SECRET_NAMES.search(name) and value not in (None, "", True, False, [], {}):
            return REMOVED
        return self.value(value)

    def _line(self, line: str) -> str:
        if line.startswith("{"):
            try:
                return json.dumps(self.value(json.loads(line)), ensure_ascii=False)
            except ValueError:
                pass  # cut off, or no JSON: a text
        return self.text(line)

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
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"
