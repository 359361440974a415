"""Readable values: how does a person read what the API says? Sizes, times, words for none.

The API has numbers that stand for words (1753 for never), units that are in a name (Mb), and UTC.
Pure, but for the clock and the time zone of the terminal.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cloudgate.values import timestamps
from cloudgate.values.units import MB

NEVER = "never"
NO_LIMIT = "no limit"
NO_END = "no end"
HIDDEN = frozenset(
    {
        # Said with another property.
        *("ConcurrentTasksLimited", "ThrottlingEnabled", "ThrottlingSpeedUnit"),
        # Published, and never anything else here: nobody counts.
        *("BackupCount", "ReplicaCount", "WorkStationBackupCount", "ServerBackupCount"),
        "PublicIpCount",
    }
)
"""What a person is not told."""
_UNITS = ("bytes", "KB", "MB", "GB", "TB", "PB", "EB")
_STEP = 1024
_SIZES: Mapping[str, int] = {
    **dict.fromkeys(("Capacity", "FreeSpace", "BackupSize", "BytesUp", "BytesDown"), 1),
    **dict.fromkeys(
        ("Quota", "UsedQuota", "QuotaMb", "UsedQuotaMb", "EgressQuotaMb", "UsedEgressMb"), MB
    ),
}
"""How many bytes each of it is."""
_TIME = re.compile(
    r"\w*(?:Time|Date|Since|LastUsed)|Timestamp|Last(?:Active|Seen)|Valid(?:From|To)"
)
"""What times are called."""
_NEVER = re.compile(r"1753-01-01T00:00:00(?:\.0+)?(?:Z|\+00:00)?")


def read(name: str, value: Any, around: Mapping[str, Any]) -> str | None:
    """What a person is told of a property; None when it is told as it is.

    Args:
        name: of the property.
        value: as the API says it.
        around: the object that has the property.
    """
    if name in _SIZES and isinstance(value, int) and not (name == "QuotaMb" and _unlimited(around)):
        return size(value * _SIZES[name], exactly=_SIZES[name] == MB)
    rule = _RULES.get(name)
    if rule is not None:
        return rule(value, around)
    return moment(value) if isinstance(value, str) and _TIME.fullmatch(name) else None


def _unlimited(around: Mapping[str, Any]) -> bool:
    return bool(around.get("Unlimited"))


def _concurrent(value: Any, around: Mapping[str, Any]) -> str:
    limited = around.get("ConcurrentTasksLimited", True)
    return str(value) if limited and value else NO_LIMIT


def _speed(value: Any, around: Mapping[str, Any]) -> str:
    if not around.get("ThrottlingEnabled") or not value:
        return NO_LIMIT
    return f"{value} {around.get('ThrottlingSpeedUnit') or ''}".strip()


def _lease(value: Any, _around: Mapping[str, Any]) -> str:
    ends = value.get("ExpirationDate") if isinstance(value, Mapping) else None
    return moment(ends) if ends and value.get("Enabled") else NO_END


def _time_left(value: Any, _around: Mapping[str, Any]) -> str:
    """A time to come, and how long that is."""
    try:
        left = datetime.fromisoformat(str(value)) - datetime.now(UTC)
    except (ValueError, TypeError):
        return str(value)
    minutes = max(0, left // timedelta(minutes=1))
    hours = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"  # noqa: PLR2004
    days = f"{minutes // 1440} d {minutes % 1440 // 60} h"
    return f"{moment(str(value))} ({days if minutes >= 2 * 1440 else hours} left)"


_RULES: Mapping[str, Callable[[Any, Mapping[str, Any]], str]] = {
    "MaxConcurrentTasks": _concurrent,
    "ThrottlingSpeedLimit": _speed,
    "LeaseOptions": _lease,
    "OldPasswordExpirationDate": _time_left,
    "QuotaMb": lambda _value, _around: NO_LIMIT,
}


def moment(text: str) -> str:
    """A time in the zone of the terminal, to the second; what is none stays as it is.

    In UTC, where that zone has no such year: it is in the first hours of all, or in the last.
    """
    if _NEVER.fullmatch(text):
        return NEVER
    try:
        found = timestamps.parse(text)
    except ValueError:
        return text
    try:
        return f"{found.astimezone():%Y-%m-%d %H:%M:%S %Z}"
    except OverflowError:
        return timestamps.readable(found)


def size(number: int, *, exactly: bool = False) -> str:
    """A number of bytes in the largest unit of which there is one; units are of 1024.

    To one decimal; `exactly`: in a smaller unit where that would round it.
    """
    largest = max(unit for unit in range(len(_UNITS)) if unit == 0 or number >= _STEP**unit)
    for unit in range(largest, -1, -1):
        tenths, rest = divmod(number * 10, _STEP**unit)
        if not rest or not exactly or unit == 0:
            tenths += 2 * rest >= _STEP**unit
            whole, tenth = divmod(tenths, 10)
            return f"{whole}.{tenth} {_UNITS[unit]}" if tenth else f"{whole} {_UNITS[unit]}"
    raise AssertionError(number)
