"""The tables of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accounts")),
        sa.UniqueConstraint("name", name=op.f("uq_accounts_name")),
    )
    op.create_table(
        "backup_servers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("wcf_port", sa.Integer(), nullable=True),
        sa.Column("certificate_thumbprint", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_backup_servers")),
        sa.UniqueConstraint("name", name=op.f("uq_backup_servers_name")),
    )
    op.create_table(
        "counters",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counters")),
    )
    op.create_table(
        "tasks",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deadline_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("success", sa.Boolean(), nullable=True),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("backup_server_id", sa.Uuid(), nullable=True),
        sa.Column("gateway_id", sa.Uuid(), nullable=True),
        sa.Column(
            "directory_revision",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
        ),
        sa.Column("related_type", sa.String(length=64), nullable=False),
        sa.Column("related_path", sa.Text(), nullable=False),
        sa.Column("related_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_tasks")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tasks_gateway_id"), ["gateway_id"], unique=False)
        batch_op.create_index("ix_tasks_open", ["finished_at", "deadline_at"], unique=False)

    op.create_table(
        "cloud_tenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("backup_server_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("login", sa.String(length=384), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("throttling_enabled", sa.Boolean(), nullable=False),
        sa.Column("throttling_speed_limit", sa.Integer(), nullable=False),
        sa.Column("throttling_speed_unit", sa.String(length=8), nullable=False),
        sa.Column("max_concurrent_tasks", sa.Integer(), nullable=False),
        sa.Column("public_ip_count", sa.Integer(), nullable=False),
        sa.Column("backup_protection_enabled", sa.Boolean(), nullable=False),
        sa.Column("backup_protection_period", sa.Integer(), nullable=False),
        sa.Column("failover_to_others", sa.Boolean(), nullable=False),
        sa.Column(
            "directory_revision",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["backup_server_id"],
            ["backup_servers.id"],
            name=op.f("fk_cloud_tenants_backup_server_id_backup_servers"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cloud_tenants")),
    )
    with op.batch_alter_table("cloud_tenants", schema=None) as batch_op:
        batch_op.create_index(
            "ix_cloud_tenants_feed", ["backup_server_id", "directory_revision"], unique=False
        )
        batch_op.create_index("ix_cloud_tenants_login", ["backup_server_id", "login"], unique=True)

    op.create_table(
        "logon_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.String(length=16), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_logon_sessions_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_logon_sessions")),
    )
    with op.batch_alter_table("logon_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_logon_sessions_used_at"), ["used_at"], unique=False)

    op.create_table(
        "managed_servers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("backup_server_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("join_token_hash", sa.String(length=64), nullable=True),
        sa.Column("join_token_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("credential_hash", sa.String(length=64), nullable=True),
        sa.Column("facts", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "assignment_revision",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column(
            "reported_revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "reported_directory_revision",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("reported_state", sa.String(length=16), nullable=False),
        sa.Column("reported_reason", sa.Text(), nullable=False),
        sa.Column("live_tunnels", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["backup_server_id"],
            ["backup_servers.id"],
            name=op.f("fk_managed_servers_backup_server_id_backup_servers"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_managed_servers")),
        sa.UniqueConstraint("credential_hash", name=op.f("uq_managed_servers_credential_hash")),
        sa.UniqueConstraint("join_token_hash", name=op.f("uq_managed_servers_join_token_hash")),
    )
    with op.batch_alter_table("managed_servers", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_managed_servers_backup_server_id"), ["backup_server_id"], unique=False
        )

    op.create_table(
        "removed_tenants",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("backup_server_id", sa.Uuid(), nullable=False),
        sa.Column(
            "directory_revision",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["backup_server_id"],
            ["backup_servers.id"],
            name=op.f("fk_removed_tenants_backup_server_id_backup_servers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_removed_tenants")),
    )
    with op.batch_alter_table("removed_tenants", schema=None) as batch_op:
        batch_op.create_index(
            "ix_removed_tenants_feed", ["backup_server_id", "directory_revision"], unique=False
        )

    op.create_table(
        "repositories",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("backup_server_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.String(length=261), nullable=False),
        sa.Column("address", sa.String(length=261), nullable=False),
        sa.ForeignKeyConstraint(
            ["backup_server_id"],
            ["backup_servers.id"],
            name=op.f("fk_repositories_backup_server_id_backup_servers"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_repositories")),
    )
    with op.batch_alter_table("repositories", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_repositories_backup_server_id"), ["backup_server_id"], unique=False
        )

    op.create_table(
        "cloud_gateways",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("managed_server_id", sa.Uuid(), nullable=False),
        sa.Column("backup_server_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("wanted", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("confirmed", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("removing", sa.Boolean(), nullable=False),
        sa.Column("certificate_pem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["backup_server_id"],
            ["backup_servers.id"],
            name=op.f("fk_cloud_gateways_backup_server_id_backup_servers"),
        ),
        sa.ForeignKeyConstraint(
            ["managed_server_id"],
            ["managed_servers.id"],
            name=op.f("fk_cloud_gateways_managed_server_id_managed_servers"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cloud_gateways")),
        sa.UniqueConstraint("managed_server_id", name=op.f("uq_cloud_gateways_managed_server_id")),
    )
    with op.batch_alter_table("cloud_gateways", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_cloud_gateways_backup_server_id"), ["backup_server_id"], unique=False
        )

    op.create_table(
        "tenant_resources",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("repository_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("quota_mb", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["repository_id"],
            ["repositories.id"],
            name=op.f("fk_tenant_resources_repository_id_repositories"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["cloud_tenants.id"],
            name=op.f("fk_tenant_resources_tenant_id_cloud_tenants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenant_resources")),
    )
    with op.batch_alter_table("tenant_resources", schema=None) as batch_op:
        batch_op.create_index(
            "ix_tenant_resources_once", ["tenant_id", "repository_id"], unique=True
        )
        batch_op.create_index(
            batch_op.f("ix_tenant_resources_repository_id"), ["repository_id"], unique=False
        )
