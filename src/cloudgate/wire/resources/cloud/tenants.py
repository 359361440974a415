"""Tenant resources: what is said about tenants and what they may use?"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated
from cloudgate.wire.resources.base import Entity, Resource


@dataclass(frozen=True, kw_only=True)
class BackupResource(ResourceType):
    """A quota on a repository, as asked for."""

    name: str | None = element()
    repository_uid: str | None = element()
    quota_mb: int | None = element()
    wan_accelerator_uid: str | None = element()
    folder: str | None = element()


@dataclass(frozen=True, kw_only=True)
class CreateCloudTenantResourceSpec(ResourceType):
    """Body of POST /cloud/tenants/{id}/resources."""

    href: str | None = attribute()
    type: str | None = attribute()
    name: str | None = element()
    repository_uid: str | None = element()
    quota_mb: int | None = element()
    wan_accelerator_uid: str | None = element()
    folder: str | None = element()


@dataclass(frozen=True, kw_only=True)
class RepositoryQuota(ResourceType):
    """A quota on a repository, as granted; in MB."""

    display_name: str | None = element()
    repository_uid: str | None = element()
    wan_accelerator_uid: str | None = element()
    quota: int | None = element()
    used_quota: int | None = element(omit_absent=True)
    """Where the repository has a usage probe, and the probe has measured it once."""
    used_quota_time: datetime | None = element(omit_absent=True)
    """Extension, as what follows: when that was."""
    warning: str | None = element(omit_absent=True)
    """Why it could not be measured since, or that the quota is exceeded."""


@dataclass(frozen=True, kw_only=True)
class CloudTenantResource(Resource):
    """What a tenant may use."""

    id: str | None = attribute()
    repository_quota: RepositoryQuota | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudTenantResources(ResourceType):
    """All that a tenant may use."""

    cloud_tenant_resources: tuple[CloudTenantResource, ...] = repeated("CloudTenantResource")


@dataclass(frozen=True, kw_only=True)
class ManualIpAddressSettings(ResourceType):
    """How a network appliance is reached."""

    ip_address: str | None = element()
    subnet_mask: str | None = element()
    default_gateway: str | None = element()


@dataclass(frozen=True, kw_only=True)
class NetworkAppliance(ResourceType):
    """The network appliance of a hardware plan."""

    name: str | None = element()
    production_network: str | None = element()
    obtain_ip_address_automatically: bool | None = element("ObtainIPAddressAutomatically")
    manual_ip_address_settings: ManualIpAddressSettings | None = element(
        "ManualIpAddressSettingsInfoType"
    )
    vi_distributed_switch_uuid: str | None = element()
    production_network_under_dvs: bool | None = element()


@dataclass(frozen=True, kw_only=True)
class ComputeResource(ResourceType):
    """A hardware plan, as asked for."""

    cloud_hardware_plan_uid: str | None = element()
    wan_accelerator_uid: str | None = element()
    platform_type: str | None = element()
    use_network_failover_resources: bool | None = element()
    network_appliance: NetworkAppliance | None = element()


@dataclass(frozen=True, kw_only=True)
class VCloudComputeResource(ResourceType):
    """A virtual data centre, as asked for."""

    virtual_data_center_ref: str | None = element()
    use_network_failover_resources: bool | None = element()
    network_appliance: NetworkAppliance | None = element()
    wan_accelerator_uid: str | None = element()


@dataclass(frozen=True, kw_only=True)
class Domain(ResourceType):
    """The Active Directory domain of a tenant."""

    domain_name: str | None = element()
    domain_account: str | None = element()
    port: int | None = element(quoted_number=True)


@dataclass(frozen=True, kw_only=True)
class CreateCloudTenantSpec(ResourceType):
    """Body of POST /cloud/tenants."""

    href: str | None = attribute()
    type: str | None = attribute()
    backup_server_id_or_name: str | None = element()
    name: str | None = element()
    description: str | None = element()
    password: str | None = element()
    enabled: bool | None = element()
    lease_expiration_date: datetime | None = element()
    resources: tuple[BackupResource, ...] | None = listed("BackupResource")
    compute_resources: tuple[ComputeResource, ...] | None = listed("ComputeResource")
    vm_count: int | None = element()
    throttling_enabled: bool | None = element()
    throttling_speed_limit: int | None = element()
    throttling_speed_unit: str | None = element()
    public_ip_count: int | None = element()
    backup_server_uid: str | None = element()
    max_concurrent_tasks: int | None = element()
    backup_protection_enabled: bool | None = element()
    backup_protection_period: int | None = element()
    tenant_type: str | None = element()
    organization_ref: str | None = element()
    v_cloud_compute_resources: tuple[VCloudComputeResource, ...] | None = listed(
        "VCloudComputeResource", name="VCloudComputeResources"
    )
    cloud_gateway_pools: tuple[str, ...] | None = listed("CloudGatewayPoolUid")
    failover_to_others_gateways_if_fail: bool | None = element()
    domain: Domain | None = element()
    allowed_networks: tuple[str, ...] | None = listed("Network", extension=True)
    """Extension: from where it may come; from anywhere without any."""
    egress_quota_mb: int | None = element(extension=True)
    """Extension, as what follows: how much it may bring back in a month; 0 for no limit."""
    egress_quota_hard: bool | None = element(extension=True)
    may_change_password: bool | None = element(extension=True)
    may_use_portal: bool | None = element(extension=True)
    may_get_certificates: bool | None = element(extension=True)


@dataclass(frozen=True, kw_only=True)
class RotatePasswordSpec(ResourceType):
    """Body of POST /cloud/tenants/{id}?action=rotatePassword, and of the same for a subtenant."""

    EXTENSION: ClassVar[bool] = True

    password: str | None = element()
    """Made by the manager when it is left out."""
    old_password_seconds: int | None = element()
    """How long the one of now is good beside it."""


@dataclass(frozen=True, kw_only=True)
class OwnPasswordSpec(ResourceType):
    """Body of PUT /cloud/password."""

    EXTENSION: ClassVar[bool] = True

    password: str | None = element()
    """The new one; the one of now is in the header Authorization."""
    old_password_seconds: int | None = element()
    """How long the one of now is good beside it."""


@dataclass(frozen=True, kw_only=True)
class LeaseOptions(ResourceType):
    """Until when a tenant may come in."""

    enabled: bool | None = attribute()
    expiration_date: datetime | None = attribute(omit_absent=True)


@dataclass(frozen=True, kw_only=True)
class TenantCredentials(ResourceType):
    """What a tenant logs in with. The password never comes back."""

    username: str | None = element()
    password: str | None = element()


@dataclass(frozen=True, kw_only=True)
class StandaloneTenant(ResourceType):
    """A tenant with an account of its own."""

    tenant_credentials: TenantCredentials | None = element()


@dataclass(frozen=True, kw_only=True)
class ADTenantType(ResourceType):
    """A tenant with an account in a domain."""

    domain: Domain | None = element()
    account: str | None = element()


@dataclass(frozen=True, kw_only=True)
class VCloudTenant(ResourceType):
    """A tenant that is an organization of VMware Cloud Director."""

    organization_ref: str | None = element()


@dataclass(frozen=True, kw_only=True)
class TenantType(ResourceType):
    """The kind of a tenant: a word in the create body, a structure in the entity."""

    standalone_tenant: StandaloneTenant | None = element()
    ad_tenant_type: ADTenantType | None = element("ADTenantType", omit_absent=True)
    v_cloud_tenant: VCloudTenant | None = element("vCloudTenant")


@dataclass(frozen=True, kw_only=True)
class StorageResourceStat(ResourceType):
    """What a tenant uses of one storage of a hardware plan."""

    storage_name: str | None = element()
    storage_usage_gb: int | None = element()
    storage_limit_gb: int | None = element()


@dataclass(frozen=True, kw_only=True)
class ComputeResourceStats(ResourceType):
    """What a tenant uses of a hardware plan."""

    memory_usage_mb: int | None = element()
    cpu_count: int | None = element("CPUCount")
    cpu_count_in_json: int | None = element("CpuCount", omit_absent=True)
    """The same, as a published sample spells it."""
    storage_resource_stats: tuple[StorageResourceStat, ...] | None = listed("StorageResourceStat")


@dataclass(frozen=True, kw_only=True)
class CloudTenantComputeResource(Resource):
    """A hardware plan of a tenant; there are none here, the list is always empty."""

    id: str | None = attribute()
    cloud_hardware_plan_uid: str | None = element()
    wan_accelerator_uid: str | None = element()
    platform_type: str | None = element()
    use_network_failover_resources: bool | None = element()
    network_appliance: NetworkAppliance | None = element()
    compute_resource_stats: ComputeResourceStats | None = element()


@dataclass(frozen=True, kw_only=True)
class ResourceUsage(ResourceType):
    """What a tenant uses of a virtual data centre."""

    cpu_usage_mhz: int | None = element()
    memory_usage_mb: int | None = element()
    storage_usage_gb: int | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudTenantVCloudComputeResource(Resource):
    """A virtual data centre of a tenant; there are none here."""

    id: str | None = attribute()
    virtual_data_center_name: str | None = element()
    virtual_data_center_ref: str | None = element()
    enabled: bool | None = element()
    allocation_model: str | None = element()
    use_network_failover_resources: bool | None = element()
    network_appliance: NetworkAppliance | None = element()
    wan_accelerator_uid: str | None = element()
    resource_usage: ResourceUsage | None = element()


@dataclass(frozen=True, kw_only=True)
class CloudTenant(Entity):
    """A tenant; also the body of PUT, where what is left out stays as it is."""

    password: str | None = element()
    description: str | None = element()
    enabled: bool | None = element()
    lease_expiration_date: datetime | None = element(omit_absent=True)
    lease_options: LeaseOptions | None = element()
    resources: tuple[CloudTenantResource, ...] | None = listed("CloudTenantResource")
    last_result: str | None = element()
    last_active: datetime | None = element()
    vm_count: int | None = element(omit_absent=True)
    compute_resources: tuple[CloudTenantComputeResource, ...] | None = listed(
        "CloudTenantComputeResource"
    )
    throttling_enabled: bool | None = element()
    throttling_speed_limit: int | None = element()
    throttling_speed_unit: str | None = element()
    public_ip_count: int | None = element()
    backup_count: int | None = element()
    replica_count: int | None = element()
    max_concurrent_tasks: int | None = element()
    work_station_backup_count: int | None = element()
    server_backup_count: int | None = element()
    backup_protection_enabled: bool | None = element()
    backup_protection_period: int | None = element()
    tenant_type: TenantType | None = element()
    v_cloud_compute_resources: tuple[CloudTenantVCloudComputeResource, ...] | None = listed(
        "CloudTenantVCloudComputeResource",
        name="VCloudComputeResources",
        also="VCloudComputeResource",
    )
    cloud_gateway_pools: tuple[str, ...] | None = listed("CloudGatewayPoolUid")
    failover_to_others_gateways_if_fail: bool | None = element(omit_absent=True)
    concurrent_tasks_limited: bool | None = element(omit_absent=True)
    """Extension, read only: whether MaxConcurrentTasks limits anything, or nobody has set it."""
    allowed_networks: tuple[str, ...] | None = listed("Network", omit_absent=True, extension=True)
    """Extension: from where it may come; in PUT, from anywhere without any."""
    old_password_expiration_date: datetime | None = element(omit_absent=True)
    """Extension, read only, as what follows: until when the password of before is good."""
    old_password_last_used: datetime | None = element(omit_absent=True)
    """When a gateway last let it in by that one."""
    egress_quota_mb: int | None = element(omit_absent=True, extension=True)
    """Extension, as what follows: how much it may bring back in a month; 0 for no limit."""
    egress_quota_hard: bool | None = element(omit_absent=True, extension=True)
    """Whether new tunnels only send data once that is used up."""
    used_egress_mb: int | None = element(omit_absent=True)
    """Read only, with a quota: what it has brought back in this month (UTC)."""
    warning: str | None = element(omit_absent=True)
    """Read only: what there is to look at about that."""
    may_change_password: bool | None = element(omit_absent=True, extension=True)
    """Extension: whether it and its users may change their own passwords; shown when they may."""
    may_use_portal: bool | None = element(omit_absent=True, extension=True)
    """Extension: whether they may see what they have, by themselves; shown when they may not."""
    may_get_certificates: bool | None = element(omit_absent=True, extension=True)
    """Extension: whether they may get certificates for themselves; shown when they may."""


@dataclass(frozen=True, kw_only=True)
class CloudTenants(ResourceType):
    """All tenants."""

    cloud_tenants: tuple[CloudTenant, ...] = repeated("CloudTenant")
