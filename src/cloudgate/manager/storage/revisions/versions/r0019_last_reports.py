"""The last report of each host is kept whole, in place of a column for each thing it says."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_SERVERS = sa.table(
    "managed_servers",
    sa.column("id", sa.Uuid()),
    sa.column("reported_revision", sa.BigInteger()),
    sa.column("reported_directory_revision", sa.BigInteger()),
    *(sa.column(name, sa.Text()) for name in ("reported_state", "reported_reason")),
    sa.column("live_tunnels", sa.Integer()),
    *(sa.column(name, sa.JSON(none_as_null=True)) for name in ("misplaced", "report")),
)


def upgrade() -> None:
    with op.batch_alter_table("managed_servers") as batch_op:
        batch_op.add_column(sa.Column("report", sa.JSON(none_as_null=True), nullable=True))
    _put_together()
    with op.batch_alter_table("managed_servers") as batch_op:
        for name in ("reported_directory_revision", "reported_reason", "misplaced"):
            batch_op.drop_column(name)


def _put_together() -> None:
    connection = op.get_bind()
    for row in connection.execute(sa.select(_SERVERS)).all():
        if row.reported_state or row.reported_directory_revision:
            report = {
                "assignment_revision": row.reported_revision or 0,
                "directory_revision": row.reported_directory_revision,
                "state": row.reported_state or "absent",
                "reason": row.reported_reason,
                "live_tunnels": row.live_tunnels,
                "misplaced": row.misplaced,
            }
            connection.execute(
                sa.update(_SERVERS).where(_SERVERS.c.id == row.id).values(report=report)
            )
