"""Names in one Unicode form; how large repositories are; quotas beside the word that there is none.

Of names that are the same in the one form, the one that was in it keeps its name, else the one with
the lowest id; the others get a number, and an entry in the audit log says so. Passwords cannot be
brought into the form, because they are hashed: they are tried in the forms that they may have.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from alembic import op

from cloudgate.values import precis

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_LONGEST = {"cloud_tenants": 128, "subtenants": 128, "tenant_resources": 128}
_UUID, _TEXT = sa.Uuid(), sa.Text()
_KINDS = {
    "accounts": ("EnterpriseAccount", "EditAccount", 0),
    "backup_servers": ("BackupServer", "EditBackupServer", 0),
    "managed_servers": ("ManagedServer", "EditManagedServer", 0),
    "cloud_gateways": ("CloudGateway", "EditCloudGateway", 24131),
    "gateway_pools": ("CloudGatewayPool", "UpdateCloudGatewayPool", 24142),
    "repositories": ("Repository", "EditRepository", 0),
    "tenant_resources": ("CloudTenantResource", "EditCloudTenantResource", 0),
    "cloud_tenants": ("CloudTenant", "EditCloudTenant", 25100),
    "subtenants": ("CloudSubtenant", "EditCloudSubtenant", 25220),
}
_SCOPES = {
    "managed_servers": "backup_server_id",
    "cloud_gateways": "backup_server_id",
    "gateway_pools": "backup_server_id",
    "repositories": "backup_server_id",
    "tenant_resources": "tenant_id",
    "cloud_tenants": "backup_server_id",
    "subtenants": "tenant_id",
}
"""Within what names tell things apart; all of them where nothing is said."""
_WITH_LOGIN = ("cloud_tenants", "subtenants")


def upgrade() -> None:
    for name in ("capacity_bytes", "measured_capacity_bytes", "measured_free_bytes"):
        op.add_column("repositories", sa.Column(name, sa.BigInteger(), nullable=True))
    op.add_column(
        "subtenants",
        sa.Column("unlimited", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.execute("UPDATE subtenants SET unlimited = (quota_mb IS NULL)")
    touched: set[Any] = set()
    for table in _KINDS:
        touched |= _rename(table)
    _tell_gateways(touched)


def _rename(table: str) -> set[Any]:
    """Bring the names of a table into the one form; the ids of tenants that have changed."""
    scope = _SCOPES.get(table)
    with_login = table in _WITH_LOGIN
    tenant = {"cloud_tenants": "id", "subtenants": "tenant_id", "tenant_resources": "tenant_id"}
    names = ["id", "name", *([scope] if scope else []), *(["login"] if with_login else [])]
    columns = [sa.column(each, _TEXT if each in ("name", "login") else _UUID) for each in names]
    rows = op.get_bind().execute(sa.select(*columns).select_from(sa.table(table))).mappings().all()
    # Whoever is in the form already comes first, and keeps its name.
    ordered = sorted(rows, key=lambda row: (_is_changed(row["name"]), str(row["id"])))
    taken: set[tuple[Any, str]] = set()
    changes = []
    for row in ordered:
        before = row["name"]
        form = precis.key(before) if table == "accounts" else precis.name(before)
        after = next(
            each
            for each in _candidates(form, _LONGEST.get(table, 255))
            if (row.get(scope) if scope else None, precis.key(each)) not in taken
        )
        taken.add((row.get(scope) if scope else None, precis.key(after)))
        login = precis.key(after)
        if after == before and (not with_login or row["login"] == login):
            continue
        changes.append((row, after, login))
        if after != form:
            _note(table, row["id"], before, after)
    # First out of each other's way: logins are unique at every moment.
    target = sa.table(table, *columns)
    for row, _, _ in changes if with_login else ():
        op.execute(target.update().where(target.c.id == row["id"]).values(login=f"\0{row['id']}"))
    for row, after, login in changes:
        values = {"name": after, "login": login} if with_login else {"name": after}
        op.execute(target.update().where(target.c.id == row["id"]).values(**values))
    return {row[tenant[table]] for row, _, _ in changes} if table in tenant else set()


def _is_changed(name: str) -> bool:
    """Whether it is not in the form, or is only equal to what is."""
    return precis.name(name) != name or precis.key(name) != name.casefold()


def _candidates(name: str, longest: int) -> Iterator[str]:
    yield name
    number = 2
    while True:
        ending = f" ({number})"
        yield name[: longest - len(ending)] + ending
        number += 1


def _note(table: str, identifier: Any, before: str, after: str) -> None:
    kind, operation, code = _KINDS[table]
    events = sa.table(
        "audit_events",
        *(
            sa.column(each)
            for each in (
                "account", "address", "code", "severity", "operation", "text", "object_type",
                "object_name", "success", "message",
            )
        ),
        sa.column("before", sa.JSON()),
        sa.column("after", sa.JSON()),
        sa.column("at", sa.DateTime(timezone=True)),
        sa.column("object_id", _UUID),
    )  # fmt: skip
    message = (
        f"{before} was the same name as another's but for its Unicode form, and is called {after}"
        " now. Tell whoever comes in by that name."
    )
    op.execute(
        events.insert().values(
            at=datetime.now(UTC),
            account="cloudgate",
            address="",
            code=code,
            severity="Warning",
            operation=operation,
            text=message,
            object_type=kind,
            object_id=identifier,
            object_name=after,
            before={"Name": before},
            after={"Name": after},
            success=True,
            message=message,
        )
    )


def _tell_gateways(tenant_ids: set[Any]) -> None:
    """With a new revision they hear of the new names."""
    if not tenant_ids:
        return
    op.execute("UPDATE counters SET value = value + 1 WHERE name = 'directory'")
    counters = sa.table("counters", sa.column("name"), sa.column("value"))
    current = sa.select(counters.c.value).where(counters.c.name == "directory").scalar_subquery()
    tenants = sa.table(
        "cloud_tenants", sa.column("id", _UUID), sa.column("directory_revision", sa.BigInteger())
    )
    for identifier in tenant_ids:
        op.execute(
            tenants.update()
            .where(tenants.c.id == identifier)
            .values(directory_revision=sa.func.coalesce(current, 1))
        )
