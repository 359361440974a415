"""Tenants that are read together, by columns, are shown as each one's own address shows it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from cloudgate.manager.storage import tenant_rows
from cloudgate.manager.storage.tables import CloudTenant, GatewayPool, TenantResource
from cloudgate.manager.storage.tenant_rows import TenantRow
from cloudgate.values.months import month_of
from tests.api.handlers.tenants import add_repository, add_tenant, quota
from tests.support.running.manager import RunningManager

pytestmark = pytest.mark.both_databases


def fill_in(running: RunningManager, name: str) -> None:
    """All that a tenant can have besides what it was made with."""
    now = datetime.now(UTC)
    with running.manager.changing() as work:
        tenant = work.session.scalars(select(CloudTenant).where(CloudTenant.name == name)).one()
        tenant.old_password_until = now + timedelta(hours=1)
        tenant.old_password_used_at = tenant.last_active_at = now
        tenant.egress_month, tenant.egress_bytes = month_of(now), 970 * 1024 * 1024
        tenant.may_change_password = tenant.may_get_certificates = True
        tenant.may_use_portal = False
        tenant.backup_protection_enabled, tenant.backup_protection_period = True, 7
        site = tenant.backup_server
        tenant.pools = [
            GatewayPool(backup_server_id=site.id, name=each) for each in ("second", "first")
        ]
        for resource in work.session.scalars(select(TenantResource)):
            resource.used_bytes, resource.measured_at = resource.quota_mb * 1024 * 1024 * 2, now
            resource.measuring_warning = "It could not be measured since."


def in_page(client: httpx2.Client, form: str) -> list[dict[str, Any]]:
    found = client.get(f"/query?type=CloudTenant&format={form}&sortAsc=Name").json()
    if form == "Entities":
        return list(found["Entities"]["CloudTenants"]["CloudTenants"])
    return list(found["Refs"]["Refs"])


def test_many_are_shown_as_each_ones_own_address_shows_it(
    running: RunningManager, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenant_rows, "MOST_IN_A_QUERY", 2)
    quotas = [quota(add_repository(client, each), f"on {each}") for each in ("vault", "attic")]
    made = [
        add_tenant(client, "bare"),
        add_tenant(
            client,
            "full",
            Description="has all",
            Enabled=False,
            LeaseExpirationDate="2096-01-01T00:00:00",
            Resources={"BackupResources": quotas},
            ThrottlingEnabled=True,
            MaxConcurrentTasks=3,
            EgressQuotaMb=1000,
            AllowedNetworks={"Networks": ["192.0.2.0/24"]},
        ),
        add_tenant(client, "some", Resources={"BackupResources": quotas[:1]}),
    ]
    fill_in(running, "full")
    own = [client.get(each["Href"]).raise_for_status().json() for each in made]
    assert own[1]["Warning"]
    assert len(own[1]["CloudGatewayPools"]["CloudGatewayPoolUids"]) == 2
    assert len(own[1]["Resources"]["CloudTenantResources"]) == 2
    assert in_page(client, "Entities") == own
    references = [client.get(each["Href"].partition("?")[0]).json() for each in made]
    assert in_page(client, "Ref") == references
    assert client.get("/cloud/tenants?format=Entity").json() == {"CloudTenants": own}
    assert client.get("/cloud/tenants").json() == {"Refs": references}


def test_a_row_has_the_names_of_the_table() -> None:
    assert set(TenantRow._fields) <= set(CloudTenant.__mapper__.attrs.keys())
