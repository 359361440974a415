"""What managed servers on machines of their own need, and what gateways know of their site."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_REVISION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("backup_servers") as table:
        table.add_column(sa.Column("site_revision", _REVISION, nullable=False, server_default="0"))
    with op.batch_alter_table("managed_servers") as table:
        table.add_column(sa.Column("credential_made_at", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("next_credential_hash", sa.String(length=64)))
        table.add_column(
            sa.Column("machine", sa.String(length=64), nullable=False, server_default="")
        )
        table.add_column(sa.Column("online_since", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("warning", sa.Text(), nullable=False, server_default=""))
        table.create_unique_constraint(
            "uq_managed_servers_next_credential_hash", ["next_credential_hash"]
        )
    with op.batch_alter_table("cloud_gateways") as table:
        table.add_column(sa.Column("drain_seconds", sa.Integer()))
        table.add_column(sa.Column("reach_warning", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("cloud_tenants") as table:
        table.alter_column("max_concurrent_tasks", existing_type=sa.Integer(), nullable=True)
        table.add_column(sa.Column("tunnels_end_before", sa.DateTime(timezone=True)))
        table.add_column(sa.Column("last_active_at", sa.DateTime(timezone=True)))
    # Until now the default could not be told from a choice, and it limited nothing.
    op.execute(
        "UPDATE cloud_tenants SET max_concurrent_tasks = NULL WHERE max_concurrent_tasks = 1"
    )
    # Hosts hear of their site when its revision is another than theirs, which begins with 0.
    op.execute("UPDATE backup_servers SET site_revision = 1")
