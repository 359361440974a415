"""Subtenant resources: what is said about a tenant's users, and of free licences?"""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated
from cloudgate.wire.resources.base import Resource


@dataclass(frozen=True, kw_only=True)
class CloudSubtenantCreateSpec(ResourceType):
    """Body of POST /cloud/tenants/{id}/subtenants."""

    href: str | None = attribute()
    type: str | None = attribute()
    name: str | None = element()
    description: str | None = element()
    password: str | None = element()
    enabled: bool | None = element()
    tenant_resource_id: str | None = element()
    quota_name: str | None = element()
    quota_mb: int | None = element()
    unlimited_quota: bool | None = element()
    allowed_networks: tuple[str, ...] | None = listed("Network", extension=True)
    """Extension: from where it may come, within its tenant's."""


@dataclass(frozen=True, kw_only=True)
class SubtenantQuota(ResourceType):
    """A subtenant's part of one of its tenant's quotas; in MB."""

    unlimited: bool | None = attribute()
    display_name: str | None = element()
    tenant_resource_id: str | None = element()
    quota_mb: int | None = element()
    used_quota_mb: int | None = element()
    quota_id: str | None = element(omit_absent=True)


@dataclass(frozen=True, kw_only=True)
class CloudSubtenant(Resource):
    """A user of a tenant; also the body of PUT, where what is left out stays as it is."""

    id: str | None = attribute()
    name: str | None = element()
    description: str | None = element()
    password: str | None = element()
    enabled: bool | None = element()
    repository_quota: SubtenantQuota | None = element()
    allowed_networks: tuple[str, ...] | None = listed("Network", omit_absent=True, extension=True)
    """Extension: from where it may come, within its tenant's; in PUT, from all of these without
    any."""
    old_password_expiration_date: datetime | None = element(omit_absent=True)
    """Extension, read only, as what follows: until when the password of before is good."""
    old_password_last_used: datetime | None = element(omit_absent=True)
    """When a gateway last let it in by that one."""


@dataclass(frozen=True, kw_only=True)
class CloudSubtenants(ResourceType):
    """All users of a tenant."""

    cloud_subtenants: tuple[CloudSubtenant, ...] = repeated("CloudSubtenant")


@dataclass(frozen=True, kw_only=True)
class CloudTenantFreeLicenseCounters(Resource):
    """How many machines a tenant backs up without a licence."""

    rental_vm_backup_count: int | None = element("RentalVMBackupCount")
    rental_workstation_backup_count: int | None = element()
    rental_server_backup_count: int | None = element()
    new_vm_backup_count: int | None = element("NewVMBackupCount")
    new_workstation_backup_count: int | None = element()
    new_server_backup_count: int | None = element()
    new_vm_replica_count: int | None = element("NewVMReplicaCount")
