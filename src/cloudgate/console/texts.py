"""Texts: how do figures and times read, and which words are to be translated? Pure."""

from datetime import UTC, datetime
from typing import Any

_KIB = 1024
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB", "EB")
_FEW = 10
MB = 1024 * 1024
NOTHING = "\N{EN DASH}"
"""Stands where something is not known, or not there."""


def words(text: str) -> str:
    """Marks a text that people read: a catalogue of translations is made of these."""
    return text


def size(amount: Any) -> str:
    """Bytes as people say them, in units of 1024; a dash where they are not known."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        return NOTHING
    left, unit = float(amount), 0
    while abs(left) >= _KIB and unit < len(_UNITS) - 1:
        left, unit = left / _KIB, unit + 1
    shown = f"{left:.1f}" if unit and left < _FEW else f"{left:.0f}"
    return f"{shown} {_UNITS[unit]}"


def moment(text: Any) -> str:
    """A time of the API as it reads without a script: in UTC."""
    if not isinstance(text, str) or not text:
        return NOTHING
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    time = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return f"{time:%Y-%m-%d %H:%M} UTC"


def is_at_all(text: Any) -> bool:
    """Whether a time of the API is one: what never was, it says to have been in 1753."""
    return isinstance(text, str) and bool(text) and not text.startswith("1753-01-01")


def percent(part: Any, whole: Any) -> int:
    """How much of a whole a part is, from 0 to 100; 0 where one of them is not known."""
    if not isinstance(part, int) or not isinstance(whole, int) or whole <= 0:
        return 0
    return max(0, min(100, round(100 * part / whole)))


TONES = {
    "Listening": "good",
    "Online": "good",
    "Finished": "good",
    "Success": "good",
    "Enabled": "good",
    "Good": "good",
    "Starting": "busy",
    "Running": "busy",
    "Draining": "busy",
    "Expected": "busy",
    "Warning": "warn",
    "Offline": "bad",
    "Failed": "bad",
    "Closed": "idle",
    "Disabled": "idle",
}


def tone(state: Any) -> str:
    """How a state is coloured; the word stands beside the colour always."""
    return TONES.get(str(state), "idle")
