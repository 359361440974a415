"""What each tenant used in all is kept beside its stretches of time, as it is shown often."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "usage_totals",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("tunnels", sa.BigInteger(), nullable=False),
        sa.Column("bytes_up", sa.BigInteger(), nullable=False),
        sa.Column("bytes_down", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", name="pk_usage_totals"),
    )
    op.execute(
        "INSERT INTO usage_totals (tenant_id, tunnels, bytes_up, bytes_down, at)"
        " SELECT tenant_id, SUM(tunnels), SUM(bytes_up), SUM(bytes_down), MAX(at)"
        " FROM usage GROUP BY tenant_id"
    )
