"""Which revisions of the tenant directory there were: any other is of a database that is gone."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "directory_revisions",
        sa.Column("revision", number, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_directory_revisions")),
    )
    # What is known of those of before is enough for hosts that are there.
    op.execute(
        "INSERT INTO directory_revisions (revision)"
        " SELECT value FROM counters WHERE name = 'directory'"
        " UNION SELECT directory_revision FROM cloud_tenants"
        " UNION SELECT directory_revision FROM removed_tenants"
    )
