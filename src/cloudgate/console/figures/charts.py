"""Charts: which bars does a picture of the last hours or days have? Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from cloudgate.console.api import Json

WIDTH, HEIGHT = 480, 100
"""Of a picture, in its own units."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
HOURS, DAYS = 24, 31
"""How many stretches of time are shown."""
BYTES = ("BytesUp", "BytesDown")
SECONDS = ("LimitSeconds", "ShareSeconds")
_LEAST = 1.5
"""Height of a bar for little: what is there is seen."""
_HOUR_SECONDS = 3600
_FREE = 1 / 4
"""Which part of a bar's room is left free."""


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What was counted in an hour or a day, by the API's names."""

    begin: datetime
    counted: dict[str, int]

    @property
    def is_idle(self) -> bool:
        """Whether that is nothing."""
        return not any(self.counted.values())


class Bar(NamedTuple):
    """A rectangle of the picture."""

    x: float
    y: float
    width: float
    height: float


def lately(
    found: Iterable[Json], names: Sequence[str], now: datetime, each: timedelta = HOUR
) -> list[Stretch]:
    """The last 24 hours, or the last 31 days of UTC, also those without anything, oldest first.

    Args:
        found: what was counted in each minute, hour or day, as the API says it.
        names: of what is counted.
        now: the last stretch has this moment in it.
        each: how long a stretch is: `HOUR` or `DAY`.
    """
    last, number = _begin(now, each), HOURS if each == HOUR else DAYS
    made = [
        Stretch(begin=last - (number - 1 - place) * each, counted=dict.fromkeys(names, 0))
        for place in range(number)
    ]
    # The API says times in UTC: those of one hour, or one day, begin alike.
    alike = len("2026-11-30T14") if each == HOUR else len("2026-11-30")
    known = {stretch.begin.isoformat()[:alike]: stretch for stretch in made}
    longest = each // timedelta(minutes=1)
    for one in found:
        stretch = known.get(str(one["BeginTime"])[:alike])
        if stretch is None or int(one.get("Minutes") or 0) > longest:
            continue
        for name in names:
            stretch.counted[name] += int(one.get(name) or 0)
    return made


def _begin(moment: datetime, each: timedelta) -> datetime:
    whole = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return whole if each == HOUR else whole.replace(hour=0)


def beside(stretches: Sequence[Stretch], names: Sequence[str]) -> dict[str, list[Bar]]:
    """Bars of each name beside those of the others; the highest is as high as the picture."""
    room = WIDTH / len(stretches)
    width = room / len(names)
    whole = max((max(each.counted[name] for name in names) for each in stretches), default=0)
    made: dict[str, list[Bar]] = {name: [] for name in names}
    for number, each in enumerate(stretches):
        for place, name in enumerate(names):
            height = _height(each.counted[name], whole)
            made[name].append(_bar(number * room + place * width, width, HEIGHT, height))
    return made


def stacked(
    stretches: Sequence[Stretch], names: Sequence[str], whole: int = 0
) -> dict[str, list[Bar]]:
    """Bars of each name upon those before; `whole`, or what is more, is as high as the picture."""
    room = WIDTH / len(stretches)
    whole = max(whole, *(sum(each.counted[name] for name in names) for each in stretches))
    made: dict[str, list[Bar]] = {name: [] for name in names}
    for number, each in enumerate(stretches):
        heights = [_height(each.counted[name], whole) for name in names]
        # What is little is higher than its part, at the cost of what is most.
        most = heights.index(max(heights))
        heights[most] -= max(0.0, sum(heights) - HEIGHT)
        ground = float(HEIGHT)
        for name, height in zip(names, heights, strict=True):
            made[name].append(_bar(number * room, room, ground, height))
            ground -= height
    return made


def _height(amount: int, whole: int) -> float:
    return max(_LEAST, HEIGHT * amount / whole) if amount and whole else 0.0


def _bar(x: float, room: float, ground: float, height: float) -> Bar:
    return Bar(
        x=round(x + room * _FREE / 2, 2),
        y=round(ground - height, 1),
        width=round(room * (1 - _FREE), 2),
        height=round(height, 1),
    )


def _sums(stretches: Sequence[Stretch], names: Sequence[str]) -> dict[str, int]:
    return {name: sum(each.counted[name] for each in stretches) for name in names}


def traffic(used: Iterable[Json], now: datetime) -> Json:
    """The picture of what went through in the last 24 hours, with its figures."""
    hours = lately(used, BYTES, now)
    return {"stretches": hours, "bars": beside(hours, BYTES), "sums": _sums(hours, BYTES)}


def held_back(found: Sequence[Json], now: datetime) -> Json:
    """The pictures of when somebody was held back: each of the last hours, and of the last days."""
    hours, days = lately(found, SECONDS, now), lately(found, SECONDS, now, DAY)
    return {
        "hours": {
            "stretches": hours,
            "bars": stacked(hours, SECONDS, _HOUR_SECONDS),
            "sums": _sums(hours, SECONDS),
        },
        "days": {
            "stretches": days,
            "bars": stacked(days, SECONDS),
            "sums": _sums(days, SECONDS),
        },
    }
