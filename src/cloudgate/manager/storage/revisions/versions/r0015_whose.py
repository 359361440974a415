"""Tasks know who began them. Of those that are there nobody knows; administrators see them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tasks", sa.Column("account_id", sa.Uuid(), nullable=True))
    op.create_index("ix_tasks_account_id", "tasks", ["account_id"])
