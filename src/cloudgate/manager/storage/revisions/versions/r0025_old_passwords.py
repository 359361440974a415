"""A password that was replaced may be good beside the new one for a time."""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("cloud_tenants", "subtenants"):
        with op.batch_alter_table(name) as table:
            table.add_column(
                sa.Column("old_password_hash", sa.Text(), nullable=False, server_default="")
            )
            table.add_column(sa.Column("old_password_until", sa.DateTime(timezone=True)))
            table.add_column(sa.Column("old_password_used_at", sa.DateTime(timezone=True)))
