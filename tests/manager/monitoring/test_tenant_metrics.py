"""What the page of tenants says of quotas, however large they are."""

import asyncio

import httpx2
import pytest
from sqlalchemy import select

from cloudgate.manager.monitoring.tenant_metrics import TenantMetrics
from cloudgate.manager.storage.tables import CloudTenant, Repository, TenantResource
from tests.support.running.manager import RunningManager, finished

MB = 1024 * 1024
LARGEST_QUOTA_MB = 2_251_799_812_636_672
LARGEST_MEASURED = 10**18 - 1


@pytest.mark.both_databases
def test_a_tenants_quotas_and_use_may_be_more_than_a_number_of_the_database(
    running: RunningManager, client: httpx2.Client
) -> None:
    finished(client, client.post("/cloud/tenants", json={"Name": "sky", "Password": "p"}).json())
    for number in range(10):
        spec = {"Name": f"vault{number}", "Endpoint": f"vault{number}.example:1"}
        client.post("/repositories", json=spec).raise_for_status()
    with running.manager.changing() as work:
        tenant = work.session.scalars(select(CloudTenant)).one()
        for repository in work.session.scalars(select(Repository)).all():
            resource = TenantResource(
                tenant_id=tenant.id,
                repository=repository,
                name="q",
                quota_mb=LARGEST_QUOTA_MB,
                used_bytes=LARGEST_MEASURED,
            )
            work.session.add(resource)
    pieces, _ = asyncio.run(TenantMetrics(running.manager).document(""))
    lines = dict(each.rsplit(" ", 1) for each in b"".join(pieces).decode().splitlines())
    used, quota = "cloudgate_tenant_used_bytes", "cloudgate_tenant_quota_bytes"
    assert int(lines[f'{used}{{tenant="sky"}}']) == pytest.approx(10 * LARGEST_MEASURED)
    assert int(lines[f'{quota}{{tenant="sky"}}']) == pytest.approx(10 * LARGEST_QUOTA_MB * MB)
