"""Repositories may say how they keep what is deleted, and tenants be protected by that.

What tenants were asked to be before protected nothing, and is to be asked for again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("repositories") as table:
        table.add_column(sa.Column("protection", sa.JSON()))
        table.add_column(
            sa.Column("sealed_protection_password", sa.Text(), nullable=False, server_default="")
        )
        table.add_column(sa.Column("protection_known", sa.JSON()))
    op.execute(sa.text("UPDATE cloud_tenants SET backup_protection_enabled = false"))
