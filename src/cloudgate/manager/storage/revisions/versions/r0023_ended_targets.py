"""A tenant's tunnels to one repository may be ended, and its others go on."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("cloud_tenants") as table:
        table.add_column(sa.Column("target_ends", sa.JSON(), nullable=False, server_default="{}"))
