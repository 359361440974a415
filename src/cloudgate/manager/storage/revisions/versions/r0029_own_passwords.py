"""Tenants may change their own passwords, where the provider lets them."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("cloud_tenants") as table:
        table.add_column(
            sa.Column(
                "may_change_password", sa.Boolean(), nullable=False, server_default=sa.false()
            )
        )
