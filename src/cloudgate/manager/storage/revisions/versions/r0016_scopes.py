"""A host knows the tenants that its gateway may let in, and no others.

All hosts are told all that they may know anew, and so forget the rest. Where gateways and tenants
were before is not known: they may have been anywhere in their site.
"""

import time
import uuid
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_REVISION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NO_POOL = uuid.UUID(int=0)
_NOBODY = uuid.UUID(int=0)
"""The gateway of periods that are over."""


def upgrade() -> None:
    op.create_table(
        "pool_stays",
        sa.Column("tenant_id", sa.Uuid(), nullable=False),
        sa.Column("pool_id", sa.Uuid(), nullable=False),
        sa.Column("since", _REVISION, nullable=False),
        sa.Column("until", _REVISION, nullable=True),
        sa.PrimaryKeyConstraint("tenant_id", "pool_id", name=op.f("pk_pool_stays")),
    )
    with op.batch_alter_table("pool_stays", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_pool_stays_pool_id"), ["pool_id"], unique=False)
    with op.batch_alter_table("managed_servers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("scope", sa.JSON(none_as_null=True), nullable=True))
    _remember_who_was_removed()
    servers = sa.table("managed_servers", sa.column("id", sa.Uuid()))
    if op.get_bind().scalar(sa.select(sa.func.count()).select_from(servers)):
        _give_hosts_their_scope(_next_directory_revision())


def _next_directory_revision() -> int:
    counters = sa.table("counters", sa.column("name", sa.Text()), sa.column("value", sa.Integer()))
    is_directory = counters.c.name == "directory"
    known: int | None = op.get_bind().scalar(sa.select(counters.c.value).where(is_directory))
    if known is None:
        return 0
    value = max(known + 1, int(time.time() * 1000))
    op.execute(sa.update(counters).where(is_directory).values(value=value))
    return value


def _remember_who_was_removed() -> None:
    removed = sa.table(
        "removed_tenants",
        sa.column("tenant_id", sa.Uuid()),
        sa.column("directory_revision", sa.BigInteger()),
    )
    stays = sa.table(
        "pool_stays",
        sa.column("tenant_id", sa.Uuid()),
        sa.column("pool_id", sa.Uuid()),
        sa.column("since", sa.BigInteger()),
        sa.column("until", sa.BigInteger()),
    )
    op.execute(
        stays.insert().from_select(
            ["tenant_id", "pool_id", "since", "until"],
            sa.select(
                removed.c.tenant_id,
                sa.literal(_NO_POOL, sa.Uuid()),
                sa.literal(0),
                removed.c.directory_revision,
            ),
        )
    )


def _give_hosts_their_scope(directory_revision: int) -> None:
    servers = sa.table(
        "managed_servers",
        sa.column("id", sa.Uuid()),
        sa.column("backup_server_id", sa.Uuid()),
        sa.column("scope", sa.JSON()),
    )
    gateways = sa.table(
        "cloud_gateways",
        *(sa.column(name, sa.Uuid()) for name in ("id", "managed_server_id", "pool_id")),
        sa.column("removing", sa.Boolean()),
    )
    pools = sa.table(
        "gateway_pools", sa.column("id", sa.Uuid()), sa.column("backup_server_id", sa.Uuid())
    )
    connection = op.get_bind()
    of_site: dict[Any, list[uuid.UUID]] = defaultdict(lambda: [_NO_POOL])
    for pool in connection.execute(sa.select(pools)):
        of_site[pool.backup_server_id].append(pool.id)
    roles = {row.managed_server_id: row for row in connection.execute(sa.select(gateways))}
    for server in connection.execute(sa.select(servers)).all():
        role = roles.get(server.id)
        gateway_id = role.id if role else _NOBODY
        # With a gateway, tunnels of any tenant may be there from any pool that it was in.
        periods: list[list[Any]] = [
            [str(gateway_id), str(pool), 0, directory_revision]
            for pool in of_site[server.backup_server_id]
        ]
        pool_id = (role.pool_id or _NO_POOL) if role else None
        if role:
            periods.append([str(role.id), str(pool_id), directory_revision, None])
        scope = {
            "gateway": str(role.id) if role else None,
            "serves": role is not None and not role.removing,
            "pool": str(pool_id) if pool_id else None,
            "revision": directory_revision,
            "periods": periods,
        }
        op.execute(sa.update(servers).where(servers.c.id == server.id).values(scope=scope))
