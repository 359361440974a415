"""Drains have names, and those of pools are counted."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "cloud_gateways",
        sa.Column("drain", sa.String(length=32), nullable=False, server_default=""),
    )
    op.add_column("backup_servers", sa.Column("pool_drain_seconds", sa.Integer()))
    op.add_column(
        "backup_servers",
        sa.Column("pool_drain", sa.String(length=32), nullable=False, server_default=""),
    )
    op.add_column("managed_servers", sa.Column("misplaced", sa.JSON(none_as_null=True)))
    op.add_column(
        "tasks", sa.Column("drains", sa.Boolean(), nullable=False, server_default=sa.false())
    )
