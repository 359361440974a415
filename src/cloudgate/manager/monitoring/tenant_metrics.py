"""Tenant metrics: what does the page of tenants show? Bytes as billed, tunnels, quotas, limits.

It is text made in one go: ten thousand tenants have more than a hundred thousand lines. It is made
in a thread, a part at a time, so that requests are answered meanwhile.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select

from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.probes.rules import MB
from cloudgate.manager.registries.host_figures import TenantSums
from cloudgate.manager.storage.tables import CloudTenant, FormerName, TenantResource, UsageTotal
from cloudgate.manager.tenants.limits import from_document
from cloudgate.monitoring.exposition import OPEN_METRICS, escaped, heading, media_type
from cloudgate.monitoring.metrics_table import METRICS

REMEMBERED = timedelta(days=90)
"""A tenant that was removed is shown for so long after it last used something."""
AT_ONCE = 500
"""Tenants whose lines are made before requests have their turn."""
_NOTHING = TenantSums()


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a tenant; None is unknown, or no limit."""

    tenant: str
    """Its name, escaped."""
    bytes_up: int = 0
    bytes_down: int = 0
    opened: int = 0
    tunnels: int | None = None
    tunnels_limit: int | None = None
    limit_bytes: int | None = None
    held_back_seconds: float | None = None
    refused: int | None = None
    quota_bytes: int | None = None
    used_bytes: int | None = None
    last_activity: int | None = None
    enabled: int | None = None


_COLUMNS: tuple[tuple[str, str, Callable[[Shown], float | None]], ...] = (
    ("cloudgate_tenant_bytes_total", ',direction="up"', lambda each: each.bytes_up),
    ("cloudgate_tenant_bytes_total", ',direction="down"', lambda each: each.bytes_down),
    ("cloudgate_tenant_tunnels_opened_total", "", lambda each: each.opened),
    ("cloudgate_tenant_tunnels", "", lambda each: each.tunnels),
    ("cloudgate_tenant_tunnels_limit", "", lambda each: each.tunnels_limit),
    ("cloudgate_tenant_limit_bytes", "", lambda each: each.limit_bytes),
    ("cloudgate_tenant_held_back_seconds_total", "", lambda each: each.held_back_seconds),
    ("cloudgate_tenant_refused_total", "", lambda each: each.refused),
    ("cloudgate_tenant_quota_bytes", "", lambda each: each.quota_bytes),
    ("cloudgate_tenant_used_bytes", "", lambda each: each.used_bytes),
    ("cloudgate_tenant_last_activity_timestamp_seconds", "", lambda each: each.last_activity),
    ("cloudgate_tenant_enabled", "", lambda each: each.enabled),
)


class TenantMetrics:
    """The page of tenants."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def document(self, accept: str) -> tuple[bytes, str]:
        """The page, and its media type."""
        form = media_type(accept)
        return await asyncio.to_thread(self._made, form), form

    def _made(self, form: str) -> bytes:
        with self._manager.reading() as work:
            shown = tuple(_shown(work, self._manager.figures.tenants()))
        return written(shown, form).encode()


def written(shown: Sequence[Shown], form: str) -> str:
    """The page of these tenants."""
    parts: list[str] = []
    before = ""
    for name, label, value_of in _COLUMNS:
        lines: list[str] = []
        for start in range(0, len(shown), AT_ONCE):
            lines += [
                f'{name}{{tenant="{each.tenant}"{label}}} {value}\n'
                for each in shown[start : start + AT_ONCE]
                if (value := value_of(each)) is not None
            ]
            time.sleep(0)  # lets go of the interpreter
        if lines and name != before:
            parts.append(heading(METRICS[name], form))
            before = name
        parts += lines
    return "".join(parts) + ("# EOF\n" if form == OPEN_METRICS else "")


def _shown(work: UnitOfWork, counted: Mapping[UUID, TenantSums]) -> Iterator[Shown]:
    totals = {
        row.tenant_id: row
        for row in work.session.execute(
            select(
                UsageTotal.tenant_id,
                UsageTotal.tunnels,
                UsageTotal.bytes_up,
                UsageTotal.bytes_down,
                UsageTotal.at,
            )
        )
    }
    rooms = {
        row[0]: (row[1], row[2])
        for row in work.session.execute(
            select(
                TenantResource.tenant_id,
                func.sum(TenantResource.quota_mb),
                func.sum(TenantResource.used_bytes),
            ).group_by(TenantResource.tenant_id)
        )
    }
    names: set[str] = set()
    rows = work.session.execute(
        select(
            CloudTenant.id,
            CloudTenant.name,
            CloudTenant.enabled,
            CloudTenant.expires_at,
            CloudTenant.limits,
        ).order_by(CloudTenant.login, CloudTenant.id)
    )
    for row in rows:
        total, sums = totals.pop(row.id, None), counted.get(row.id, _NOTHING)
        limits = from_document(row.limits) if row.limits else None
        quota, used = rooms.get(row.id, (None, None))
        is_over = row.expires_at is not None and row.expires_at <= work.now
        yield Shown(
            _unique(names, row.name, row.id),
            total.bytes_up if total else 0,
            total.bytes_down if total else 0,
            total.tunnels if total else 0,
            sums.tunnels,
            limits.concurrent_tunnels if limits else None,
            limits.speed_limit_bytes if limits else None,
            round(sums.held_back_seconds, 2),
            sums.refused,
            None if quota is None else int(quota) * MB,
            None if used is None else int(used),
            _seconds(total.at) if total else None,
            int(row.enabled and not is_over),
        )
    yield from _removed(work, names, totals)


def _removed(work: UnitOfWork, names: set[str], totals: Mapping[UUID, object]) -> Iterator[Shown]:
    """Tenants that are not there any more: what they used is to be billed all the same."""
    rows = work.session.execute(
        select(FormerName.name, UsageTotal)
        .join(FormerName, FormerName.id == UsageTotal.tenant_id)
        .where(UsageTotal.at > work.now - REMEMBERED)
        .order_by(FormerName.name, FormerName.id)
    )
    for name, total in rows:
        if total.tenant_id in totals:
            yield Shown(
                _unique(names, name, total.tenant_id),
                total.bytes_up,
                total.bytes_down,
                total.tunnels,
                last_activity=_seconds(total.at),
            )


def _unique(names: set[str], name: str, identifier: UUID) -> str:
    """Of several with one name, at several sites or one after the other, the first has it alone."""
    found = name if name not in names else f"{name} ({identifier.hex[:8]})"
    names.add(found)
    return escaped(found)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
