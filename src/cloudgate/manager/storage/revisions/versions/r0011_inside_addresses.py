"""Gateways learn where the others are inside the provider's network."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("UPDATE backup_servers SET site_revision = site_revision + 1")
