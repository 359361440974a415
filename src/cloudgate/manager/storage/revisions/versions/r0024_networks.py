"""Tenants and their users may have networks that they come from."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("cloud_tenants") as table:
        table.add_column(sa.Column("networks", sa.JSON()))
        table.add_column(sa.Column("outside_end_before", sa.DateTime(timezone=True)))
    with op.batch_alter_table("subtenants") as table:
        table.add_column(sa.Column("networks", sa.JSON()))
        table.add_column(sa.Column("tunnels_end_before", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("outside_end_before", sa.DateTime(timezone=True)))
