"""With thousands of tenants, what is about something else reads none of them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import Engine, event, func, insert, select

from cloudgate.errors import InvalidRequestError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways import operations as gateways
from cloudgate.manager.notifications import outbox, rules
from cloudgate.manager.pools import operations as pools
from cloudgate.manager.pools.operations import PoolChange
from cloudgate.manager.probes.operations import ProbeChange, set_probe
from cloudgate.manager.probes.rules import Probe, ProbeMethod
from cloudgate.manager.repositories.operations import (
    RepositoryChange,
    edit_repository,
    get_repository,
)
from cloudgate.manager.storage.tables import (
    BackupServer,
    Base,
    CloudGateway,
    CloudTenant,
    GatewayPool,
    ManagedServer,
    NotificationReceiver,
    PoolTenant,
    Repository,
    TenantResource,
)
from tests.support.observation.sql_statements import statements
from tests.support.running.gateways import add_gateway
from tests.support.running.manager import RunningManager

pytestmark = pytest.mark.both_databases

TENANTS = 20
SMALL = {"Account.roles", "Account.passkeys", "CloudTenant.resources", "CloudTenant.pools"}
"""Collections that come with a row: a few each, however large an installation is."""


@dataclass(frozen=True)
class Site:
    """A pool with one gateway and many tenants, each with a quota on one repository."""

    id: UUID
    server_id: UUID
    pool_id: UUID
    repository_id: UUID
    tenant_id: UUID
    """One of them."""


@pytest.fixture
def site(running: RunningManager) -> Site:
    with running.manager.changing() as work:
        site_id = work.session.scalars(select(BackupServer.id)).one()
        add_gateway(work, site_id, "gw1.example")
        work.session.flush()
        gateway = work.session.scalars(select(CloudGateway)).one()
        vault = Repository(
            id=uuid4(),
            backup_server_id=site_id,
            name="vault",
            kind="",
            endpoint="vault.example:1",
            address="vault.example:1",
            quota_rules={"enforced": True},
        )
        pool = GatewayPool(id=uuid4(), backup_server_id=site_id, name="pool")
        work.session.add_all([vault, pool])
        gateway.pool_id = pool.id
        work.session.flush()
        tenants = [uuid4() for _ in range(TENANTS)]
        _add_tenants(work, site_id, vault.id, pool.id, tenants)
        return Site(site_id, gateway.managed_server_id, pool.id, vault.id, tenants[0])


def _add_tenants(
    work: UnitOfWork, site_id: UUID, repository_id: UUID, pool_id: UUID, ids: list[UUID]
) -> None:
    rows: dict[type[Base], Callable[[UUID], dict[str, Any]]] = {
        CloudTenant: lambda each: {
            "id": each,
            "backup_server_id": site_id,
            "name": str(each),
            "login": str(each),
            "directory_revision": 1,
        },
        TenantResource: lambda each: {
            "tenant_id": each,
            "repository_id": repository_id,
            "name": "quota",
            "quota_mb": 1,
            "used_bytes": 2**30,
            "measured_at": work.now,
        },
        PoolTenant: lambda each: {"pool_id": pool_id, "tenant_id": each},
    }
    for table, row in rows.items():
        work.session.execute(insert(table), [row(each) for each in ids])


@contextmanager
def _mapped() -> Iterator[list[Base]]:
    """The rows that this thread maps meanwhile, which no job does; they stay in memory."""
    seen: list[Base] = []
    own = threading.get_ident()

    def note(row: Base, _context: object) -> None:
        if threading.get_ident() == own:
            seen.append(row)

    event.listen(Base, "load", note, propagate=True)
    try:
        yield seen
    finally:
        event.remove(Base, "load", note)


def _of_tenants(seen: list[Base]) -> list[Base]:
    return [each for each in seen if isinstance(each, CloudTenant | TenantResource)]


def test_no_collection_comes_with_a_row_that_may_be_large() -> None:
    come = {
        f"{mapper.class_.__name__}.{each.key}"
        for mapper in Base.registry.mappers
        for each in mapper.relationships
        if each.uselist and each.lazy != "select"
    }
    assert come == SMALL


def test_a_gateway_is_read_without_the_tenants_of_its_pool(
    running: RunningManager, site: Site
) -> None:
    with running.manager.reading() as work, _mapped() as seen:
        server = work.session.get_one(ManagedServer, site.server_id)
        gateway = gateways.gateway_of(work, server)
        assert gateway is not None
        assert gateway.pool is not None
        assert gateway.pool.name == "pool"
    assert _of_tenants(seen) == []


def test_a_tenant_is_read_without_others_of_its_pools(running: RunningManager, site: Site) -> None:
    with running.manager.reading() as work, _mapped() as seen:
        tenant = work.session.get_one(CloudTenant, site.tenant_id)
        assert [each.name for each in tenant.pools] == ["pool"]
    assert [each for each in seen if isinstance(each, CloudTenant)] == [tenant]


@pytest.mark.parametrize(
    "path", ["/cloud/gatewayPools?format=Entity", "/query?type=CloudGatewayPool&format=Entities"]
)
def test_pools_are_shown_with_their_members_by_as_many_statements_however_many_they_are(
    running: RunningManager, client: httpx2.Client, site: Site, path: str
) -> None:
    counts = []
    for more in (1, 5):
        with running.manager.changing() as work:
            for number in range(more):
                name = f"pool {more} {number}"
                pool = GatewayPool(id=uuid4(), backup_server_id=site.id, name=name)
                work.session.add(pool)
                work.session.flush()
                work.session.add(PoolTenant(pool_id=pool.id, tenant_id=site.tenant_id))
        with statements(running) as seen:
            shown = client.get(path).raise_for_status().json()
        counts.append(len([each for each in seen if "pool" in each]))
        assert not any("tenant_resources" in each for each in seen)
        found = shown.get("Entities", shown)["CloudGatewayPools"]
        found = found.get("CloudGatewayPools", found) if isinstance(found, dict) else found
        members = {each["Name"]: each for each in found}
        assert len(members["pool"]["CloudTenants"]["CloudTenantUids"]) == TENANTS
        assert len(members["pool"]["CloudGateways"]["CloudGatewayUids"]) == 1
    assert counts[0] == counts[1] > 0


def test_whether_a_name_of_a_pool_is_free_is_seen_by_names_alone(
    running: RunningManager, site: Site
) -> None:
    with running.manager.changing() as work, pytest.raises(InvalidRequestError, match="there"):
        pools.create_pool(work, PoolChange(name="Pool"), None)
    with running.rolled_back() as work, _mapped() as seen:
        pools.edit_pool(work, pools.get_pool(work, site.pool_id), PoolChange(name="other"))
    assert _of_tenants(seen) == []


def test_all_tenants_of_a_pool_are_told_of_other_gateways_by_one_statement(
    running: RunningManager, site: Site
) -> None:
    with running.rolled_back() as work, _mapped() as rows:
        pool = pools.get_pool(work, site.pool_id)
        mine = [each.id for each in pool.gateways]
        with _updates_of("cloud_tenants") as seen:
            pools.edit_pool(work, pool, PoolChange(gateways=mine))
        assert _told(work) == TENANTS
    assert (len(seen), _of_tenants(rows)) == (1, [])


def test_all_tenants_of_a_repository_are_told_of_its_change_by_one_statement(
    running: RunningManager, site: Site
) -> None:
    with running.rolled_back() as work, _mapped() as rows:
        vault = get_repository(work, site.repository_id)
        with _updates_of("cloud_tenants") as seen:
            edit_repository(work, vault, RepositoryChange(quota_grace_percent=11))
        assert _told(work) == TENANTS
        assert site.id in work.news_for
    assert (len(seen), _of_tenants(rows)) == (1, [])


def test_what_was_measured_of_a_repository_is_forgotten_without_reading_it(
    running: RunningManager, site: Site
) -> None:
    with running.rolled_back() as work, _mapped() as rows:
        vault = get_repository(work, site.repository_id)
        server = str(site.server_id)
        probe = Probe(method=ProbeMethod.DIRECTORY, server_id=server, path="/srv/{tenant}")
        set_probe(work, vault, ProbeChange(probe))
        assert _told(work) == 0, "what was measured is as true as before"
        with _updates_of("tenant_resources") as seen:
            set_probe(work, vault, ProbeChange(None))
        assert _told(work) == TENANTS, "it barred all of them"
        measured = select(func.count()).where(TenantResource.used_bytes.is_not(None))
        assert work.session.scalar(measured) == 0
    assert (len(seen), _of_tenants(rows)) == (1, [])


def test_who_is_told_of_events_is_read_without_the_tenants_that_it_is_told_about(
    running: RunningManager, site: Site
) -> None:
    told = {"kind": "Email", "address": "a@b.example", "tenant_id": site.tenant_id}
    with running.rolled_back() as work:
        names = [{**told, "name": str(number)} for number in range(TENANTS)]
        work.session.execute(insert(NotificationReceiver), names)
        with _mapped() as seen:
            assert outbox.has_receivers(work)
            found = outbox.receivers(work)
        condition = rules.Condition(
            kind=rules.Kind.QUOTA_LEVEL,
            subject="acme",
            name="acme",
            object_type="CloudTenant",
            text="It is full.",
            tenant_id=site.tenant_id,
        )
        assert len(list(found.that_hear_of(condition))) == TENANTS
    assert seen == []


@contextmanager
def _updates_of(table: str) -> Iterator[list[str]]:
    """The statements of this thread that change a table; a row that is written by itself is one."""
    seen: list[str] = []
    own = threading.get_ident()

    def note(*arguments: Any) -> None:
        statement, parameters, is_many = str(arguments[2]), arguments[3], arguments[5]
        if statement.startswith(f"UPDATE {table} ") and threading.get_ident() == own:
            seen.extend([statement] * (len(parameters) if is_many else 1))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def _told(work: UnitOfWork) -> int:
    """How many tenants gateways learn of anew."""
    return work.session.scalar(select(func.count()).where(CloudTenant.directory_revision > 1)) or 0
