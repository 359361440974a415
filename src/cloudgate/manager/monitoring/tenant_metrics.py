"""Tenant metrics: what does the page of tenants show? Bytes as billed, tunnels, quotas, limits.

It is text made in one go: ten thousand tenants have more than a hundred thousand lines.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import Float, String, cast, func, select, type_coerce
from sqlalchemy.exc import SQLAlchemyError

from cloudgate.errors import UnavailableError
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.monitoring.unique_names import UniqueNames
from cloudgate.manager.registries.hosts.tenant_counts import TenantSums
from cloudgate.manager.storage.raw_values import hex_of, seconds_of
from cloudgate.manager.storage.tables import CloudTenant, FormerName, TenantResource, UsageTotal
from cloudgate.manager.tenants.limits import from_document
from cloudgate.monitoring.exposition import OPEN_METRICS, escaped, heading, media_type
from cloudgate.monitoring.metrics_table import METRICS, Page, shown_on
from cloudgate.monitoring.page_threads import in_page_thread
from cloudgate.values.units import MB

REMEMBERED = timedelta(days=90)
"""A tenant that was removed is shown for so long after it last used something."""
_NOTHING = TenantSums()
_OF_ALL = (
    "cloudgate_tenant_bytes_total",
    "cloudgate_tenant_tunnels_opened_total",
    "cloudgate_tenant_last_activity_timestamp_seconds",
)
_OF_PRESENT = (
    "cloudgate_tenant_tunnels",
    "cloudgate_tenant_refused_total",
    "cloudgate_tenant_held_back_seconds_total",
    "cloudgate_tenant_tunnels_limit",
    "cloudgate_tenant_limit_bytes",
    "cloudgate_tenant_quota_bytes",
    "cloudgate_tenant_used_bytes",
    "cloudgate_tenant_enabled",
)


class TenantMetrics:
    """The page of tenants."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def document(self, accept: str) -> tuple[list[bytes], str]:
        """The page, a piece for each metric, and its media type.

        Raises:
            UnavailableError: the database cannot be read.
        """
        form = media_type(accept)
        try:
            return await in_page_thread(self._made, form), form
        except SQLAlchemyError:
            raise UnavailableError(
                "What tenants used cannot be read from the database now; /readyz?verbose says why."
            ) from None

    def _made(self, form: str) -> list[bytes]:
        page = _TenantPage(self._manager.figures.tenants.sums())
        with self._manager.reading() as work:
            page.add_present(_present(work), work.now)
            page.add_removed(_removed(work))
        return page.render(form)


class _TenantPage:
    """The lines of tenants, by metric.

    Rows are as the driver gives them: what SQLAlchemy would make of them costs more than all else.
    """

    def __init__(self, counted: Mapping[UUID, TenantSums]) -> None:
        self._counted = {each.hex: sums for each, sums in counted.items()}
        self._names = UniqueNames()
        self._shared: set[str] = set()
        self._lines: dict[str, list[str]] = {each.name: [] for each in shown_on(Page.TENANTS)}
        self._bytes, self._opened, self._last = (self._lines[name] for name in _OF_ALL)

    def add_present(self, rows: Sequence[Any], now: datetime) -> None:
        """Tenants that are there."""
        tunnels, refused, held_back, most, limit, quotas, used, enabled = (
            self._lines[name] for name in _OF_PRESENT
        )
        now_seconds, counted = now.timestamp(), self._counted
        self._shared = _shared(rows)
        for row in rows:
            identifier, name, is_enabled, expires_at, limits, *total, quota, used_bytes = row
            key = hex_of(identifier)
            shown = self._use(name, key, total)
            sums = counted.get(key, _NOTHING)
            tunnels.append(f"cloudgate_tenant_tunnels{shown}}} {sums.tunnels}\n")
            refused.append(f"cloudgate_tenant_refused_total{shown}}} {sums.refused}\n")
            held_back.append(
                f"cloudgate_tenant_held_back_seconds_total{shown}}} {sums.held_back_seconds:.2f}\n"
            )
            speed_bytes, at_a_time = _limits(limits)
            if at_a_time is not None:
                most.append(f"cloudgate_tenant_tunnels_limit{shown}}} {at_a_time}\n")
            if speed_bytes is not None:
                limit.append(f"cloudgate_tenant_limit_bytes{shown}}} {speed_bytes}\n")
            if quota is not None:
                quotas.append(f"cloudgate_tenant_quota_bytes{shown}}} {int(quota) * MB}\n")
            if used_bytes is not None:
                used.append(f"cloudgate_tenant_used_bytes{shown}}} {int(used_bytes)}\n")
            is_over = expires_at is not None and seconds_of(expires_at) <= now_seconds
            may_come = 1 if is_enabled and not is_over else 0
            enabled.append(f"cloudgate_tenant_enabled{shown}}} {may_come}\n")

    def add_removed(self, rows: Sequence[Any]) -> None:
        """Tenants that are not there any more: what they used is to be billed all the same."""
        self._shared |= _shared(rows)
        for identifier, name, *total in rows:
            self._use(name, hex_of(identifier), total)

    def _use(self, name: str, key: str, total: Sequence[Any]) -> str:
        """What a tenant used. How its labels begin."""
        opened, up, down, at = total
        unique = self._names.of(name, key, is_shared=name in self._shared)
        shown = f'{{tenant="{escaped(unique)}"'
        self._bytes.append(
            f'cloudgate_tenant_bytes_total{shown},direction="up"}} {up or 0}\n'
            f'cloudgate_tenant_bytes_total{shown},direction="down"}} {down or 0}\n'
        )
        self._opened.append(f"cloudgate_tenant_tunnels_opened_total{shown}}} {opened or 0}\n")
        if at is not None:
            self._last.append(
                f"cloudgate_tenant_last_activity_timestamp_seconds{shown}}} {seconds_of(at)}\n"
            )
        return shown

    def render(self, form: str) -> list[bytes]:
        """The page in a format, a piece for each metric."""
        pieces = []
        for name, lines in self._lines.items():
            if lines:
                pieces.append(f"{heading(METRICS[name], form)}{''.join(lines)}".encode())
        return [*pieces, b"# EOF\n"] if form == OPEN_METRICS else pieces


def _shared(rows: Sequence[Any]) -> set[str]:
    """The names that several have."""
    return {name for name, count in Counter(row[1] for row in rows).items() if count > 1}


def _raw(*columns: Any) -> Iterable[Any]:
    return (type_coerce(each, String()) for each in columns)


def _present(work: UnitOfWork) -> Sequence[Any]:
    # In floating point, as whoever reads metrics has them: quotas may be of any size.
    quota_mb, used_bytes = (
        func.sum(cast(each, Float)) for each in (TenantResource.quota_mb, TenantResource.used_bytes)
    )
    rooms = (
        select(
            TenantResource.tenant_id,
            quota_mb.label("quota_mb"),
            used_bytes.label("used_bytes"),
        )
        .group_by(TenantResource.tenant_id)
        .subquery()
    )
    return (
        work.session.connection()
        .execute(
            select(
                *_raw(
                    CloudTenant.id,
                    CloudTenant.name,
                    CloudTenant.enabled,
                    CloudTenant.expires_at,
                    CloudTenant.limits,
                    UsageTotal.tunnels,
                    UsageTotal.bytes_up,
                    UsageTotal.bytes_down,
                    UsageTotal.at,
                    rooms.c.quota_mb,
                    rooms.c.used_bytes,
                )
            )
            .outerjoin(UsageTotal, UsageTotal.tenant_id == CloudTenant.id)
            .outerjoin(rooms, rooms.c.tenant_id == CloudTenant.id)
            .order_by(CloudTenant.login, CloudTenant.id)
        )
        .all()
    )


def _removed(work: UnitOfWork) -> Sequence[Any]:
    total = (UsageTotal.tunnels, UsageTotal.bytes_up, UsageTotal.bytes_down, UsageTotal.at)
    return (
        work.session.connection()
        .execute(
            select(*_raw(FormerName.id, FormerName.name, *total))
            .join(UsageTotal, UsageTotal.tenant_id == FormerName.id)
            .outerjoin(CloudTenant, CloudTenant.id == FormerName.id)
            .where(UsageTotal.at > work.now - REMEMBERED, CloudTenant.id.is_(None))
            .order_by(FormerName.name, FormerName.id)
        )
        .all()
    )


def _limits(kept: Any) -> tuple[int | None, int | None]:
    """Bytes a second, and tunnels at a time; None for no limit."""
    if not kept:
        return None, None
    return _known_limits(kept if isinstance(kept, str) else json.dumps(kept))


@lru_cache(4096)
def _known_limits(text: str) -> tuple[int | None, int | None]:
    found = from_document(json.loads(text))
    return found.speed_limit_bytes, found.concurrent_tunnels
