"""Entries of the audit log are chained, those that are there included; old ones may be removed."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_BEGINNING = "0" * 64
_AT_ONCE = 1000
_ONLY_GROWS = "The audit log only grows"
_REVISION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _let_rows_change()
    op.add_column(
        "audit_events", sa.Column("hash", sa.String(length=64), nullable=False, server_default="")
    )
    op.create_table(
        "audit_chain",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", _REVISION, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("anchor_number", _REVISION, nullable=False),
        sa.Column("anchor_hash", sa.String(length=64), nullable=False),
        sa.Column("seal", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_chain")),
    )
    number, last = _chain_what_is_there()
    chain = sa.table(
        "audit_chain",
        *(sa.column(name, sa.BigInteger()) for name in ("id", "number", "anchor_number")),
        *(sa.column(name, sa.Text()) for name in ("hash", "anchor_hash", "seal")),
    )
    op.execute(
        chain.insert().values(
            id=1, number=number, hash=last, anchor_number=0, anchor_hash=_BEGINNING, seal=""
        )
    )
    _protect_the_audit_log()


def _let_rows_change() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER IF EXISTS audit_events_no_{verb}")
        return
    op.execute("DROP TRIGGER IF EXISTS audit_events_no_change ON audit_events")


def _protect_the_audit_log() -> None:
    """Rows can be added, and not changed; removed only where the chain begins after them."""
    forgotten = "OLD.number <= (SELECT anchor_number FROM audit_chain)"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events"
            f" BEGIN SELECT RAISE(ABORT, '{_ONLY_GROWS}'); END"
        )
        op.execute(
            "CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events"
            f" WHEN NOT ({forgotten}) BEGIN SELECT RAISE(ABORT, '{_ONLY_GROWS}'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION audit_events_only_old() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF {forgotten} THEN RETURN OLD; END IF;"
        f" RAISE EXCEPTION '{_ONLY_GROWS}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR TRUNCATE ON audit_events"
        " EXECUTE FUNCTION audit_events_only_grow()"
    )
    op.execute(
        "CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events"
        " FOR EACH ROW EXECUTE FUNCTION audit_events_only_old()"
    )


def _chain_what_is_there() -> tuple[int, str]:
    """The number and the hash of the last entry."""
    number, previous = 0, _BEGINNING
    connection = op.get_bind()
    for some in _events(connection):
        hashes = []
        for event in some:
            number, previous = event.number, _hash_of(event, previous)
            hashes.append({"known": number, "made": previous})
        connection.execute(
            sa.text("UPDATE audit_events SET hash = :made WHERE number = :known"), hashes
        )
    return number, previous


def _events(connection: sa.Connection) -> Iterator[list[Any]]:
    events = sa.table(
        "audit_events",
        *(sa.column(name, sa.BigInteger()) for name in ("number", "code")),
        *(sa.column(name, sa.Text()) for name in ("account", "address", "severity", "operation")),
        *(sa.column(name, sa.Text()) for name in ("text", "object_type", "object_name", "message")),
        *(sa.column(name, sa.JSON()) for name in ("before", "after")),
        sa.column("at", sa.DateTime(timezone=True)),
        sa.column("object_id", sa.Uuid()),
        sa.column("success", sa.Boolean()),
    )
    last = 0
    while True:
        some = connection.execute(
            sa.select(events)
            .where(events.c.number > last)
            .order_by(events.c.number)
            .limit(_AT_ONCE)
        ).all()
        if not some:
            return
        yield list(some)
        last = some[-1].number


def _hash_of(event: Any, previous: str) -> str:
    """As `cloudgate.manager.audit.chain` has it at this revision."""
    document = {
        "number": event.number,
        "at": _utc(event.at).isoformat().replace("+00:00", "Z"),
        "account": event.account,
        "address": event.address,
        "code": event.code,
        "severity": event.severity,
        "operation": event.operation,
        "text": event.text,
        "object_type": event.object_type,
        "object_id": str(event.object_id) if event.object_id else None,
        "object_name": event.object_name,
        "before": event.before,
        "after": event.after,
        "success": event.success,
        "message": event.message,
        "previous": previous,
    }
    said = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(said.encode()).hexdigest()


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
