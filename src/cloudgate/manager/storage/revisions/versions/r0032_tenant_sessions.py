"""Tenants have sessions of their own, where the provider lets them."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenant_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("subtenant_id", sa.Uuid()),
        sa.Column("password_mark", sa.String(64), nullable=False),
        sa.Column("version", sa.String(16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["cloud_tenants.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subtenant_id"], ["subtenants.id"], ondelete="CASCADE"),
    )
    with op.batch_alter_table("tenant_sessions") as table:
        table.create_index("ix_tenant_sessions_tenant_id", ["tenant_id"])
        table.create_index("ix_tenant_sessions_subtenant_id", ["subtenant_id"])
        table.create_index("ix_tenant_sessions_used_at", ["used_at"])
    with op.batch_alter_table("cloud_tenants") as table:
        table.add_column(
            sa.Column("may_use_portal", sa.Boolean(), nullable=False, server_default=sa.true())
        )
