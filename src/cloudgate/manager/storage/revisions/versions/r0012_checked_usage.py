"""Up to when each host has told its usage; numbers that cannot be are taken out."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_MOST_TUNNELS = 2**31 - 1
_MOST_BYTES = 2**60
"""As `cloudgate.protocol.bounds` has them now; ten sums of more would not fit into a column."""
_TOLD_OF = 100


def upgrade() -> None:
    with op.batch_alter_table("managed_servers", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("usage_told_until", sa.DateTime(timezone=True), nullable=True)
        )
    servers = sa.table("managed_servers", sa.column("live_tunnels", sa.BigInteger()))
    live = servers.c.live_tunnels
    op.execute(
        sa.update(servers).where(sa.or_(live < 0, live > _MOST_TUNNELS)).values(live_tunnels=0)
    )
    _take_out_usage_that_cannot_be()


def _take_out_usage_that_cannot_be() -> None:
    usage = sa.table(
        "usage",
        *(sa.column(name, sa.BigInteger()) for name in ("number", "minutes", "tunnels")),
        *(sa.column(name, sa.BigInteger()) for name in ("bytes_up", "bytes_down")),
        *(sa.column(name, sa.Uuid()) for name in ("tenant_id", "managed_server_id")),
        sa.column("at", sa.DateTime(timezone=True)),
    )
    numbers = (usage.c.tunnels, usage.c.bytes_up, usage.c.bytes_down)
    cannot_be = sa.or_(*(each < 0 for each in numbers), *(each > _MOST_BYTES for each in numbers))
    found = op.get_bind().execute(sa.select(usage).where(cannot_be)).all()
    if not found:
        return
    op.execute(sa.delete(usage).where(cannot_be))
    _note_in_the_audit_log([_told(row) for row in found])


def _told(row: Any) -> dict[str, Any]:
    return {
        "BeginTime": row.at.isoformat(),
        "CloudTenant": str(row.tenant_id),
        "ManagedServer": str(row.managed_server_id),
        "Tunnels": row.tunnels,
        "BytesUp": row.bytes_up,
        "BytesDown": row.bytes_down,
    }


def _note_in_the_audit_log(lines: list[dict[str, Any]]) -> None:
    events = sa.table(
        "audit_events",
        sa.column("at", sa.DateTime(timezone=True)),
        *(sa.column(name, sa.Text()) for name in ("account", "address", "severity", "operation")),
        *(sa.column(name, sa.Text()) for name in ("text", "object_type", "object_name", "message")),
        sa.column("code", sa.Integer()),
        sa.column("success", sa.Boolean()),
        sa.column("before", sa.JSON()),
    )
    op.execute(
        events.insert().values(
            at=datetime.now(UTC),
            account="Cloudgate",
            address="",
            code=0,
            severity="Warning",
            operation="DeleteUsage",
            text=f"{len(lines)} lines of usage that cannot be were taken out",
            object_type="CloudUsage",
            object_name="",
            message="",
            success=True,
            before={"Lines": lines[:_TOLD_OF]},
        )
    )
