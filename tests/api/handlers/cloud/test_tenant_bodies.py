"""Is of a tenant wanted what a body says, and refused what there is not?"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from cloudgate.api.handlers.cloud.tenant_bodies import (
    change,
    change_of,
    check_no_accelerator,
    idle,
)
from cloudgate.errors import InvalidRequestError, NotOfferedError
from cloudgate.manager.storage import tables
from cloudgate.manager.tenants.operations import KEEP, TenantChange
from cloudgate.manager.tenants.resources import Quota
from cloudgate.wire.resources.cloud.tenants import (
    BackupResource,
    CloudTenant,
    CloudTenantResource,
    CreateCloudTenantSpec,
    LeaseOptions,
    RepositoryQuota,
)

END = datetime(2027, 1, 1, tzinfo=UTC)
ID = UUID(int=7)


def test_a_body_that_says_nothing_wants_nothing() -> None:
    assert change(CloudTenant()) == TenantChange()
    assert change(CloudTenant()).expires_at is KEEP
    assert change_of(CreateCloudTenantSpec(name="acme")) == TenantChange(
        name="acme", expires_at=None, quotas=()
    )


def test_what_is_said_is_wanted_by_the_name_that_it_has_here() -> None:
    spec = CreateCloudTenantSpec(
        name="acme",
        enabled=False,
        lease_expiration_date=END,
        throttling_enabled=True,
        throttling_speed_limit=5,
        throttling_speed_unit="",
        max_concurrent_tasks=3,
        resources=(BackupResource(name="q", repository_uid="urn:r", quota_mb=9), BackupResource()),
        cloud_gateway_pools=(f"urn:veeam:CloudGatewayPool:{ID}",),
    )
    found = change_of(spec)
    assert (found.enabled, found.expires_at) == (False, END)
    assert found.quotas == (
        Quota(name="q", repository_uid="urn:r", quota_mb=9),
        Quota(name="", repository_uid="", quota_mb=0),
    )
    assert found.pools == (ID,)
    assert found.limits == {
        "throttling_enabled": True,
        "throttling_speed_limit": 5,
        "max_concurrent_tasks": 3,
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, KEEP),
        ({"lease_options": LeaseOptions()}, KEEP),
        ({"lease_options": LeaseOptions(enabled=False, expiration_date=END)}, None),
        ({"lease_options": LeaseOptions(enabled=True, expiration_date=END)}, END),
        ({"lease_expiration_date": END, "lease_options": LeaseOptions(enabled=False)}, END),
    ],
)
def test_a_lease_is_said_by_either_of_two_elements(said: dict[str, Any], expected: object) -> None:
    assert change(CloudTenant(**said)).expires_at == expected


def test_a_lease_without_an_end_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="LeaseOptions: ExpirationDate is missing"):
        change(CloudTenant(lease_options=LeaseOptions(enabled=True)))


def quota(**said: Any) -> CloudTenantResource:
    return CloudTenantResource(id=str(ID), repository_quota=RepositoryQuota(**said))


def test_quotas_are_all_there_are_to_be_or_are_left_alone() -> None:
    assert change(CloudTenant()).quotas is None
    assert change(CloudTenant(resources=())).quotas == ()
    found = change(CloudTenant(resources=(quota(repository_uid="urn:r", quota=0),))).quotas
    assert found == (Quota(name="", repository_uid="urn:r", quota_mb=0, resource_id=ID),)


@pytest.mark.parametrize(
    "resource",
    [CloudTenantResource(), quota(), quota(quota=5), quota(repository_uid="urn:r")],
)
def test_a_quota_that_is_of_nothing_is_refused(resource: CloudTenantResource) -> None:
    with pytest.raises(InvalidRequestError, match="CloudTenantResource is incomplete"):
        change(CloudTenant(resources=(resource,)))


def test_what_is_not_offered_is_refused_and_a_guid_of_zeros_is_nothing() -> None:
    with pytest.raises(NotOfferedError, match="Tenants here are Standalone"):
        change_of(CreateCloudTenantSpec(name="a", tenant_type="VCD"))
    assert change_of(CreateCloudTenantSpec(name="a", tenant_type="Standalone")).name == "a"
    with pytest.raises(NotOfferedError, match="WAN accelerators"):
        check_no_accelerator(str(ID))
    for nothing in (None, "", str(UUID(int=0))):
        check_no_accelerator(nothing)
    with pytest.raises(NotOfferedError, match="WAN accelerators"):
        change_of(
            CreateCloudTenantSpec(
                name="a", resources=(BackupResource(wan_accelerator_uid=str(ID)),)
            )
        )


def test_what_was_shown_and_is_sent_back_is_known_by_what_only_a_get_says() -> None:
    assert not change(CloudTenant(description="x")).as_shown
    assert change(CloudTenant(uid=f"urn:veeam:CloudTenant:{ID}")).as_shown
    assert change(CloudTenant(backup_count=0)).as_shown


def told(said: CreateCloudTenantSpec | CloudTenant, **kept: Any) -> list[str]:
    tenant = tables.CloudTenant(**kept) if kept else None
    return [each.split(" ")[0] for each in idle(said, tenant)]


KEPT = {"public_ip_count": 2, "backup_protection_period": 3, "backup_protection_enabled": False}


def test_what_does_nothing_here_is_said_unless_it_is_as_it_was() -> None:
    assert told(CloudTenant()) == []
    assert told(CloudTenant(public_ip_count=2)) == ["PublicIpCount"]
    assert told(CloudTenant(public_ip_count=2), **KEPT) == []
    assert told(CloudTenant(public_ip_count=0), **KEPT) == ["PublicIpCount"]
    assert told(CloudTenant(backup_protection_period=1)) == []
    assert told(CloudTenant(backup_protection_period=3)) == ["BackupProtectionPeriod"]
    assert told(CloudTenant(backup_protection_period=3), **KEPT) == []
    protects = CloudTenant(backup_protection_period=9, backup_protection_enabled=True)
    assert told(protects, **KEPT) == []
    is_protected = {**KEPT, "backup_protection_enabled": True}
    assert told(CloudTenant(backup_protection_period=9), **is_protected) == []
    made = CreateCloudTenantSpec(name="a", vm_count=1, resources=(BackupResource(folder="x"),))
    assert told(made) == ["VmCount", "Folder"]
