"""Usage totals: what did each tenant use in all, so that nobody adds up its whole past again?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, case, select, update

from cloudgate import protocol
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import UsageTotal


@dataclass
class UsageIncrement:
    """What a tenant used besides."""

    at: datetime
    """The latest moment of it."""
    tunnels: int = 0
    bytes_up: int = 0
    bytes_down: int = 0

    def add(self, usage: protocol.Usage, at: datetime) -> None:
        """One more line."""
        self.at = max(self.at, at)
        self.tunnels += usage.tunnels
        self.bytes_up += usage.bytes_up
        self.bytes_down += usage.bytes_down


def add_to_totals(work: UnitOfWork, more: Mapping[UUID, UsageIncrement]) -> None:
    """Count what tenants used besides, in the transaction that writes it down."""
    known = _with_totals(work, more)
    table = UsageTotal.__table__
    values = [
        {
            "whose": tenant_id,
            "more_tunnels": each.tunnels,
            "more_up": each.bytes_up,
            "more_down": each.bytes_down,
            "moment": each.at,
        }
        for tenant_id, each in more.items()
        if tenant_id in known
    ]
    if values:
        moment = bindparam("moment", type_=UsageTotal.at.type)
        work.session.connection().execute(
            update(table)  # type: ignore[arg-type]
            .where(UsageTotal.tenant_id == bindparam("whose"))
            .values(
                tunnels=UsageTotal.tunnels + bindparam("more_tunnels"),
                bytes_up=UsageTotal.bytes_up + bindparam("more_up"),
                bytes_down=UsageTotal.bytes_down + bindparam("more_down"),
                at=case((UsageTotal.at < moment, moment), else_=UsageTotal.at),
            ),
            values,
        )
    for tenant_id, each in more.items():
        if tenant_id not in known:
            work.session.add(
                UsageTotal(
                    tenant_id=tenant_id,
                    tunnels=each.tunnels,
                    bytes_up=each.bytes_up,
                    bytes_down=each.bytes_down,
                    at=each.at,
                )
            )


def _with_totals(work: UnitOfWork, more: Mapping[UUID, UsageIncrement]) -> set[UUID]:
    wanted, found = sorted(more), set()
    for some in id_batches(wanted):
        found |= set(
            work.session.scalars(select(UsageTotal.tenant_id).where(UsageTotal.tenant_id.in_(some)))
        )
    return found
