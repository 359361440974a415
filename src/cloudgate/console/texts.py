"""Texts: how do figures and times read, and which words are to be translated? Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cloudgate.values import endpoints, timestamps

_KIB = 1024
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB", "EB")
_FEW = 10
_MINUTE, _HOUR = 60, 3600
NOTHING = "\N{EN DASH}"
"""Stands where something is not known, or not there."""


@dataclass(frozen=True, kw_only=True)
class Style:
    """How figures and times are written in a language."""

    decimal: str = "."
    thousands: str = ","
    moment: str = "%Y-%m-%d %H:%M UTC"
    month: str = "%Y-%m"
    day: str = "%Y-%m-%d"


ENGLISH = Style()
GERMAN = Style(
    decimal=",", thousands=".", moment="%d.%m.%Y, %H:%M UTC", month="%m/%Y", day="%d.%m.%Y"
)


def words(text: str) -> str:
    """Marks a text that people read: a catalogue of translations is made of these."""
    return text


def size(amount: Any, style: Style = ENGLISH) -> str:
    """Bytes as people say them, in units of 1024; a dash where they are not known."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        return NOTHING
    left, unit = float(amount), 0
    while round(abs(left)) >= _KIB and unit < len(_UNITS) - 1:
        left, unit = left / _KIB, unit + 1
    shown = f"{left:.1f}" if unit and left < _FEW else f"{left:.0f}"
    return f"{shown.replace('.', style.decimal)} {_UNITS[unit]}"


def count(amount: Any, style: Style = ENGLISH) -> str:
    """A number of things; a dash where it is not known."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        return NOTHING
    return f"{amount:,}".replace(",", style.thousands)


def month(text: Any, style: Style = ENGLISH) -> str:
    """A month, given as 2026-11."""
    try:
        return datetime.strptime(str(text), "%Y-%m").replace(tzinfo=UTC).strftime(style.month)
    except ValueError:
        return str(text)


def day(begin: datetime, style: Style = ENGLISH) -> str:
    """A day of UTC, given by its beginning."""
    return begin.strftime(style.day)


def duration(seconds: Any, style: Style = ENGLISH) -> str:
    """How long something took, as people say it: in the largest unit, and the next below."""
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        return NOTHING
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        minutes, rest = divmod(seconds, _MINUTE)
        return f"{minutes} min" + (f" {rest} s" if rest and minutes < _FEW else "")
    hours, rest = divmod(round(seconds / _MINUTE), _MINUTE)
    return f"{count(hours, style)} h" + (f" {rest} min" if rest else "")


def moment(text: Any, style: Style = ENGLISH) -> str:
    """A time of the API as it reads without a script: in UTC."""
    if not isinstance(text, str) or not text:
        return NOTHING
    try:
        return timestamps.parse(text).strftime(style.moment)
    except ValueError:
        return text


def at_port(host: Any, port: Any) -> str:
    """Where one connects to: an IPv6 address in brackets."""
    return endpoints.join(str(host), port) if host else NOTHING


def is_at_all(text: Any) -> bool:
    """Whether a time of the API is one: what never was, it says to have been in 1753."""
    return isinstance(text, str) and bool(text) and not text.startswith("1753-01-01")


def is_over(text: Any, now: datetime) -> bool:
    """Whether a time of the API is one that was before `now`."""
    return is_at_all(text) and datetime.fromisoformat(text) <= now


def percent(part: Any, whole: Any) -> int:
    """How much of a whole a part is, from 0 to 100; 0 where one of them is not known."""
    if not isinstance(part, int) or not isinstance(whole, int) or whole <= 0:
        return 0
    return max(0, min(100, round(100 * part / whole)))


TONES = {
    words("Listening"): "good",
    words("Online"): "good",
    words("Finished"): "good",
    words("Success"): "good",
    words("Enabled"): "good",
    words("Good"): "good",
    words("Delivered"): "good",
    words("Starting"): "busy",
    words("Running"): "busy",
    words("Waiting"): "busy",
    words("Draining"): "busy",
    words("Expected"): "busy",
    words("Warning"): "warn",
    words("Expired"): "warn",
    words("Offline"): "bad",
    words("Failed"): "bad",
    words("GivenUp"): "bad",
    words("Closed"): "idle",
    words("Disabled"): "idle",
    words("Replaced"): "idle",
    words("Revoked"): "idle",
}


def tone(state: Any) -> str:
    """How a state is coloured; the word stands beside the colour always."""
    return TONES.get(str(state), "idle")
