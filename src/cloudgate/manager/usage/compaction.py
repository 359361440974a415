"""Compaction of usage: for how long is it kept how finely?

Minutes are kept for two days, then hours for three months, then days for ever. What is alike is in
one row for each hour, and for each day, however many tenants there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Select, bindparam, delete, func, insert, select, tuple_, update

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import HeldBackTime, Usage

MINUTE, HOUR, DAY = 1, 60, 24 * 60
"""The stretches, in minutes."""
KEPT = {MINUTE: timedelta(days=2), HOUR: timedelta(days=90)}
"""How long each stretch is kept before it becomes part of the next longer one."""
_LONGER = {MINUTE: HOUR, HOUR: DAY}
_AT_ONCE = 5000
"""So many rows take a fraction of a second, in which nobody else can change anything."""

_Alike = tuple[Any, ...]
"""A stretch's beginning, and whose it is."""


@dataclass(frozen=True)
class Stretches:
    """A table of what was counted in stretches of time."""

    table: type[Usage] | type[HeldBackTime]
    whose: tuple[str, ...]
    """Columns, the tenant's first: rows that are alike in them are put together."""
    sums: tuple[str, ...]
    """Columns that are added up."""

    def columns(self, names: Iterable[str]) -> tuple[Any, ...]:
        """Columns by their names."""
        return tuple(getattr(self.table, name) for name in names)

    def rows(self) -> Select[Any]:
        """All that is put together of them."""
        table = self.table
        return select(table.number, table.at, table.minutes, *self.columns(self.whose + self.sums))

    def alike(self, row: Any, longer: int) -> _Alike:
        """What rows have in common that belong into one longer stretch."""
        return (begin_of(row.at, longer), *(getattr(row, name) for name in self.whose))


ALL = (
    Stretches(
        Usage,
        ("tenant_id", "subtenant_id", "managed_server_id", "gateway_name", "target"),
        ("tunnels", "bytes_up", "bytes_down"),
    ),
    Stretches(HeldBackTime, ("tenant_id",), ("limit_seconds", "share_seconds")),
)

Place = tuple[UUID, datetime]
"""How far rows were looked at: a tenant, and the beginning of a stretch."""
START: Place = (UUID(int=0), datetime.fromtimestamp(0, UTC))


def compact_usage(work: UnitOfWork) -> bool:
    """Put old minutes together to hours, and old hours to days. Whether there may be more.

    They are old by a clock that is settled: what was put together is not taken apart again.
    """
    found = [_compact(work, each, minutes) for each in ALL for minutes in KEPT]
    return any(found)


def find_alike(
    work: UnitOfWork, kind: Stretches, after: Place
) -> tuple[Sequence[Sequence[int]], Place | None]:
    """Hours, and days, that have several rows where one would do, as older releases left them.

    Some at a time: the numbers of those that are alike, and where to go on; None at the end.
    """
    table = kind.table
    # By an index, in its order: however many there are, each is looked at once.
    place = tuple_(table.tenant_id, table.at)
    wanted = kind.rows().where(table.minutes > MINUTE, place > after)
    order = (table.tenant_id, table.at, table.minutes, *kind.columns(kind.whose), table.number)
    rows = work.session.execute(wanted.order_by(*order).limit(_AT_ONCE)).all()
    if len(rows) < _AT_ONCE:
        return _several(rows, kind), None
    last: Place = (rows[-1].tenant_id, rows[-1].at)
    whole = [each for each in rows if (each.tenant_id, each.at) != last]
    if whole:
        return _several(whole, kind), (whole[-1].tenant_id, whole[-1].at)
    found = _several(rows, kind)
    return found, after if found else last


def merge_alike(work: UnitOfWork, kind: Stretches, found: Iterable[Sequence[int]]) -> None:
    """Put rows together that were found to be alike: the first of them becomes the sum of all."""
    numbers = [number for each in found for number in each]
    rows: list[Any] = []
    for some in id_batches(numbers):
        rows += work.session.execute(kind.rows().where(kind.table.number.in_(some)))
    together: dict[_Alike, list[Any]] = defaultdict(list)
    for row in sorted(rows, key=lambda each: each.number):
        together[(row.minutes, *kind.alike(row, row.minutes))].append(row)
    _add(work, kind, {first.number: _sums(kind, more) for first, *more in together.values()})
    _remove(work, kind, [each.number for _, *more in together.values() for each in more])


def _several(rows: Sequence[Any], kind: Stretches) -> Sequence[Sequence[int]]:
    found: dict[_Alike, list[int]] = defaultdict(list)
    for each in rows:
        found[(each.minutes, *kind.alike(each, each.minutes))].append(each.number)
    return [numbers for numbers in found.values() if len(numbers) > 1]


def _compact(work: UnitOfWork, kind: Stretches, minutes: int) -> bool:
    longer, table = _LONGER[minutes], kind.table
    before = begin_of(work.settled - KEPT[minutes], longer)
    oldest = work.session.execute(
        kind.rows()
        .where(table.minutes == minutes, table.at < before)
        .order_by(table.at)
        .limit(_AT_ONCE)
    ).all()
    has_more = len(oldest) == _AT_ONCE
    _put_together(work, kind, longer, _whole(work, kind, longer, oldest) if has_more else oldest)
    return has_more


def _whole(work: UnitOfWork, kind: Stretches, longer: int, oldest: Sequence[Any]) -> Sequence[Any]:
    """All that is to be put together of some long stretches, or of some tenants in the first.

    Rows of a part of it would become as many rows again where thousands are active at once.
    """
    last = begin_of(oldest[-1].at, longer)
    before = [each for each in oldest if each.at < last]
    if before:
        return before
    table = kind.table
    found: list[Any] = []
    for some in id_batches(list(dict.fromkeys(each.tenant_id for each in oldest))):
        within = kind.rows().where(
            table.tenant_id.in_(some),
            table.at >= last,
            table.at < last + timedelta(minutes=longer),
            table.minutes < longer,
        )
        ordered = within.order_by(*kind.columns(kind.whose)).limit(_AT_ONCE - len(found))
        found += work.session.execute(ordered)
        if len(found) == _AT_ONCE:  # what is left of the last of them is added to it next time
            break
    return found


def _put_together(work: UnitOfWork, kind: Stretches, longer: int, rows: Sequence[Any]) -> None:
    """Make one row of those that are alike, or add them to the one that there is."""
    together: dict[_Alike, list[Any]] = defaultdict(list)
    for each in rows:
        together[kind.alike(each, longer)].append(each)
    known = _known(work, kind, longer, together)
    sums = {alike: _sums(kind, some) for alike, some in together.items()}
    _add(work, kind, {known[alike]: more for alike, more in sums.items() if alike in known})
    names = ("at", *kind.whose)
    new = [
        {"minutes": longer, **dict(zip(names, alike, strict=True)), **more}
        for alike, more in sums.items()
        if alike not in known
    ]
    if new:
        work.session.execute(insert(kind.table), new)
    _remove(work, kind, [each.number for each in rows])


def _known(
    work: UnitOfWork, kind: Stretches, longer: int, together: Mapping[_Alike, Any]
) -> dict[_Alike, int]:
    """Of longer stretches that there are already: the row that more is added to."""
    if not together:
        return {}
    table, whose = kind.table, kind.columns(kind.whose)
    begins, tenants = zip(*(alike[:2] for alike in together), strict=True)
    found = {}
    for some in id_batches(list(dict.fromkeys(tenants))):
        wanted = (
            select(func.min(table.number), table.at, *whose)
            .where(table.minutes == longer, table.tenant_id.in_(some))
            .where(table.at >= min(begins), table.at <= max(begins))
            .group_by(table.at, *whose)
        )
        found.update({tuple(alike): number for number, *alike in work.session.execute(wanted)})
    return found


def _sums(kind: Stretches, rows: Iterable[Any]) -> dict[str, int]:
    some = list(rows)
    return {name: sum(getattr(each, name) for each in some) for name in kind.sums}


def _add(work: UnitOfWork, kind: Stretches, more: Mapping[int, Mapping[str, int]]) -> None:
    """Add to rows, by their numbers."""
    if not more:
        return
    table: Any = kind.table.__table__
    added = {name: table.c[name] + bindparam(f"more_{name}") for name in kind.sums}
    work.session.connection().execute(
        update(table).where(table.c.number == bindparam("row")).values(added),
        [
            {"row": number, **{f"more_{name}": value for name, value in each.items()}}
            for number, each in more.items()
        ],
    )


def _remove(work: UnitOfWork, kind: Stretches, numbers: Sequence[int]) -> None:
    for some in id_batches(numbers):
        work.session.execute(delete(kind.table).where(kind.table.number.in_(some)))


def begin_of(moment: datetime, minutes: int) -> datetime:
    """The beginning of the hour, or of the day, that a moment is in."""
    whole = moment.replace(minute=0, second=0, microsecond=0)
    return whole.replace(hour=0) if minutes == DAY else whole
