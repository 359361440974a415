"""What tenants used of the gateways."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "usage",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("subtenant_id", sa.Uuid(), nullable=True),
        sa.Column("managed_server_id", sa.Uuid(), nullable=False),
        sa.Column("gateway_name", sa.String(length=255), nullable=False),
        sa.Column("target", sa.String(length=261), nullable=False),
        sa.Column("tunnels", sa.BigInteger(), nullable=False),
        sa.Column("bytes_up", sa.BigInteger(), nullable=False),
        sa.Column("bytes_down", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_usage")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("usage") as table:
        table.create_index("ix_usage_tenant", ["tenant_id", "at"])
        table.create_index("ix_usage_stretch", ["minutes", "at"])
    with op.batch_alter_table("managed_servers") as table:
        table.add_column(
            sa.Column("usage_batch", sa.String(length=32), nullable=False, server_default="")
        )
