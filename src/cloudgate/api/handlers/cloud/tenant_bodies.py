"""Tenant bodies: what does a request want of a tenant, and is there such a thing here? Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from cloudgate.errors import InvalidRequestError, NotOfferedError
from cloudgate.manager.storage import tables
from cloudgate.manager.tenants.limits import Limits
from cloudgate.manager.tenants.operations import KEEP, TenantChange
from cloudgate.manager.tenants.resources import Quota
from cloudgate.values.fields import stated_fields
from cloudgate.values.identifiers import parse
from cloudgate.wire.resources.cloud.tenants import (
    CloudTenant,
    CloudTenantResource,
    CreateCloudTenantSpec,
)

NEVER = datetime(1753, 1, 1, tzinfo=UTC)
"""What the API says of a tenant that was never active."""
RESOURCE = "CloudTenantResource"
POOL = "CloudGatewayPool"
_NOT_STANDALONE = (
    "Tenants here are Standalone: Cloudgate does not offer tenants of VMware Cloud Director or"
    " Active Directory."
)
_NO_HARDWARE_PLANS = (
    "Cloudgate does not offer hardware plans, so a tenant cannot get compute resources."
)
_NO_WAN_ACCELERATORS = "WanAcceleratorUid: Cloudgate does not offer WAN accelerators; leave it out."
_NOBODY = UUID(int=0)
"""The GUID that programs give for nothing."""


def change_of(spec: CreateCloudTenantSpec) -> TenantChange:
    """The tenant that is to be made.

    Raises:
        InvalidRequestError: nothing would be as it says.
        NotOfferedError: there are no such tenants here.
    """
    _check_is_offered(spec)
    quotas = tuple(
        Quota(
            name=found.name or "",
            repository_uid=found.repository_uid or "",
            quota_mb=found.quota_mb or 0,
        )
        for found in spec.resources or ()
    )
    return TenantChange(
        name=spec.name,
        expires_at=_end_of_lease(spec.lease_expiration_date),
        quotas=quotas,
        description=spec.description,
        enabled=spec.enabled,
        limits=_limits(spec),
        public_ip_count=spec.public_ip_count,
        backup_protection_enabled=spec.backup_protection_enabled,
        backup_protection_period=spec.backup_protection_period,
        failover_to_others=spec.failover_to_others_gateways_if_fail,
        pools=_pools(spec.cloud_gateway_pools),
        networks=spec.allowed_networks,
        may_change_password=spec.may_change_password,
        may_use_portal=spec.may_use_portal,
        may_get_certificates=spec.may_get_certificates,
    )


def change(entity: CloudTenant) -> TenantChange:
    """What a tenant is to become.

    Raises:
        InvalidRequestError: it is incomplete, or nothing would be as it says.
        NotOfferedError: there are no such tenants here.
    """
    kind = entity.tenant_type
    if kind and (kind.ad_tenant_type or kind.v_cloud_tenant):
        raise NotOfferedError(_NOT_STANDALONE)
    if entity.compute_resources or entity.v_cloud_compute_resources:
        raise NotOfferedError(_NO_HARDWARE_PLANS)
    return TenantChange(
        expires_at=_lease(entity),
        quotas=_quotas(entity),
        description=entity.description,
        enabled=entity.enabled,
        limits=_limits(entity),
        public_ip_count=entity.public_ip_count,
        backup_protection_enabled=entity.backup_protection_enabled,
        backup_protection_period=entity.backup_protection_period,
        failover_to_others=entity.failover_to_others_gateways_if_fail,
        pools=_pools(entity.cloud_gateway_pools),
        networks=entity.allowed_networks,
        may_change_password=entity.may_change_password,
        may_use_portal=entity.may_use_portal,
        may_get_certificates=entity.may_get_certificates,
        as_shown=_is_sent_back(entity),
    )


def _limits(said: CreateCloudTenantSpec | CloudTenant) -> dict[str, Any]:
    """What a body says of limits; an empty text says nothing."""
    return {name: value for name, value in stated_fields(said, Limits).items() if value != ""}


def _is_sent_back(entity: CloudTenant) -> bool:
    """Whether a body is what GET has shown, with some of it changed: it has what only GET says."""
    return any(
        each is not None
        for each in (
            entity.uid,
            entity.links,
            entity.last_result,
            entity.last_active,
            entity.backup_count,
            entity.replica_count,
            entity.work_station_backup_count,
            entity.server_backup_count,
        )
    )


def _check_is_offered(spec: CreateCloudTenantSpec) -> None:
    """See whether the tenant is one that there can be here.

    Raises:
        NotOfferedError: it is not.
    """
    if spec.tenant_type not in (None, "", "Standalone") or spec.domain or spec.organization_ref:
        raise NotOfferedError(_NOT_STANDALONE)
    if spec.compute_resources or spec.v_cloud_compute_resources:
        raise NotOfferedError(_NO_HARDWARE_PLANS)
    for resource in spec.resources or ():
        check_no_accelerator(resource.wan_accelerator_uid)


def check_no_accelerator(uid_text: str | None) -> None:
    """See that no WAN accelerator is asked for; a GUID of zeros is none.

    Raises:
        NotOfferedError: one is.
    """
    if uid_text and parse(uid_text, "WanAccelerator") != _NOBODY:
        raise NotOfferedError(_NO_WAN_ACCELERATORS)


FOLDER_IS_IDLE = "Folder was left alone: where a tenant stores is up to the repository."


def idle(
    said: CreateCloudTenantSpec | CloudTenant, tenant: tables.CloudTenant | None = None
) -> Iterator[str]:
    """What of a body is kept, or left alone, and does nothing here; not what is as it was."""
    count = said.public_ip_count
    if count is not None and count != (tenant.public_ip_count if tenant else 0):
        yield (
            "PublicIpCount is kept and shown, and does nothing: Cloudgate has no public IP"
            " addresses to give."
        )
    period, is_protected = said.backup_protection_period, said.backup_protection_enabled
    if is_protected is None and tenant:
        is_protected = tenant.backup_protection_enabled
    is_new = period != (tenant.backup_protection_period if tenant else 1)
    if period is not None and is_new and not is_protected:
        yield (
            "BackupProtectionPeriod is kept and shown, and protects nothing without"
            " BackupProtectionEnabled."
        )
    if isinstance(said, CreateCloudTenantSpec):
        if said.vm_count:
            yield "VmCount was left alone: nothing here counts machines."
        if any(each.folder for each in said.resources or ()):
            yield FOLDER_IS_IDLE


def _pools(uids: tuple[str, ...] | None) -> tuple[UUID, ...] | None:
    return None if uids is None else tuple(parse(each, POOL) for each in uids)


def password_of(entity: CloudTenant) -> str | None:
    """The password that a tenant is to have; None, or empty, for the one that it has."""
    return entity.password or _nested_password(entity)


def _nested_password(entity: CloudTenant) -> str | None:
    standalone = entity.tenant_type.standalone_tenant if entity.tenant_type else None
    credentials = standalone.tenant_credentials if standalone else None
    return credentials.password if credentials else None


def _lease(entity: CloudTenant) -> datetime | object | None:
    """The lease by either of the two elements that are published for it."""
    if entity.lease_expiration_date is not None:
        return _end_of_lease(entity.lease_expiration_date)
    lease = entity.lease_options
    if lease is None or lease.enabled is None:
        return KEEP
    if not lease.enabled:
        return None
    if lease.expiration_date is None:
        raise InvalidRequestError(
            "LeaseOptions: ExpirationDate is missing, and Enabled is true; give the time at which"
            " the lease ends."
        )
    return _end_of_lease(lease.expiration_date)


def _end_of_lease(moment: datetime | None) -> datetime | None:
    """None where it is the API's word for never."""
    return None if moment == NEVER else moment


def _quotas(entity: CloudTenant) -> tuple[Quota, ...] | None:
    if entity.resources is None:
        return None
    return tuple(_quota(resource) for resource in entity.resources)


def _quota(resource: CloudTenantResource) -> Quota:
    quota = resource.repository_quota
    check_no_accelerator(quota.wan_accelerator_uid if quota else None)
    if quota is None or not quota.repository_uid or quota.quota is None:
        raise InvalidRequestError(
            "CloudTenantResource is incomplete: RepositoryQuota with RepositoryUid and Quota is"
            " missing."
        )
    return Quota(
        name=quota.display_name or "",
        repository_uid=quota.repository_uid,
        quota_mb=quota.quota,
        resource_id=parse(resource.id, RESOURCE) if resource.id else None,
    )
