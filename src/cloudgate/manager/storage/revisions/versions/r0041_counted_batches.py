"""Batches of usage are known for a while after newer ones: copies of them may come late."""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counted_batches",
        sa.Column("managed_server_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("managed_server_id", "name"),
        sa.ForeignKeyConstraint(["managed_server_id"], ["managed_servers.id"], ondelete="CASCADE"),
    )
    op.create_index("ix_counted_batches_heard_at", "counted_batches", ["heard_at"])
