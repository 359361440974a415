"""Usage reading: who used what, in which time, and how much together?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Select, Subquery, cast, func, null, select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.queries.fields import Field, Fields, Kind
from cloudgate.manager.queries.filter import Condition
from cloudgate.manager.queries.pages import Page, Query
from cloudgate.manager.storage.tables import CloudTenant, Usage
from cloudgate.manager.storage.types import UtcHour, UtcMonth
from cloudgate.manager.tenants.former_names import names_of
from cloudgate.manager.tenants.operations import TYPE
from cloudgate.manager.usage.compaction import HOUR

FIELDS = Fields(
    "CloudUsage",
    (
        Field("BeginTime", Kind.TIME, Usage.at),
        Field("Minutes", Kind.NUMBER, Usage.minutes),
        Field("CloudGateway", Kind.TEXT, Usage.gateway_name),
        Field("Target", Kind.TEXT, Usage.target),
        Field("Tunnels", Kind.NUMBER, Usage.tunnels),
        Field("BytesUp", Kind.NUMBER, Usage.bytes_up),
        Field("BytesDown", Kind.NUMBER, Usage.bytes_down),
        Field("CloudTenantUid", Kind.IDENTIFIER, Usage.tenant_id, resource_type=TYPE),
    ),
    {},
)
_WHO = (Usage.tenant_id, Usage.subtenant_id, Usage.gateway_name, Usage.target)
_HOW_MUCH = (Usage.tunnels, Usage.bytes_up, Usage.bytes_down)


@dataclass(frozen=True, kw_only=True)
class UsageRow:
    """What somebody used of a gateway by one target, in one stretch of time or in all of them."""

    begin: datetime
    minutes: int | None
    """How long the stretch is; None for all of them together."""
    tenant_id: UUID
    tenant: str
    """Its name, also when it is not there any more."""
    subtenant: str | None
    """None for what the tenant used by itself."""
    gateway: str
    target: str
    tunnels: int
    bytes_up: int
    bytes_down: int


@dataclass(kw_only=True)
class Traffic:
    """What all together used in one stretch of time."""

    begin: datetime
    minutes: int | None
    """An hour, or a day where no less is kept; None for a month."""
    tunnels: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


def usage_of(
    work: UnitOfWork,
    tenant: CloudTenant,
    since: datetime,
    condition: Condition | None = None,
    *,
    user_id: UUID | None = None,
    total: bool = False,
) -> tuple[UsageRow, ...]:
    """What a tenant used since a moment, or one of its users alone; oldest first.

    Args:
        work: what it is read in.
        tenant: whose.
        since: what began before does not count.
        condition: which stretches; None for all.
        user_id: of one user alone; None for the tenant with all of its users.
        total: whether the stretches are added up, for each who and where.

    Raises:
        InvalidRequestError: the condition names what is not there.
    """
    stretches = _together(since) if total else _stretches(since).order_by(Usage.at, Usage.number)
    found = stretches.where(Usage.tenant_id == tenant.id, FIELDS.compiled(condition))
    if user_id is not None:
        found = found.where(Usage.subtenant_id == user_id)
    return _named(work, work.session.execute(found).all())


def page_of_usage(
    work: UnitOfWork, query: Query, since: datetime, *, total: bool
) -> Page[UsageRow]:
    """A page of what all tenants used since a moment, those included that are not there any more.

    Args:
        work: what it is read in.
        query: which stretches, and in which order; when it does not say, the oldest first, or with
            `total` each tenant's together.
        since: what began before does not count.
        total: whether the stretches are added up, for each who and where.

    Raises:
        InvalidRequestError: the filter or the order names what is not there.
    """
    stretches = _together(since) if total else _stretches(since)
    chosen = stretches.where(FIELDS.compiled(query.condition)).subquery()
    order = _order(chosen, query, _WHO if total else (Usage.at,))
    offset = (query.page - 1) * query.page_size
    # Sums are made once: they are counted where they are made. Stretches are counted by an index.
    of_all = func.count().over() if total else null()
    wanted = select(chosen, of_all.label("of_all")).order_by(*order).limit(query.page_size)
    rows = work.session.execute(wanted.offset(offset)).all()
    count = rows[0].of_all if rows else None
    if count is None and (rows or offset):
        count = work.session.scalar(select(func.count()).select_from(chosen))
    count = count or 0
    pages = max(1, -(-count // query.page_size))
    return Page(_named(work, rows), query.page, query.page_size, pages)


class UsageGrouping(Enum):
    """By which stretches of UTC what all used is added up."""

    HOUR = "hour"
    MONTH = "month"

    @property
    def stretch(self) -> UtcHour | UtcMonth:
        """The text of the stretch that something was used in."""
        return UtcHour(Usage.at) if self is UsageGrouping.HOUR else UtcMonth(Usage.at)

    def begin_of(self, stretch: str) -> datetime:
        """The beginning of a stretch, by that text."""
        whole = f"{stretch}:00" if self is UsageGrouping.HOUR else f"{stretch}-01"
        return datetime.fromisoformat(whole).replace(tzinfo=UTC)


def traffic_by(
    work: UnitOfWork, by: UsageGrouping, condition: Condition | None, since: datetime
) -> tuple[Traffic, ...]:
    """What all used together since a moment, hour by hour or month by month, oldest first.

    What is idle is left out.

    Raises:
        InvalidRequestError: the filter names what is not there.
    """
    # Of a tenant's days there are thousands of minutes: the database adds up, not Python.
    alike = (by.stretch.label("stretch"), Usage.minutes)
    sums = [func.sum(each).label(each.key) for each in _HOW_MUCH]
    found = select(*alike, *sums).where(Usage.at >= since, FIELDS.compiled(condition))
    together: dict[tuple[str, int | None], Traffic] = {}
    for row in work.session.execute(found.group_by(*alike).order_by(*alike)):
        minutes = max(row.minutes, HOUR) if by is UsageGrouping.HOUR else None
        new = Traffic(begin=by.begin_of(row.stretch), minutes=minutes)
        one = together.setdefault((row.stretch, minutes), new)
        one.tunnels += int(row.tunnels)
        one.bytes_up += int(row.bytes_up)
        one.bytes_down += int(row.bytes_down)
    return tuple(together.values())


def _stretches(since: datetime) -> Select[*tuple[Any, ...]]:
    return select(Usage.number, Usage.at, Usage.minutes, *_WHO, *_HOW_MUCH).where(Usage.at >= since)


def _together(since: datetime) -> Select[*tuple[Any, ...]]:
    sums = [cast(func.sum(each), BigInteger).label(each.key) for each in _HOW_MUCH]
    first = (func.min(Usage.number).label("number"), func.min(Usage.at).label("at"))
    minutes = null().label("minutes")
    return select(*first, minutes, *_WHO, *sums).where(Usage.at >= since).group_by(*_WHO)


def _order(chosen: Subquery, query: Query, usual: Iterable[Any]) -> list[Any]:
    order: list[Any] = [*(chosen.c[column.key] for column in usual), chosen.c.number]
    if query.sort_by is not None:
        field = FIELDS.get(query.sort_by, "sort")
        mapped: Any = field.column
        column = chosen.c[mapped.key]
        key = func.lower(column) if field.kind is Kind.TEXT else column
        order.insert(0, key.desc() if query.descending else key.asc())
    return order


def _named(work: UnitOfWork, rows: Any) -> tuple[UsageRow, ...]:
    ids = {row.tenant_id for row in rows} | {row.subtenant_id for row in rows} - {None}
    names = names_of(work, ids)
    return tuple(
        UsageRow(
            begin=row.at,
            minutes=row.minutes,
            tenant_id=row.tenant_id,
            tenant=names[row.tenant_id],
            subtenant=names[row.subtenant_id] if row.subtenant_id else None,
            gateway=row.gateway_name,
            target=row.target,
            tunnels=row.tunnels,
            bytes_up=row.bytes_up,
            bytes_down=row.bytes_down,
        )
        for row in rows
    )
