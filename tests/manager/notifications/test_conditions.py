"""What is seen of all that somebody should know, whatever is kept of the others."""

from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import text

from cloudgate.manager.notifications import operations, outbox
from cloudgate.manager.notifications.conditions import Seen, see_all
from cloudgate.manager.notifications.rules import Kind
from cloudgate.manager.quotas.operations import keep_use
from cloudgate.manager.storage.tables import (
    CloudTenant,
    NotificationDelivery,
    NotificationReceiver,
    TenantResource,
)
from cloudgate.values import months
from tests.support.running.manager import RunningManager, finished

pytestmark = pytest.mark.both_databases

MB = 1024 * 1024
LARGEST_QUOTA_MB = 2_251_799_812_636_672
"""That the schema lets through."""


def seen(running: RunningManager) -> Seen:
    with running.manager.reading() as work:
        return see_all(running.manager, work)


def add_tenants(client: httpx2.Client, **quotas_mb: int) -> None:
    """Each with one quota."""
    spec = {"Name": "vault", "Endpoint": "v.example:1"}
    vault = client.post("/repositories", json=spec).raise_for_status().json()["UID"]
    for name, quota_mb in quotas_mb.items():
        quota = {"Name": "q", "RepositoryUid": vault, "QuotaMb": quota_mb}
        tenant = {"Name": name, "Password": "p", "Resources": {"BackupResources": [quota]}}
        finished(client, client.post("/cloud/tenants", json=tenant).json())


def fill(running: RunningManager) -> None:
    """All that there is of a quota of 1024 MB."""
    with running.manager.changing() as work:
        for each in work.session.query(TenantResource):
            keep_use(work, each, 1024 * MB)


def test_a_quota_of_any_size_keeps_nothing_from_being_seen(
    running: RunningManager, client: httpx2.Client
) -> None:
    add_tenants(client, sky=LARGEST_QUOTA_MB, acme=1024)
    fill(running)
    found = seen(running)
    assert not found.unseen
    assert [(each.kind, each.name) for each in found.conditions if each.tenant_id] == [
        (Kind.QUOTA_LEVEL, "acme's quota q")
    ]


def test_what_cannot_be_seen_of_one_kind_keeps_no_other_from_being_seen(
    running: RunningManager, client: httpx2.Client
) -> None:
    add_tenants(client, acme=1024)
    fill(running)
    running.manager.warn("one", "One thing fails.")
    with running.manager.changing() as work:
        tenant = work.session.query(CloudTenant).one()
        tenant.egress_month, tenant.egress_bytes = months.month_of(work.now), 1
        tenant.limits = {"egress_quota_mb": "many"}
    found = seen(running)
    assert found.unseen.keys() == {Kind.EGRESS_LEVEL}
    assert {each.kind for each in found.conditions} >= {Kind.QUOTA_LEVEL, Kind.NEEDS_A_LOOK}


def test_what_cannot_be_read_of_one_kind_keeps_no_other_from_being_seen(
    running: RunningManager, client: httpx2.Client
) -> None:
    add_tenants(client, acme=1024)
    fill(running)
    with running.rolled_back() as work:
        work.session.execute(text("ALTER TABLE cloud_certificates RENAME TO elsewhere"))
        found = see_all(running.manager, work)
    assert found.unseen.keys() == {Kind.CERTIFICATE_ENDING}
    assert Kind.QUOTA_LEVEL in {each.kind for each in found.conditions}


def test_whether_somebody_can_be_told_is_not_known_until_it_is_tried_again(
    running: RunningManager,
) -> None:
    with running.rolled_back() as work:
        receiver = NotificationReceiver(
            id=uuid4(), name="away", kind="Webhook", address="https://hook.example/"
        )
        work.session.add(receiver)
        work.session.flush()
        event = outbox.test_event("away", work.now)
        work.session.add(
            NotificationDelivery(receiver_id=receiver.id, event=event, at=work.now, due_at=work.now)
        )
        work.session.flush()
        key = f"NeedsALook:Manager:manager:{operations.warning_kind(receiver.id)}"
        assert key not in see_all(running.manager, work).awaited
        (due,) = outbox.due(work)
        batch = outbox.batch_of(work, due)
        outbox.finish(work, batch, "It is away.")
        assert key in see_all(running.manager, work).awaited
        outbox.finish(work, batch, "")
        assert key not in see_all(running.manager, work).awaited
