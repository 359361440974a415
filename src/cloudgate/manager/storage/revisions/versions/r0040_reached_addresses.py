"""Where a manager has reached a gateway is kept: who fails there later is not well."""

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("cloud_gateways") as table:
        table.add_column(sa.Column("reached_address", sa.Text()))
