"""Charts: which bars does a picture of the last 24 hours have? Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cloudgate.console.api import Json

HOURS = 24
WIDTH, HEIGHT = 20, 100
"""Of the room for one hour, in the units of the picture."""
_LEAST = 1.5
"""Height of a bar for little: what is there is seen."""
_WHOLE = 0.95
"""Which part of its speed is all of it: no line is full to the last byte."""
_SPEED_UNITS = {"Mbps": 1_000_000 / 8, "KBps": 1024, "MBps": 1024 * 1024}


@dataclass(kw_only=True)
class Hour:
    """What was used in one hour."""

    begin: datetime
    bytes_up: int = 0
    bytes_down: int = 0
    minutes_full: int = 0
    """In how many minutes all that a limit lets through was used."""


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A rectangle of the picture."""

    x: float
    y: float
    height: float


def last_hours(used: Iterable[Json], now: datetime, limit: float = 0.0) -> list[Hour]:
    """The last 24 hours, also those without anything, the oldest first.

    Args:
        used: what was used in each minute or hour, as the API says it.
        now: the last hour has this moment in it.
        limit: of the speed, in bytes each second over both directions; 0 for none.
    """
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    hours = [Hour(begin=last - timedelta(hours=HOURS - 1 - n)) for n in range(HOURS)]
    known = {each.begin: each for each in hours}
    minutes: dict[datetime, int] = {}
    for each in used:
        begin = datetime.fromisoformat(str(each["BeginTime"])).astimezone(UTC)
        hour = known.get(begin.replace(minute=0, second=0, microsecond=0))
        if hour is None or int(each.get("Minutes") or 0) > 60:  # noqa: PLR2004  a day is in no hour
            continue
        up, down = int(each.get("BytesUp") or 0), int(each.get("BytesDown") or 0)
        hour.bytes_up += up
        hour.bytes_down += down
        if each.get("Minutes") == 1:
            minutes[begin] = minutes.get(begin, 0) + up + down
    for begin, together in minutes.items():
        if limit and together >= _WHOLE * limit * 60:
            known[begin.replace(minute=0)].minutes_full += 1
    return hours


def speed_of(tenant: Json) -> float:
    """The speed that a tenant may have, in bytes each second; 0 for any."""
    limit = int(tenant.get("ThrottlingSpeedLimit") or 0) if tenant.get("ThrottlingEnabled") else 0
    return limit * _SPEED_UNITS.get(str(tenant.get("ThrottlingSpeedUnit")), 0.0)


def bars(amounts: list[int], whole: int = 0, *, second: bool = False, of: int = 1) -> list[Bar]:
    """A bar for each hour; the highest as high as the picture, or as `whole` where that is given.

    `of` bars share the room of an hour, of which this is the first or the second.
    """
    highest = whole or max(amounts, default=0)
    room = WIDTH / of
    made = []
    for number, amount in enumerate(amounts):
        height = max(_LEAST, HEIGHT * amount / highest) if amount and highest else 0.0
        x = number * WIDTH + (room if second else 0.0) + room / 8
        made.append(Bar(x=round(x, 1), y=round(HEIGHT - height, 1), height=round(height, 1)))
    return made


def traffic(hours: list[Hour]) -> Json:
    """The picture of what went through, with its figures."""
    up, down = [each.bytes_up for each in hours], [each.bytes_down for each in hours]
    whole = max(*up, *down)
    return {
        "hours": [(each, each.begin.isoformat()) for each in hours],
        "up": bars(up, whole, of=2),
        "down": bars(down, whole, second=True, of=2),
        "full": bars([each.minutes_full for each in hours], 60),
        "bytes_up": sum(up),
        "bytes_down": sum(down),
        "minutes_full": sum(each.minutes_full for each in hours),
    }
