"""Tenants and their users may come in by certificates, which an authority of their own signs."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "tenant_authorities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("certificate_pem", sa.Text(), nullable=False),
        sa.Column("sealed_key", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "tenant_certificates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("subtenant_id", sa.Uuid(), nullable=True),
        sa.Column("certificate_pem", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("password_mark", sa.String(64), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.ForeignKeyConstraint(["tenant_id"], ["cloud_tenants.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["subtenant_id"], ["subtenants.id"], ondelete="CASCADE"),
    )
    op.create_index(
        "ix_tenant_certificates_tenant", "tenant_certificates", ["tenant_id", "ends_at"]
    )
    op.create_index("ix_tenant_certificates_end", "tenant_certificates", ["ends_at"])
    with op.batch_alter_table("cloud_tenants") as table:
        table.add_column(
            sa.Column(
                "may_get_certificates", sa.Boolean(), nullable=False, server_default=sa.false()
            )
        )
