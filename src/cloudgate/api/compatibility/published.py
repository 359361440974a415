"""Published calls: which does the reference of this API have? The whole list.

Of build 13.0.1: its pages of methods, and what its links lead to besides. ``{ID}`` stands for an
id, ``{name}`` for the name of a machine or a file.
"""

from dataclasses import dataclass

_CALLS = """
/ GET
/agents GET
/agents/agentRestorePoints GET
/agents/agentRestorePoints/{ID} GET
/agents/agentRestorePoints/{ID}/mounts GET POST
/agents/agentRestorePoints/{ID}/mounts/{ID} DELETE GET
/agents/agentRestorePoints/{ID}/mounts/{ID}/{name} GET POST?action=restore
/agents/backupFiles GET
/agents/backups GET
/agents/backupSessions GET
/agents/discoveredComputers GET
/agents/discoveredComputers/{ID} GET
/agents/jobs GET
/agents/jobs/{ID} GET POST?action=retry POST?action=start
/agents/jobs/{ID} POST?action=stop POST?action=toggleScheduleEnabled
/agents/jobs/{ID}/includes GET
/agents/jobs/{ID}/includes/{ID} GET
/agents/protectionGroups GET
/agents/protectionGroups/{ID} GET
/agents/protectionGroups/{ID}/discoveredComputers GET
/agents/restorePoints GET
/backupFiles GET
/backupFiles/{ID} GET
/backupFiles/{ID}/restorePoints GET
/backupFiles/{ID}/vmRestorePoints GET
/backups GET
/backups/{ID} GET
/backups/{ID}/childbackups GET
/backups/{ID}/restorePoints GET
/backupServers GET POST?action=create
/backupServers/{ID} DELETE GET POST?action=collect
/backupServers/{ID} POST?action=quickbackup POST?action=veeamzip PUT
/backupServers/{ID}/credentials GET POST?action=create
/backupServers/{ID}/credentials/{ID} DELETE GET PUT
/backupServers/{ID}/externalRepositories GET
/backupServers/{ID}/jobs GET
/backupServers/{ID}/managedServers GET
/backupServers/{ID}/passwords GET POST?action=create
/backupServers/{ID}/passwords/{ID} DELETE GET PUT
/backupServers/{ID}/repositories GET
/backupSessions GET
/backupSessions/{ID} GET POST?action=stop
/backupSessions/{ID}/agentManagementSessions GET
/backupSessions/{ID}/taskSessions GET
/backupTaskSessions GET
/backupTaskSessions/{ID} GET
/catalog/vms GET
/catalog/vms/{name} GET
/catalog/vms/{name}/vmRestorePoints GET
/catalog/vms/{name}/vmRestorePoints/{ID} GET POST?action=browse
/catalog/vms/{name}/vmRestorePoints/{ID}/guestfs GET
/catalog/vms/{name}/vmRestorePoints/{ID}/guestfs/{name} GET POST?action=restore
/cdpPolicies GET
/cdpPolicies/{ID} GET POST?action=disable POST?action=enable PUT
/cdpPolicies/{ID}/cdpReplicaSessions GET
/cdpPolicies/{ID}/includes GET POST
/cdpPolicies/{ID}/includes/{ID} DELETE GET
/cdpReplica/vApps GET
/cdpReplica/vApps/{ID} GET POST?action=failover POST?action=intervals
/cdpReplica/vApps/{ID}/vms GET
/cdpReplica/vApps/{ID}/vms/{ID} GET
/cdpReplicas GET
/cdpReplicas/{ID} GET
/cdpReplicas/{ID}/vms GET
/cdpReplicas/{ID}/vms/{ID} GET POST?action=failover POST?action=intervals
/cdpReplicaSessions GET
/cdpReplicaSessions/{ID} GET
/cdpReplicaSessions/{ID}/cdpReplicaTaskSessions GET
/cdpReplicaTaskSessions GET
/cdpReplicaTaskSessions/{ID} GET
/cloud GET
/cloud/cloudFailoverPlans GET
/cloud/cloudFailoverPlans/{ID} DELETE GET POST?action=start POST?action=test POST?action=undo PUT
/cloud/cloudFailoverPlans/{ID}/includes GET
/cloud/cloudFailoverPlans/{ID}/includes/{ID} GET
/cloud/failoverSessions GET
/cloud/failoverSessions/{ID} GET
/cloud/gatewayPools GET POST
/cloud/gatewayPools/{ID} DELETE GET PUT
/cloud/gatewayPools/{ID}/gateways GET
/cloud/gatewayPools/{ID}/tenants GET
/cloud/gateways GET POST
/cloud/gateways/{ID} DELETE GET PUT
/cloud/hardwarePlans GET POST
/cloud/hardwarePlans/{ID} DELETE GET PUT
/cloud/hardwarePlans/{ID}/tenants GET
/cloud/publicIpAddresses GET POST
/cloud/publicIpAddresses/{ID} DELETE GET PUT
/cloud/replicas GET
/cloud/replicas/{ID} GET
/cloud/replicas/{ID}/vmReplicaPoints GET
/cloud/tenants GET POST
/cloud/tenants/{ID} DELETE GET PUT
/cloud/tenants/{ID}/computeResources GET POST
/cloud/tenants/{ID}/computeResources/{ID} DELETE GET
/cloud/tenants/{ID}/freelicenseCounters GET
/cloud/tenants/{ID}/gatewayPools GET
/cloud/tenants/{ID}/resources GET POST
/cloud/tenants/{ID}/resources/{ID} DELETE GET
/cloud/tenants/{ID}/subtenants GET POST
/cloud/tenants/{ID}/subtenants/{ID} DELETE GET PUT
/cloud/tenants/{ID}/vCloudComputeResources GET POST
/cloud/tenants/{ID}/vCloudComputeResources/{ID} DELETE GET
/cloud/vlans GET
/cloud/vlans/{ID} DELETE GET PUT
/cloud/vmReplicaPoints GET
/cloud/vmReplicaPoints/{ID} GET
/externalRepositories GET
/externalRepositories/{ID} GET
/externalRepositories/{ID}/backups GET
/failoverPlans GET
/failoverPlans/{ID} GET POST?action=start POST?action=undo PUT
/hierarchyRoots GET
/hierarchyRoots/{ID} GET
/jobs GET
/jobs/{ID} DELETE GET POST?action=clone
/jobs/{ID} POST?action=retry POST?action=start POST?action=stop POST?action=sync
/jobs/{ID} POST?action=toggleScheduleEnabled PUT?action=edit
/jobs/{ID}/includes GET POST
/jobs/{ID}/includes/{ID} DELETE GET
/jobs/{ID}/linkedBackupRepositories GET POST
/jobs/{ID}/linkedBackupRepositories/{ID} DELETE
/jobs/{ID}/linkedJobs GET POST
/jobs/{ID}/linkedJobs/{ID} DELETE
/logonSessions GET
/logonSessions/{ID} DELETE GET
/lookup GET
/lookupSvc GET
/managedServers GET
/managedServers/{ID} GET
/nas GET
/nas/backupSessions GET
/nas/fileServers GET
/nas/fileServers/{ID} GET
/nas/jobs GET
/nas/jobs/{ID} GET
/nas/jobs/{ID}/backupSessions GET
/nas/jobs/{ID}/includes GET
/nas/jobs/{ID}/includes/{ID} GET
/nas/jobs/{ID}/retry POST
/nas/jobs/{ID}/start POST
/nas/jobs/{ID}/stop POST
/nas/jobs/{ID}/toggleScheduleEnabled POST
/query GET
/querySvc GET
/replicas GET
/replicas/{ID} GET
/replicaSessions GET
/replicaSessions/{ID} GET
/replicaSessions/{ID}/replicaTaskSessions GET
/replicaTaskSessions GET
/replicaTaskSessions/{ID} GET
/reports/summary GET
/reports/summary/job_statistics GET
/reports/summary/overview GET
/reports/summary/processed_vms GET
/reports/summary/repository GET
/reports/summary/vms_overview GET
/repositories GET
/repositories/{ID} GET
/repositories/{ID}/backups GET
/repositories/{ID}/replicas GET
/restorePoints GET
/restorePoints/{ID} GET
/restorePoints/{ID}/agentRestorePoints GET
/restorePoints/{ID}/backupFiles GET
/restorePoints/{ID}/vAppRestorePoints GET
/restorePoints/{ID}/vmRestorePoints GET
/restoreSessions GET
/restoreSessions/{ID} GET
/security GET
/security/accounts GET POST POST?action=rebuildScope
/security/accounts/{ID} DELETE GET POST
/security/accounts/{ID}/roles GET POST
/security/accounts/{ID}/roles/{ID} DELETE GET
/security/accounts/{ID}/scopes GET POST
/security/accounts/{ID}/scopes/{ID} DELETE GET
/security/roles GET
/security/roles/{ID} GET
/selfService/vSphere GET
/selfService/vSphere/Configs GET POST
/selfService/vSphere/Configs/{ID} DELETE GET PUT
/selfService/vSphere/Configs/{ID}/backupJobSettings GET
/sessionMngr POST
/systemSessions GET
/systemSessions/{ID} GET
/systemSessions/{ID}/events GET
/tasks GET
/tasks/{ID} DELETE GET
/vAppReplicaPoints GET
/vAppReplicaPoints/{ID} POST?action=failover
/vAppRestorePoints GET
/vAppRestorePoints/{ID} GET POST?action=restore
/vCloud GET
/vCloud/orgConfigs GET POST
/vCloud/orgConfigs/{ID} DELETE GET POST?action=disable PUT
/vCloud/orgConfigs/{ID}/backupJobSettings GET
/vmReplicaPoints GET
/vmReplicaPoints/{ID} GET POST?action=failover
/vmReplicaPoints/{ID}/mounts GET POST
/vmReplicaPoints/{ID}/mounts/{ID} DELETE GET
/vmReplicaPoints/{ID}/mounts/{ID}/{name} GET POST?action=restore
/vmRestorePoints GET
/vmRestorePoints/{ID} GET POST?action=restore
/vmRestorePoints/{ID}/mounts GET POST
/vmRestorePoints/{ID}/mounts/{ID} DELETE GET
/vmRestorePoints/{ID}/mounts/{ID}/{name} GET POST?action=restore
/wanAccelerators GET
/wanAccelerators/{ID} GET
"""
"""A path, and its verbs with their actions."""


@dataclass(frozen=True)
class PublishedCall:
    """A call of the published reference."""

    verb: str
    path: str
    action: str = ""
    """Value of ``?action=``, if it has one."""

    def __str__(self) -> str:
        return f"{self.verb} {self.path}" + (f"?action={self.action}" if self.action else "")


def _read() -> tuple[PublishedCall, ...]:
    found = []
    for line in _CALLS.split("\n"):
        path, *said = line.split() or [""]
        for each in said:
            verb, _, action = each.partition("?action=")
            found.append(PublishedCall(verb, path, action))
    return tuple(found)


CALLS = _read()
