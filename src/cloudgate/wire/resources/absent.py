"""Absent resources: what is said of things that are not here? Empty collections."""

from dataclasses import dataclass
from typing import ClassVar

from cloudgate.wire.description import ResourceType, repeated
from cloudgate.wire.resources.base import Resource


@dataclass(frozen=True, kw_only=True)
class Jobs(ResourceType):
    """Backup and replication jobs."""

    items: tuple[Resource, ...] = repeated("Job", array="Jobs")


@dataclass(frozen=True, kw_only=True)
class FailoverPlans(ResourceType):
    """Failover plans."""

    items: tuple[Resource, ...] = repeated("FailoverPlan", array="FailoverPlans")


@dataclass(frozen=True, kw_only=True)
class HierarchyRoots(ResourceType):
    """Virtualization hosts."""

    items: tuple[Resource, ...] = repeated("HierarchyRoot", array="HierarchyRoots")


@dataclass(frozen=True, kw_only=True)
class Backups(ResourceType):
    """Backups."""

    items: tuple[Resource, ...] = repeated("Backup", array="Backups")


@dataclass(frozen=True, kw_only=True)
class RestorePoints(ResourceType):
    """Restore points."""

    items: tuple[Resource, ...] = repeated("RestorePoint", array="RestorePoints")


@dataclass(frozen=True, kw_only=True)
class VmRestorePoints(ResourceType):
    """Restore points of machines."""

    items: tuple[Resource, ...] = repeated("VmRestorePoint", array="VmRestorePoints")


@dataclass(frozen=True, kw_only=True)
class VAppRestorePoints(ResourceType):
    """Restore points of vApps."""

    items: tuple[Resource, ...] = repeated("VAppRestorePoint", array="VAppRestorePoints")


@dataclass(frozen=True, kw_only=True)
class Replicas(ResourceType):
    """Replicas."""

    items: tuple[Resource, ...] = repeated("Replica", array="Replicas")


@dataclass(frozen=True, kw_only=True)
class VmReplicaPoints(ResourceType):
    """Restore points of replicas."""

    items: tuple[Resource, ...] = repeated("VmReplicaPoint", array="VmReplicaPoints")


@dataclass(frozen=True, kw_only=True)
class CatalogVms(ResourceType):
    """Machines with a catalogue of files."""

    items: tuple[Resource, ...] = repeated("CatalogVm", array="CatalogVms")


@dataclass(frozen=True, kw_only=True)
class BackupJobSessions(ResourceType):
    """Runs of backup jobs."""

    items: tuple[Resource, ...] = repeated("BackupJobSession", array="BackupJobSessions")


@dataclass(frozen=True, kw_only=True)
class RestoreSessions(ResourceType):
    """Restores."""

    items: tuple[Resource, ...] = repeated("RestoreSession", array="RestoreSessions")


@dataclass(frozen=True, kw_only=True)
class ReplicaJobSessions(ResourceType):
    """Runs of replication jobs."""

    items: tuple[Resource, ...] = repeated("ReplicaJobSession", array="ReplicaJobSessions")


@dataclass(frozen=True, kw_only=True)
class BackupTaskSessions(ResourceType):
    """Machines in runs of backup jobs."""

    items: tuple[Resource, ...] = repeated("BackupTaskSession", array="BackupTaskSessions")


@dataclass(frozen=True, kw_only=True)
class ReplicaTaskSessions(ResourceType):
    """Machines in runs of replication jobs."""

    items: tuple[Resource, ...] = repeated("ReplicaTaskSession", array="ReplicaTaskSessions")


@dataclass(frozen=True, kw_only=True)
class WanAccelerators(ResourceType):
    """WAN accelerators."""

    items: tuple[Resource, ...] = repeated("WanAccelerator", array="WanAccelerators")


@dataclass(frozen=True, kw_only=True)
class BackupFiles(ResourceType):
    """Files of backups."""

    items: tuple[Resource, ...] = repeated("BackupFile", array="BackupFiles")


@dataclass(frozen=True, kw_only=True)
class ExternalRepositories(ResourceType):
    """Repositories outside of the infrastructure."""

    items: tuple[Resource, ...] = repeated("ExternalRepository", array="ExternalRepositories")


@dataclass(frozen=True, kw_only=True)
class CloudHardwarePlans(ResourceType):
    """Hardware plans."""

    items: tuple[Resource, ...] = repeated("CloudHardwarePlan", array="CloudHardwarePlans")


@dataclass(frozen=True, kw_only=True)
class CloudPublicIpAddresses(ResourceType):
    """Public IP addresses for tenants; the item is named so in the schema."""

    items: tuple[Resource, ...] = repeated("CloudPublicIp", array="CloudPublicIpAddresses")


@dataclass(frozen=True, kw_only=True)
class CloudFailoverPlans(ResourceType):
    """Failover plans of tenants."""

    items: tuple[Resource, ...] = repeated("CloudFailoverPlan", array="CloudFailoverPlans")


@dataclass(frozen=True, kw_only=True)
class CloudVmReplicaPoints(ResourceType):
    """Restore points of tenants' replicas; the item is named so in the schema."""

    items: tuple[Resource, ...] = repeated("CloudReplica", array="CloudVmReplicaPoints")


@dataclass(frozen=True, kw_only=True)
class CloudReplicas(ResourceType):
    """Replicas of tenants."""

    items: tuple[Resource, ...] = repeated("CloudReplica", array="CloudReplicas")


@dataclass(frozen=True, kw_only=True)
class VlanConfigurations(ResourceType):
    """Networks for tenants; the item is named so in the schema."""

    items: tuple[Resource, ...] = repeated("Vlans", array="VlanConfigurations")


@dataclass(frozen=True, kw_only=True)
class CloudFailoverSessions(ResourceType):
    """Runs of tenants' failover plans."""

    items: tuple[Resource, ...] = repeated("CloudFailoverSession", array="CloudFailoverSessions")


@dataclass(frozen=True, kw_only=True)
class CloudTenantComputeResources(ResourceType):
    """Hardware plans of one tenant."""

    items: tuple[Resource, ...] = repeated(
        "CloudTenantComputeResource", array="CloudTenantComputeResources"
    )


@dataclass(frozen=True, kw_only=True)
class AgentBackupJobs(ResourceType):
    """Jobs of agents."""

    items: tuple[Resource, ...] = repeated("AgentBackupJob", array="AgentBackupJobs")


@dataclass(frozen=True, kw_only=True)
class AgentProtectionGroups(ResourceType):
    """Groups of machines with agents."""

    items: tuple[Resource, ...] = repeated("AgentProtectionGroup", array="AgentProtectionGroups")


@dataclass(frozen=True, kw_only=True)
class AgentRestorePoints(ResourceType):
    """Restore points of agents."""

    items: tuple[Resource, ...] = repeated("AgentRestorePoint", array="AgentRestorePoints")


@dataclass(frozen=True, kw_only=True)
class DiscoveredComputers(ResourceType):
    """Machines that agents were looked for on."""

    items: tuple[Resource, ...] = repeated("DiscoveredComputer", array="DiscoveredComputers")


@dataclass(frozen=True, kw_only=True)
class NASJobs(ResourceType):
    """Jobs for file shares."""

    items: tuple[Resource, ...] = repeated("NASJob", array="NASJobs")


@dataclass(frozen=True, kw_only=True)
class FileServers(ResourceType):
    """File shares."""

    items: tuple[Resource, ...] = repeated("FileServer", array="FileServers")


@dataclass(frozen=True, kw_only=True)
class CdpPolicies(ResourceType):
    """CDP policies."""

    items: tuple[Resource, ...] = repeated("CdpPolicy", array="CdpPolicies")


@dataclass(frozen=True, kw_only=True)
class CdpReplicas(ResourceType):
    """CDP replicas."""

    items: tuple[Resource, ...] = repeated("CdpReplica", array="CdpReplicas")


@dataclass(frozen=True, kw_only=True)
class VAppCdpReplicas(ResourceType):
    """CDP replicas of vApps."""

    items: tuple[Resource, ...] = repeated("VAppCdpReplica", array="VAppCdpReplicas")


@dataclass(frozen=True, kw_only=True)
class CdpReplicaSessions(ResourceType):
    """Runs of CDP policies."""

    items: tuple[Resource, ...] = repeated("CdpReplicaSession", array="CdpReplicaSessions")


@dataclass(frozen=True, kw_only=True)
class CdpReplicaTaskSessions(ResourceType):
    """Machines in runs of CDP policies."""

    items: tuple[Resource, ...] = repeated("CdpReplicaTaskSession", array="CdpReplicaTaskSessions")


@dataclass(frozen=True, kw_only=True)
class VAppReplicaPoints(ResourceType):
    """Restore points of replicas of vApps."""

    items: tuple[Resource, ...] = repeated("VAppReplicaPoint", array="VAppReplicaPoints")


@dataclass(frozen=True, kw_only=True)
class VCloudOrganizationConfigs(ResourceType):
    """Settings of organizations of VMware Cloud Director."""

    items: tuple[Resource, ...] = repeated(
        "VCloudOrganizationConfig", array="VCloudOrganizationConfigs"
    )


@dataclass(frozen=True, kw_only=True)
class VSphereSelfServiceConfigs(ResourceType):
    """Settings of the self-service of VMware vSphere."""

    items: tuple[Resource, ...] = repeated(
        "VSphereSelfServiceConfig", array="VSphereSelfServiceConfigs"
    )


@dataclass(frozen=True, kw_only=True)
class SystemSessions(ResourceType):
    """What the original does by itself."""

    items: tuple[Resource, ...] = repeated("SystemSession", array="SystemSessions")


@dataclass(frozen=True, kw_only=True)
class CloudTenantVCloudComputeResources(ResourceType):
    """Virtual data centres of one tenant."""

    items: tuple[Resource, ...] = repeated(
        "CloudTenantVCloudComputeResource", array="CloudTenantVCloudComputeResources"
    )


@dataclass(frozen=True, kw_only=True)
class VCloudService(Resource):
    """The start of a part of the API that has nothing in it: VMware Cloud Director."""


@dataclass(frozen=True, kw_only=True)
class AgentsService(Resource):
    """The start of a part of the API that has nothing in it: Agents."""

    ROOT: ClassVar = "Agents"


@dataclass(frozen=True, kw_only=True)
class VSphereSelfService(Resource):
    """The start of a part of the API that has nothing in it: The self-service of VMware vSphere."""


@dataclass(frozen=True, kw_only=True)
class NasService(Resource):
    """The start of a part of the API that has nothing in it: File shares."""

    ROOT: ClassVar = "NASService"
