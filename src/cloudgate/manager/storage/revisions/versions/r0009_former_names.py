"""Names of those who are gone, for their usage; limits of 0 are none."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_names",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_names")),
    )
    op.create_index("ix_usage_at", "usage", ["at"])
    # The audit log knows those who went before. A subtenant may have gone with its tenant.
    op.execute(
        "INSERT INTO former_names (id, name)"
        " SELECT object_id, max(object_name) FROM audit_events"
        " WHERE operation IN ('CreateCloudTenant', 'DeleteCloudTenant',"
        " 'AddCloudSubtenant', 'DeleteCloudSubtenant') AND object_id IS NOT NULL"
        " AND object_id NOT IN (SELECT id FROM cloud_tenants)"
        " AND object_id NOT IN (SELECT id FROM subtenants)"
        " GROUP BY object_id"
    )
    # Gateways took 0 at its word; with a new revision they hear that it limits nothing.
    op.execute("UPDATE counters SET value = value + 1 WHERE name = 'directory'")
    op.execute(
        "UPDATE cloud_tenants SET directory_revision ="
        " (SELECT value FROM counters WHERE name = 'directory')"
        " WHERE max_concurrent_tasks = 0 OR throttling_speed_limit = 0"
    )
