"""Probes of how much tenants keep in repositories."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("repositories", sa.Column("usage_probe", sa.JSON(none_as_null=True)))
    op.add_column(
        "repositories",
        sa.Column("sealed_probe_password", sa.Text(), nullable=False, server_default=""),
    )
    op.add_column("tenant_resources", sa.Column("used_bytes", sa.BigInteger(), nullable=True))
    op.add_column(
        "tenant_resources", sa.Column("measured_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.add_column(
        "tenant_resources",
        sa.Column("measuring_warning", sa.Text(), nullable=False, server_default=""),
    )
    op.add_column(
        "tenant_resources", sa.Column("measure_after", sa.DateTime(timezone=True), nullable=True)
    )
