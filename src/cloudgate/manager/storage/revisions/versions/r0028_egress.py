"""What each tenant brings back in a month is counted, for its egress quota."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("cloud_tenants") as table:
        table.add_column(sa.Column("egress_month", sa.String(7), nullable=False, server_default=""))
        table.add_column(
            sa.Column("egress_bytes", sa.BigInteger(), nullable=False, server_default="0")
        )
