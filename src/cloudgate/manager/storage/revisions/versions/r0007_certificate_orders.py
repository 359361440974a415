"""Certificates from ACME servers."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "certificate_orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("gateway_id", sa.Uuid(), nullable=True),
        sa.Column("certificate_id", sa.Uuid(), nullable=True),
        sa.Column("wish", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("sealed_account_key", sa.Text(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["gateway_id"],
            ["cloud_gateways.id"],
            name=op.f("fk_certificate_orders_gateway_id_cloud_gateways"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["certificate_id"],
            ["cloud_certificates.id"],
            name=op.f("fk_certificate_orders_certificate_id_cloud_certificates"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_certificate_orders")),
        sa.UniqueConstraint("certificate_id", name=op.f("uq_certificate_orders_certificate_id")),
    )
    op.add_column(
        "cloud_gateways",
        sa.Column("certificate_warning", sa.Text(), nullable=False, server_default=""),
    )
    op.add_column("tasks", sa.Column("certificate_order_id", sa.Uuid(), nullable=True))
