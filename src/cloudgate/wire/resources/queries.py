"""Query resources: what is said of the things that a query finds?"""

from dataclasses import dataclass

from cloudgate.wire.description import ResourceType, attribute, element, listed, repeated
from cloudgate.wire.resources.base import EntityRef, Link, Resource
from cloudgate.wire.resources.cloud.gateways import CloudGateway
from cloudgate.wire.resources.cloud.pools import CloudGatewayPool
from cloudgate.wire.resources.cloud.subtenants import CloudSubtenant
from cloudgate.wire.resources.cloud.tenants import CloudTenant
from cloudgate.wire.resources.credentials import CredentialsInfo, PasswordKeyInfo
from cloudgate.wire.resources.infrastructure import BackupServer, ManagedServer, Repository
from cloudgate.wire.resources.sessions import Task


@dataclass(frozen=True, kw_only=True)
class Entities(ResourceType):
    """Entities of one type, in an element named as their list. Most types have none here."""

    cloud_gateways: tuple[CloudGateway, ...] | None = listed(
        "CloudGateway", name="CloudGateways", array="CloudGateways", omit_absent=True
    )
    cloud_gateway_pools: tuple[CloudGatewayPool, ...] | None = listed(
        "CloudGatewayPool", name="CloudGatewayPools", array="CloudGatewayPools", omit_absent=True
    )
    cloud_tenants: tuple[CloudTenant, ...] | None = listed(
        "CloudTenant", name="CloudTenants", array="CloudTenants", omit_absent=True
    )
    backup_servers: tuple[BackupServer, ...] | None = listed(
        "BackupServer", name="BackupServers", array="BackupServers", omit_absent=True
    )
    managed_servers: tuple[ManagedServer, ...] | None = listed(
        "ManagedServer", name="ManagedServers", array="ManagedServers", omit_absent=True
    )
    repositories: tuple[Repository, ...] | None = listed(
        "Repository", name="Repositories", array="Repositories", omit_absent=True
    )
    vm_restore_points: tuple[Resource, ...] | None = listed(
        "VmRestorePoint", name="VmRestorePoints", array="VmRestorePoints", omit_absent=True
    )
    vapp_restore_points: tuple[Resource, ...] | None = listed(
        "VAppRestorePoint", name="VAppRestorePoints", array="VAppRestorePoints", omit_absent=True
    )
    vm_replica_points: tuple[Resource, ...] | None = listed(
        "VmReplicaPoint", name="VmReplicaPoints", array="VmReplicaPoints", omit_absent=True
    )
    jobs: tuple[Resource, ...] | None = listed("Job", name="Jobs", array="Jobs", omit_absent=True)
    restore_points: tuple[Resource, ...] | None = listed(
        "RestorePoint", name="RestorePoints", array="RestorePoints", omit_absent=True
    )
    backup_task_sessions: tuple[Resource, ...] | None = listed(
        "BackupTaskSession", name="BackupTaskSessions", array="BackupTaskSessions", omit_absent=True
    )
    replica_task_sessions: tuple[Resource, ...] | None = listed(
        "ReplicaTaskSession",
        name="ReplicaTaskSessions",
        array="ReplicaTaskSessions",
        omit_absent=True,
    )
    restore_sessions: tuple[Resource, ...] | None = listed(
        "RestoreSession", name="RestoreSessions", array="RestoreSessions", omit_absent=True
    )
    backups: tuple[Resource, ...] | None = listed(
        "Backup", name="Backups", array="Backups", omit_absent=True
    )
    replicas: tuple[Resource, ...] | None = listed(
        "Replica", name="Replicas", array="Replicas", omit_absent=True
    )
    hierarchy_roots: tuple[Resource, ...] | None = listed(
        "HierarchyRoot", name="HierarchyRoots", array="HierarchyRoots", omit_absent=True
    )
    backup_job_sessions: tuple[Resource, ...] | None = listed(
        "BackupJobSession", name="BackupJobSessions", array="BackupJobSessions", omit_absent=True
    )
    replica_job_sessions: tuple[Resource, ...] | None = listed(
        "ReplicaJobSession", name="ReplicaJobSessions", array="ReplicaJobSessions", omit_absent=True
    )
    failover_plans: tuple[Resource, ...] | None = listed(
        "FailoverPlan", name="FailoverPlans", array="FailoverPlans", omit_absent=True
    )
    wan_accelerators: tuple[Resource, ...] | None = listed(
        "WanAccelerator", name="WanAccelerators", array="WanAccelerators", omit_absent=True
    )
    cloud_replicas: tuple[Resource, ...] | None = listed(
        "CloudReplica", name="CloudReplicas", array="CloudReplicas", omit_absent=True
    )
    backup_files: tuple[Resource, ...] | None = listed(
        "BackupFile", name="BackupFiles", array="BackupFiles", omit_absent=True
    )
    vcloud_organization_configs: tuple[Resource, ...] | None = listed(
        "VCloudOrganizationConfig",
        name="VCloudOrganizationConfigs",
        array="VCloudOrganizationConfigs",
        omit_absent=True,
    )
    cloud_hardware_plans: tuple[Resource, ...] | None = listed(
        "CloudHardwarePlan", name="CloudHardwarePlans", array="CloudHardwarePlans", omit_absent=True
    )
    cloud_public_ip_addresses: tuple[Resource, ...] | None = listed(
        "CloudPublicIp",
        name="CloudPublicIpAddresses",
        array="CloudPublicIpAddresses",
        omit_absent=True,
    )
    agent_backup_jobs: tuple[Resource, ...] | None = listed(
        "AgentBackupJob", name="AgentBackupJobs", array="AgentBackupJobs", omit_absent=True
    )
    agent_restore_points: tuple[Resource, ...] | None = listed(
        "AgentRestorePoint", name="AgentRestorePoints", array="AgentRestorePoints", omit_absent=True
    )
    agent_protection_groups: tuple[Resource, ...] | None = listed(
        "AgentProtectionGroup",
        name="AgentProtectionGroups",
        array="AgentProtectionGroups",
        omit_absent=True,
    )
    discovered_computers: tuple[Resource, ...] | None = listed(
        "DiscoveredComputer",
        name="DiscoveredComputers",
        array="DiscoveredComputers",
        omit_absent=True,
    )
    cloud_failover_plans: tuple[Resource, ...] | None = listed(
        "CloudFailoverPlan", name="CloudFailoverPlans", array="CloudFailoverPlans", omit_absent=True
    )
    vsphere_self_service_configs: tuple[Resource, ...] | None = listed(
        "VSphereSelfServiceConfig",
        name="VSphereSelfServiceConfigs",
        array="VSphereSelfServiceConfigs",
        omit_absent=True,
    )
    external_repositories: tuple[Resource, ...] | None = listed(
        "ExternalRepository",
        name="ExternalRepositories",
        array="ExternalRepositories",
        omit_absent=True,
    )
    nas_jobs: tuple[Resource, ...] | None = listed(
        "NASJob", name="NASJobs", array="NASJobs", omit_absent=True
    )
    file_servers: tuple[Resource, ...] | None = listed(
        "FileServer", name="FileServers", array="FileServers", omit_absent=True
    )
    vapp_replica_points: tuple[Resource, ...] | None = listed(
        "VAppReplicaPoint", name="VAppReplicaPoints", array="VAppReplicaPoints", omit_absent=True
    )
    cdp_policies: tuple[Resource, ...] | None = listed(
        "CdpPolicy", name="CdpPolicies", array="CdpPolicies", omit_absent=True
    )
    cdp_replicas: tuple[Resource, ...] | None = listed(
        "CdpReplica", name="CdpReplicas", array="CdpReplicas", omit_absent=True
    )
    cdp_replica_sessions: tuple[Resource, ...] | None = listed(
        "CdpReplicaSession", name="CdpReplicaSessions", array="CdpReplicaSessions", omit_absent=True
    )
    cdp_replica_task_sessions: tuple[Resource, ...] | None = listed(
        "CdpReplicaTaskSession",
        name="CdpReplicaTaskSessions",
        array="CdpReplicaTaskSessions",
        omit_absent=True,
    )
    cloud_failover_sessions: tuple[Resource, ...] | None = listed(
        "CloudFailoverSession",
        name="CloudFailoverSessions",
        array="CloudFailoverSessions",
        omit_absent=True,
    )
    cloud_vm_replica_points: tuple[Resource, ...] | None = listed(
        "CloudReplica",
        name="CloudVmReplicaPoints",
        array="CloudVmReplicaPoints",
        omit_absent=True,
    )
    nas_objects: tuple[Resource, ...] | None = listed(
        "NASObject", name="NASObjects", array="NASObjects", omit_absent=True
    )
    objects_in_agent_backup_job: tuple[Resource, ...] | None = listed(
        "ObjectInAgentBackupJob",
        name="ObjectsInAgentBackupJob",
        array="ObjectsInAgentBackupJob",
        omit_absent=True,
    )
    vlan_configurations: tuple[Resource, ...] | None = listed(
        "Vlans", name="VlanConfigurations", array="VlanConfigurations", omit_absent=True
    )


@dataclass(frozen=True, kw_only=True)
class Resources(ResourceType):
    """Resources that are no entities."""

    tasks: tuple[Task, ...] | None = listed("Task", omit_absent=True)
    credentials_list: tuple[CredentialsInfo, ...] | None = listed(
        "CredentialsInfo", omit_absent=True
    )
    objects_in_job: tuple[Resource, ...] | None = listed(
        "ObjectInJob", name="sInObjectJob", omit_absent=True
    )
    """Called so in the published schema."""
    password_key_info_list: tuple[PasswordKeyInfo, ...] | None = listed(
        "PasswordKeyInfo", omit_absent=True
    )
    cloud_subtenants: tuple[CloudSubtenant, ...] | None = listed("CloudSubtenant", omit_absent=True)


@dataclass(frozen=True, kw_only=True)
class PagingInfo(ResourceType):
    """Which page this is, of how many, and the way to the others."""

    page_num: int | None = attribute()
    page_size: int | None = attribute()
    pages_count: int | None = attribute()
    links: tuple[Link, ...] | None = listed("Link")


@dataclass(frozen=True, kw_only=True)
class QueryResult(ResourceType):
    """A page of what a query found, in one of three forms."""

    refs: tuple[EntityRef, ...] | None = listed("Ref")
    entities: Entities | None = element()
    resources: Resources | None = element()
    links: tuple[Link, ...] | None = listed("Link")
    paging_info: PagingInfo | None = element()


@dataclass(frozen=True, kw_only=True)
class QuerySvc(Resource):
    """What can be asked for."""


@dataclass(frozen=True, kw_only=True)
class LookupSvc(Resource):
    """Where virtual machines can be looked up."""


@dataclass(frozen=True, kw_only=True)
class HierarchyItem(Resource):
    """A part of the virtual infrastructure."""

    object_ref: str | None = element()
    object_type: str | None = element()
    object_name: str | None = element()


@dataclass(frozen=True, kw_only=True)
class HierarchyItems(ResourceType):
    """What a lookup found: nothing, there is no virtual infrastructure here."""

    hierarchy_items: tuple[HierarchyItem, ...] = repeated("HierarchyItem")
