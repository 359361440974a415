"""Gateway pools, subtenants, roles of accounts, sealed passwords, and the audit log."""

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PORTAL_ADMINISTRATOR = uuid.UUID("5f37a46b-9ce2-40f4-8a62-b45b079257fc")


def upgrade() -> None:
    op.create_table(
        "audit_events",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(length=16), nullable=False),
        sa.Column("operation", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("object_type", sa.String(length=64), nullable=False),
        sa.Column("object_id", sa.Uuid(), nullable=True),
        sa.Column("object_name", sa.Text(), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_audit_events")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("audit_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_audit_events_account"), ["account"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_events_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_audit_events_object_id"), ["object_id"], unique=False)

    op.create_table(
        "account_roles",
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("role_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["accounts.id"],
            name=op.f("fk_account_roles_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("account_id", "role_id", name=op.f("pk_account_roles")),
    )
    op.create_table(
        "credentials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("backup_server_id", sa.Uuid(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("sealed_password", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["backup_server_id"],
            ["backup_servers.id"],
            name=op.f("fk_credentials_backup_server_id_backup_servers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
    )
    with op.batch_alter_table("credentials", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_credentials_backup_server_id"), ["backup_server_id"], unique=False
        )

    op.create_table(
        "gateway_pools",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("backup_server_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["backup_server_id"],
            ["backup_servers.id"],
            name=op.f("fk_gateway_pools_backup_server_id_backup_servers"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_pools")),
    )
    with op.batch_alter_table("gateway_pools", schema=None) as batch_op:
        batch_op.create_index("ix_gateway_pools_name", ["backup_server_id", "name"], unique=True)

    op.create_table(
        "password_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("backup_server_id", sa.Uuid(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("sealed_password", sa.Text(), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["backup_server_id"],
            ["backup_servers.id"],
            name=op.f("fk_password_keys_backup_server_id_backup_servers"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_password_keys")),
    )
    with op.batch_alter_table("password_keys", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_password_keys_backup_server_id"), ["backup_server_id"], unique=False
        )

    op.create_table(
        "pool_tenants",
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pool_id"],
            ["gateway_pools.id"],
            name=op.f("fk_pool_tenants_pool_id_gateway_pools"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["cloud_tenants.id"],
            name=op.f("fk_pool_tenants_tenant_id_cloud_tenants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("pool_id", "tenant_id", name=op.f("pk_pool_tenants")),
    )
    with op.batch_alter_table("pool_tenants", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pool_tenants_tenant_id"), ["tenant_id"], unique=False)

    op.create_table(
        "subtenants",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("login", sa.String(length=384), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("resource_id", sa.Uuid(), nullable=False),
        sa.Column("quota_name", sa.Text(), nullable=False),
        sa.Column("quota_mb", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["resource_id"],
            ["tenant_resources.id"],
            name=op.f("fk_subtenants_resource_id_tenant_resources"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"],
            ["cloud_tenants.id"],
            name=op.f("fk_subtenants_tenant_id_cloud_tenants"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subtenants")),
    )
    with op.batch_alter_table("subtenants", schema=None) as batch_op:
        batch_op.create_index("ix_subtenants_login", ["tenant_id", "login"], unique=True)
        batch_op.create_index(
            batch_op.f("ix_subtenants_resource_id"), ["resource_id"], unique=False
        )

    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column("kind", sa.String(length=16), nullable=False, server_default="User")
        )
        batch_op.add_column(
            sa.Column("restores_all_vms", sa.Boolean(), nullable=False, server_default=sa.false())
        )

    with op.batch_alter_table("cloud_gateways", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pool_id", sa.Uuid(), nullable=True))
        batch_op.create_index(batch_op.f("ix_cloud_gateways_pool_id"), ["pool_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_cloud_gateways_pool_id_gateway_pools"),
            "gateway_pools",
            ["pool_id"],
            ["id"],
            ondelete="SET NULL",
        )

    with op.batch_alter_table("logon_sessions", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tenant_id", sa.Uuid(), nullable=True))
        batch_op.create_index(
            batch_op.f("ix_logon_sessions_tenant_id"), ["tenant_id"], unique=False
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_logon_sessions_tenant_id_cloud_tenants"),
            "cloud_tenants",
            ["tenant_id"],
            ["id"],
            ondelete="CASCADE",
        )

    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.add_column(sa.Column("audit", sa.JSON(none_as_null=True), nullable=True))

    with op.batch_alter_table("cloud_tenants", schema=None) as batch_op:
        batch_op.create_index("ix_cloud_tenants_order", ["login", "id"], unique=False)

    _give_the_accounts_their_role()
    _protect_the_audit_log()


def _give_the_accounts_their_role() -> None:
    """Until now every account could do everything."""
    accounts = sa.table("accounts", sa.column("id", sa.Uuid()))
    roles = sa.table(
        "account_roles", sa.column("account_id", sa.Uuid()), sa.column("role_id", sa.Uuid())
    )
    op.execute(
        roles.insert().from_select(
            ["account_id", "role_id"],
            sa.select(accounts.c.id, sa.literal(PORTAL_ADMINISTRATOR, sa.Uuid())),
        )
    )


def _protect_the_audit_log() -> None:
    """Rows can be added, and neither changed nor removed."""
    text = "The audit log only grows"
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_events_no_{verb.lower()} BEFORE {verb} ON audit_events"
                f" BEGIN SELECT RAISE(ABORT, '{text}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION audit_events_only_grow() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{text}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events"
        " EXECUTE FUNCTION audit_events_only_grow()"
    )
