"""Limits of each tenant are one document, in place of a column for each of them."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_NAMES = (
    "throttling_enabled",
    "throttling_speed_limit",
    "throttling_speed_unit",
    "max_concurrent_tasks",
)
_TENANTS = sa.table(
    "cloud_tenants",
    sa.column("id", sa.Uuid()),
    sa.column("throttling_enabled", sa.Boolean()),
    sa.column("throttling_speed_limit", sa.Integer()),
    sa.column("throttling_speed_unit", sa.Text()),
    sa.column("max_concurrent_tasks", sa.Integer()),
    sa.column("limits", sa.JSON(none_as_null=True)),
)


def upgrade() -> None:
    with op.batch_alter_table("cloud_tenants") as batch_op:
        batch_op.add_column(sa.Column("limits", sa.JSON(none_as_null=True), nullable=True))
    connection = op.get_bind()
    for row in connection.execute(sa.select(_TENANTS)).all():
        limits = {name: getattr(row, name) for name in _NAMES}
        connection.execute(sa.update(_TENANTS).where(_TENANTS.c.id == row.id).values(limits=limits))
    with op.batch_alter_table("cloud_tenants") as batch_op:
        for name in _NAMES:
            batch_op.drop_column(name)
