"""Compaction of usage: for how long is it kept how finely?

Minutes are kept for two days, then hours for three months, then days for ever.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import HeldBackTime, Usage

MINUTE, HOUR, DAY = 1, 60, 24 * 60
"""The stretches, in minutes."""
KEPT = {MINUTE: timedelta(days=2), HOUR: timedelta(days=90)}
"""How long each stretch is kept before it becomes part of the next longer one."""
_LONGER = {MINUTE: HOUR, HOUR: DAY}
_AT_ONCE = 5000


@dataclass(frozen=True)
class _Stretches:
    """A table of what was counted in stretches of time."""

    table: type[Usage] | type[HeldBackTime]
    whose: tuple[str, ...]
    """Columns: rows that are alike in them are put together."""
    sums: tuple[str, ...]
    """Columns that are added up."""


_ALL = (
    _Stretches(
        Usage,
        ("tenant_id", "subtenant_id", "managed_server_id", "gateway_name", "target"),
        ("tunnels", "bytes_up", "bytes_down"),
    ),
    _Stretches(HeldBackTime, ("tenant_id",), ("limit_seconds", "share_seconds")),
)


def compact_usage(work: UnitOfWork) -> bool:
    """Put old minutes together to hours, and old hours to days. Whether there may be more.

    They are old by a clock that is settled: what was put together is not taken apart again.
    """
    found = [_compact(work, each, minutes) for each in _ALL for minutes in KEPT]
    return any(found)


def _compact(work: UnitOfWork, kind: _Stretches, minutes: int) -> bool:
    longer = _LONGER[minutes]
    table: Any = kind.table
    old = work.session.scalars(
        select(table)
        .where(table.minutes == minutes, table.at < begin_of(work.settled - KEPT[minutes], longer))
        .order_by(table.at)
        .limit(_AT_ONCE)
    ).all()
    for (begin, *whose), some in _together(old, kind, longer).items():
        sums = {name: sum(getattr(each, name) for each in some) for name in kind.sums}
        alike = dict(zip(kind.whose, whose, strict=True))
        work.session.add(table(at=begin, minutes=longer, **alike, **sums))
    numbers = [each.number for each in old]
    for part in id_batches(numbers):
        work.session.execute(delete(table).where(table.number.in_(part)))
    return len(old) == _AT_ONCE


def _together(
    old: Sequence[Any], kind: _Stretches, longer: int
) -> Mapping[tuple[Any, ...], list[Any]]:
    found: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for each in old:
        alike = (getattr(each, name) for name in kind.whose)
        found[(begin_of(each.at, longer), *alike)].append(each)
    return found


def begin_of(moment: datetime, minutes: int) -> datetime:
    """The beginning of the hour, or of the day, that a moment is in."""
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole.replace(hour=0) if minutes == DAY else whole
