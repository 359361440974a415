"""Tasks know of which request they are, and what happened when."""

import sqlalchemy as sa
from alembic import op

from cloudgate.manager.storage.types import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.add_column(sa.Column("trace", sa.String(55), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("received_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("steps", sa.JSON(none_as_null=True), nullable=True))
    with op.batch_alter_table("tasks") as batch_op:
        batch_op.alter_column("trace", server_default=None)
