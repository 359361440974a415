"""Durations: how long is what somebody typed? Pure."""

from cloudgate.values.numbers import whole

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST = 10**9


def seconds_of(text: str) -> int:
    """A time such as ``2h`` or ``90`` (seconds).

    Raises:
        ValueError: it is none.
    """
    number, unit = (text[:-1], text[-1:]) if text[-1:] in _UNITS else (text, "s")
    found = whole(number, 0, _MOST)
    if found is None:
        raise ValueError(f"{text[:50]!r} is no time; write 2h, 30m, 45s or 0.")
    return found * _UNITS[unit]
