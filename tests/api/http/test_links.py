"""The links of every published sample: the same ones, in the same order, by Rel, Type and Name.

As the samples have them; what was added to the published lists stands after them, where there is
anything.
"""

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.running.host import ScriptedHost
from tests.support.running.manager import (
    PASSWORD,
    RunningManager,
    client_of_module,
    finished,
    manager_of_module,
    running_manager,
)

Row = tuple[str, str, str | None, str | None]
"""Path with GUIDs replaced, Rel, Type, Name."""
GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
REFERENCES = (
    ("/backupServers", "BackupServer"),
    ("/managedServers", "ManagedServer"),
    ("/jobs", "Job"),
    ("/failoverPlans", "FailoverPlan"),
    ("/hierarchyRoots", "HierarchyRoot"),
    ("/repositories", "Repository"),
    ("/backups", "Backup"),
    ("/restorePoints", "RestorePoint"),
    ("/vmRestorePoints", "VmRestorePoint"),
    ("/vAppRestorePoints", "VAppRestorePoint"),
    ("/replicas", "Replica"),
    ("/vmReplicaPoints", "VmReplicaPoint"),
    ("/catalog/vms", "CatalogVm"),
    ("/backupSessions", "BackupJobSession"),
    ("/restoreSessions", "RestoreSession"),
    ("/replicaSessions", "ReplicaJobSession"),
    ("/backupTaskSessions", "BackupTaskSession"),
    ("/replicaTaskSessions", "ReplicaTaskSession"),
)
LOGON_SESSION: list[Row] = [
    ("/", "Up", "EnterpriseManager", None),
    *((path, "Down", f"{kind}ReferenceList", None) for path, kind in REFERENCES),
    ("/security", "Down", "EnterpriseSecuritySettings", None),
    ("/wanAccelerators", "Down", "WanAcceleratorReferenceList", None),
    ("/backupFiles", "Down", "BackupFileReferenceList", None),
    ("/externalRepositories", "Down", "ExternalRepositoryReferenceList", None),
    ("/tasks", "Down", "TaskList", None),
    ("/querySvc", "Down", "QueryService", None),
    ("/lookupSvc", "Down", "LookupService", None),
    ("/reports/summary", "Down", "Report", "Summary"),
    ("/backupServers?format=Entity", "Down", "BackupServerList", None),
    ("/managedServers?format=Entity", "Down", "ManagedServerList", None),
    ("/backupServers?action=create", "Create", None, None),
    *((f"{path}?format=Entity", "Down", f"{kind}List", None) for path, kind in REFERENCES[2:]),
    ("/wanAccelerators?format=Entity", "Down", "WanAcceleratorList", None),
    ("/vCloud", "Down", "VCloudService", None),
    ("/backupFiles?format=Entity", "Down", "BackupFileList", None),
    ("/agents", "Down", "AgentsService", None),
    ("/selfService/vSphere", "Down", "VSphereSelfService", None),
    ("/externalRepositories?format=Entity", "Down", "ExternalRepositoryList", None),
    ("/nas", "Down", "NasService", None),
    ("/cloud", "Down", "CloudConnectService", None),
    ("/logonSessions/*", "Delete", None, None),
]
SITE = "/backupServers/*"
SERVER = "/managedServers/*"
VAULT = "/repositories/*"
GATEWAY = "/cloud/gateways/*"
POOL = "/cloud/gatewayPools/*"
TENANT = "/cloud/tenants/*"
QUOTA = f"{TENANT}/resources/*"
USER = f"{TENANT}/subtenants/*"
ACCOUNT = "/security/accounts/*"
ROLE = "/security/roles/*"
UP: Row = (SITE, "Up", "BackupServerReference", "localhost")
UP_TO_ENTITY: Row = (f"{SITE}?format=Entity", "Up", "BackupServer", "localhost")
SAMPLES: dict[str, list[Row]] = {
    "/": [
        ("/logonSessions", "Down", "LogonSessionList", None),
        ("/sessionMngr/?v=latest", "Create", "LogonSession", None),
    ],
    "/logonSessions/*": LOGON_SESSION,
    "/reports/summary": [
        (f"/reports/summary/{path}", "Down", "ReportFrame", name)
        for path, name in (
            ("overview", "Overview"),
            ("vms_overview", "VmsOverview"),
            ("job_statistics", "JobStatistics"),
            ("processed_vms", "ProcessedVms"),
            ("repository", "Repositories"),
        )
    ],
    SITE: [
        (f"{SITE}/jobs", "Down", "JobReferenceList", None),
        (f"{SITE}/repositories", "Down", "RepositoryReferenceList", None),
        (f"{SITE}/externalRepositories", "Down", "ExternalRepositoryReferenceList", None),
        (f"{SITE}/credentials", "Down", "CredentialsList", None),
        (f"{SITE}/passwords", "Down", "PasswordKeyList", None),
        (f"{SITE}?format=Entity", "Alternate", "BackupServer", "localhost"),
        (f"{SITE}/managedServers", "Down", "ManagedServerReferenceList", None),
    ],
    f"{SITE}?format=Entity": [
        (SITE, "Alternate", "BackupServerReference", "localhost"),
        (SITE, "Edit", "BackupServerReference", None),
        (SITE, "Delete", "BackupServerReference", None),
        (f"{SITE}/jobs", "Down", "JobReferenceList", None),
        (f"{SITE}/managedServers", "Down", "ManagedServerReferenceList", None),
        (f"{SITE}/repositories", "Down", "RepositoryReferenceList", None),
        (f"{SITE}/externalRepositories", "Down", "ExternalRepositoryReferenceList", None),
        (f"{SITE}/credentials", "Down", "CredentialsList", None),
        (f"{SITE}/credentials?action=create", "Create", None, None),
        (f"{SITE}/passwords", "Down", "PasswordKeyList", None),
        (f"{SITE}/passwords?action=create", "Create", None, None),
        (f"{SITE}?action=veeamzip", "VeeamZip", None, None),
        (f"{SITE}?action=quickbackup", "QuickBackup", None, None),
        (f"{SITE}?action=collect", "Start", None, None),
    ],
    f"{SERVER}?format=Entity": [
        UP_TO_ENTITY,
        (SERVER, "Alternate", "ManagedServerReference", "gw1.example"),
        # Related leads to the virtualization host that it is, and none of these is one.
    ],
    f"{SITE}/credentials/*": [
        UP_TO_ENTITY,
        (f"{SITE}/credentials/*", "Edit", "Credentials", None),
        (f"{SITE}/credentials/*", "Delete", "Credentials", None),
    ],
    f"{SITE}/passwords/*": [
        UP_TO_ENTITY,
        (f"{SITE}/passwords/*", "Edit", "PasswordKey", None),
        (f"{SITE}/passwords/*", "Delete", "PasswordKey", None),
    ],
    f"{VAULT}?format=Entity": [
        UP,
        (VAULT, "Alternate", "RepositoryReference", "vault"),
        (f"{VAULT}/backups", "Down", "BackupReferenceList", None),
        (f"{VAULT}/replicas", "Down", "ReplicaReferenceList", None),
    ],
    GATEWAY: [UP, (f"{GATEWAY}?format=Entity", "Alternate", "CloudGateway", "gw1.example")],
    f"{GATEWAY}?format=Entity": [
        UP,
        (GATEWAY, "Alternate", "CloudGatewayReference", "gw1.example"),
        (GATEWAY, "Edit", "CloudGatewayReference", "gw1.example"),
        (GATEWAY, "Delete", None, None),
        (POOL, "Related", "CloudGatewayPoolReference", "pool"),
    ],
    POOL: [UP, (f"{POOL}?format=Entity", "Alternate", "CloudGatewayPool", "pool")],
    f"{POOL}?format=Entity": [
        UP,
        (POOL, "Alternate", "CloudGatewayPoolReference", "pool"),
        (POOL, "Edit", "CloudGatewayPoolReference", "pool"),
        (POOL, "Delete", None, None),
        (f"{POOL}/gateways", "Down", "CloudGatewayReferenceList", None),
        (f"{POOL}/tenants", "Related", "CloudTenantReferenceList", None),
    ],
    TENANT: [UP, (f"{TENANT}?format=Entity", "Alternate", "CloudTenant", "acme")],
    f"{TENANT}?format=Entity": [
        UP,
        (TENANT, "Alternate", "CloudTenantReference", "acme"),
        (TENANT, "Edit", "CloudTenantReference", "acme"),
        (f"{TENANT}/resources", "Down", "CloudTenantResourceList", None),
        (f"{TENANT}/resources", "Create", "CloudTenantResource", None),
        (TENANT, "Delete", None, None),
        (f"{TENANT}/computeResources", "Down", "CloudTenantComputeResourceList", None),
        (f"{TENANT}/computeResources", "Create", "CloudTenantComputeResource", None),
        (f"{TENANT}/subtenants", "Down", "CloudSubtenantList", None),
        (f"{TENANT}/subtenants", "Create", "CloudSubtenant", None),
        (
            f"{TENANT}/freelicenseCounters",
            "Related",
            "FreeLicenseCounters",
            "FreeLicenseCounters",
        ),
    ],
    QUOTA: [
        (QUOTA, "Delete", "CloudTenantResource", "quota"),
        (f"{TENANT}?format=Entity", "Up", "CloudTenant", "acme"),
        UP_TO_ENTITY,
    ],
    USER: [
        (USER, "Edit", "CloudSubtenant", "user"),
        (USER, "Delete", None, None),
        (f"{TENANT}?format=Entity", "Up", "CloudTenant", "acme"),
        UP_TO_ENTITY,
    ],
    f"{TENANT}/freelicenseCounters": [(f"{TENANT}?format=Entity", "Up", "CloudTenant", "acme")],
    "/security": [
        ("/security/accounts", "Down", "EnterpriseAccountReferenceList", None),
        ("/security/roles", "Down", "EnterpriseRoleReferenceList", None),
        ("/security/accounts", "Create", None, None),
        ("/security/accounts?action=rebuildScope", "Start", None, None),
    ],
    ACCOUNT: [(f"{ACCOUNT}?format=Entity", "Alternate", "EnterpriseAccount", None)],
    f"{ACCOUNT}?format=Entity": [
        (ACCOUNT, "Alternate", "EnterpriseAccountReference", None),
        (f"{ACCOUNT}/roles", "Down", "EnterpriseAccountInRoleList", None),
        (f"{ACCOUNT}/roles", "Create", "EnterpriseAccountInRole", None),
        (f"{ACCOUNT}/scopes", "Down", "EnterpriseAccountHierarchyScopeList", None),
        (f"{ACCOUNT}/scopes", "Create", None, None),
        (ACCOUNT, "Delete", None, None),
        (ACCOUNT, "ToggleRestoreScopesEnabled", None, None),
    ],
    ROLE: [(f"{ROLE}?format=Entity", "Alternate", "EnterpriseRole", None)],
    f"{ROLE}?format=Entity": [(ROLE, "Alternate", "EnterpriseRoleReference", None)],
    f"{ACCOUNT}/roles/*": [(f"{ACCOUNT}/roles/*", "Delete", None, None)],
    "/lookupSvc": [("/logonSessions/*", "Up", "LogonSession", None)],
}
ADDED: dict[str, list[Row]] = {
    f"{SERVER}?format=Entity": [(SERVER, "Delete", None, None)],
    f"{VAULT}?format=Entity": [
        (VAULT, "Edit", "RepositoryReference", "vault"),
        (VAULT, "Delete", None, None),
    ],
}
"""Links of extensions: the original has no such calls."""

running = manager_of_module()
client = client_of_module()


def guid(thing: dict[str, Any]) -> str:
    return str(thing["Href"]).partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="module")
def guids(running: RunningManager, client: httpx2.Client) -> dict[str, list[str]]:
    """By the path of a sample: what stands for its stars."""
    host = ScriptedHost(running)
    site = guid(client.get("/backupServers").json()["Refs"][0])

    def only(path: str) -> str:
        (found,) = (each for each in client.get(path).json().values() if each)
        return guid(found[0])

    vault = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    task = client.post(
        "/cloud/gateways", json={"ServerHostName": host.name, "NetworkType": "Direct"}
    ).json()
    host.obey()
    finished(client, task)
    quota = {"Name": "quota", "RepositoryUid": vault["UID"], "QuotaMb": 4096}
    spec = {"Name": "acme", "Password": "p", "Resources": {"BackupResources": [quota]}}
    client.post("/cloud/tenants", json=spec).raise_for_status()
    tenant, gateway = only("/cloud/tenants"), only("/cloud/gateways")
    pool_spec = {
        "Name": "pool",
        "CloudGateways": {"CloudGatewayUids": [gateway]},
        "CloudTenants": {"CloudTenantUids": [tenant]},
    }
    client.post("/cloud/gatewayPools", json=pool_spec).raise_for_status()
    resource = only(f"/cloud/tenants/{tenant}/resources")
    user = {"Name": "user", "Password": "p", "TenantResourceId": resource, "UnlimitedQuota": True}
    client.post(f"/cloud/tenants/{tenant}/subtenants", json=user).raise_for_status()
    client.post(f"/backupServers/{site}/credentials", json={"Username": "u", "Password": "p"})
    client.post(f"/backupServers/{site}/passwords", json={"Hint": "h", "Password": "p"})
    account = only("/security/accounts")
    session = client.get("/logonSessions").json()["LogonSessions"][0]["SessionId"]
    host.close()
    return {
        SITE: [site],
        SERVER: [str(host.server_id)],
        VAULT: [guid(vault)],
        GATEWAY: [gateway],
        POOL: [only("/cloud/gatewayPools")],
        TENANT: [tenant],
        QUOTA: [tenant, resource],
        USER: [tenant, only(f"/cloud/tenants/{tenant}/subtenants")],
        ACCOUNT: [account],
        ROLE: ["5f37a46b-9ce2-40f4-8a62-b45b079257fc"],
        f"{ACCOUNT}/roles/*": [account, "5f37a46b-9ce2-40f4-8a62-b45b079257fc"],
        f"{SITE}/credentials/*": [site, only(f"/backupServers/{site}/credentials")],
        f"{SITE}/passwords/*": [site, only(f"/backupServers/{site}/passwords")],
        "/logonSessions/*": [session],
    }


def rows(links: list[dict[str, Any]], root: str) -> list[Row]:
    found = []
    for link in links:
        path, question, query = link["Href"].removeprefix(root).partition("?")
        where = GUID.sub("*", path) + question + query
        found.append((where, link["Rel"], link.get("Type"), link.get("Name")))
    return found


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_links_of_a_published_sample_are_ours(
    running: RunningManager, client: httpx2.Client, guids: dict[str, list[str]], sample: str
) -> None:
    path, _, query = sample.partition("?")
    known = guids.get(path)
    if known is None and "*" in path:
        known = guids[path.rpartition("/")[0]]
    for each in known or ():
        path = path.replace("*", each, 1)
    answer = client.get(path + (f"?{query}" if query else ""))
    assert answer.status_code == 200, path
    root = f"{running.url}/api"
    assert rows(answer.json()["Links"], root) == SAMPLES[sample] + ADDED.get(sample, [])


def test_the_links_of_a_tenants_session_and_of_tasks_and_versions(
    tmp_path: Path,
) -> None:
    with running_manager(tmp_path) as running:
        check_links_of_a_tenants_session_and_of_tasks_and_versions(running, running.logged_on())


def check_links_of_a_tenants_session_and_of_tasks_and_versions(
    running: RunningManager, client: httpx2.Client
) -> None:
    root = f"{running.url}/api"
    spec = {"Name": "other", "Password": "p"}
    accepted = client.post("/cloud/tenants", json=spec).json()
    assert [row[1:] for row in rows(accepted["Links"], root)] == [("Delete", "Task", None)]
    task = finished(client, accepted)
    assert [row[1:] for row in rows(task["Links"], root)] == [
        ("Delete", "Task", None),
        ("Related", "CloudTenant", "other"),
    ]
    logon = running.client(Accept="application/json").post(
        "/sessionMngr/?v=v1_7",
        auth=("admin", PASSWORD),
        json={"TenantCredentials": {"Username": "other", "Password": "p"}},
    )
    assert rows(logon.json()["Links"], root) == [
        ("/", "Up", "EnterpriseManager", None),
        ("/cloud", "Down", "CloudConnectService", None),
        ("/logonSessions/*", "Delete", None, None),
    ]
    versions = client.get("/").json()["SupportedVersions"]["SupportedVersions"]
    for version in versions:
        assert rows(version["Links"], root) == [
            (f"/sessionMngr/?v={version['Name']}", "Create", "LogonSession", None)
        ]
