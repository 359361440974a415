"""Elements: what becomes of each that a body may have? The whole list.

Nothing that promises safety is merely kept: it acts, or asking for it is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Treatment(StrEnum):
    """What the product does with an element of a body."""

    ACTS = "acts"
    REFUSED = "refused"
    """What it asks for, with the reason."""
    KEPT = "kept"
    """And shown, and does nothing."""
    IGNORED = "ignored"
    """Read in its place, and left alone."""


@dataclass(frozen=True)
class Element:
    """What becomes of an element, with the words that docs/contract.md has for it."""

    fate: Treatment
    words: str = ""


def _acts(words: str = "") -> Element:
    return Element(Treatment.ACTS, words)


def _refused(words: str) -> Element:
    return Element(Treatment.REFUSED, words)


def _kept(words: str) -> Element:
    return Element(Treatment.KEPT, words)


def _ignored(words: str) -> Element:
    return Element(Treatment.IGNORED, words)


SHOWN = _ignored("what GET shows, sent back")
OF_ALL: Mapping[str, Element] = dict.fromkeys(("Href", "Type", "Links", "UID", "Id"), SHOWN)
"""Elements and attributes that are the same wherever they stand."""
_READ_ONLY = _ignored("read only")
_NO_PLANS = _refused("501: no hardware plans")
_NO_CENTRES = _refused("501: no VMware Cloud Director")
_NO_DOMAINS = _refused("501: tenants are Standalone")
_NO_ACCELERATORS = _refused("501, unless it is empty or zeros: no WAN accelerators")
_PROTECTED = _acts("400 when true, unless the tenant's repositories keep what is deleted")
_NO_ADDRESSES = _kept("no public IP addresses to give; the task's Message says so")
_PERIOD = _acts("days; without BackupProtectionEnabled kept, and the task's Message says so")
_LABEL = _acts("shown")

ELEMENTS: Mapping[str, Mapping[str, Element]] = {
    "LoginSpec": {
        "VMwareSSOToken": _refused("501"),
        "TenantCredentials": _acts("Username, Password"),
        "VCloudOrganizationCredentials": _refused("501, with all that is in it"),
    },
    "BackupServerSpec": {
        "Description": _LABEL,
        "DnsNameOrIpAddress": _acts(),
        "Port": _acts(),
        "Username": _kept("nothing here logs on to the backup server"),
        "Password": _ignored("nothing here logs on to the backup server, so it is not kept"),
        "WcfPort": _kept("nothing here connects to it"),
        "VbrCertificateThumbprint": _kept("nothing here connects, so nobody is verified by it"),
    },
    "BackupServer": {
        "Name": _acts("its DnsNameOrIpAddress"), "Description": _LABEL, "Port": _acts(),
        "Version": _READ_ONLY, "WcfPort": _kept("nothing here connects to it"),
        "VbrCertificateThumbprint": _kept("nothing here connects, so nobody is verified by it"),
    },
    "CreateManagedServerSpec": {
        "Name": _acts(), "Description": _LABEL, "BackupServerUid": _acts(),
    },
    "CreateRepositorySpec": {
        "Name": _acts(), "Description": _LABEL, "Kind": _LABEL, "Endpoint": _acts(),
        "Address": _acts(), "BackupServerUid": _acts("not changed later"),
        "UsageProbe": _acts("all that is in it; its Warning is read only"),
        "Capacity": _acts("what reports and queries say; 0 for not stated"),
    },
    "Repository": {
        "Name": _acts(), "Capacity": _acts("states it, unless it is what was shown"),
        "FreeSpace": _READ_ONLY, "Kind": _LABEL, "Description": _LABEL, "Endpoint": _acts(),
        "Address": _acts(), "UsageProbe": _acts("all that is in it; its Warning is read only"),
        "Warning": _READ_ONLY,
    },
    "CredentialsInfoSpec": {
        "Username": _kept("for programs that look them up; nothing here logs on with them"),
        "Description": _LABEL, "Password": _kept("sealed, and never shown"),
    },
    "CredentialsInfo": {
        "Username": _kept("as when it is made"), "Description": _LABEL,
        "Password": _kept("sealed, and never shown"),
    },
    "PasswordKeyInfoSpec": {
        "Hint": _LABEL, "Password": _kept("sealed, and never shown; nothing here decrypts backups"),
    },
    "PasswordKeyInfo": {"Hint": _LABEL, "LastModificationDate": _READ_ONLY},
    "CreateCloudCertificateSpec": dict.fromkeys(
        ("Pem", "Pfx", "Password", "CloudGatewayUid"), _acts()
    ),
    "CloudCertificateOrderSpec": dict.fromkeys(
        ("DirectoryUrl", "Names", "Challenge", "Email", "CaFile", "CloudGatewayUid"), _acts()
    ),
    "CreateCloudGatewaySpec": {
        "BackupServerIdOrName": _acts(), "ServerHostName": _acts(), "Description": _LABEL,
        "IncomingPort": _acts("sessions of v1 to v1_3; 400 in later ones"),
        "ExternalIp": _acts(), "ExternalPort": _acts(), "NetworkType": _acts(),
        "InternalPort": _acts("in NAT; kept and shown in Direct"), "BackupServerUid": _acts(),
    },
    "CloudGateway": {
        "Name": _READ_ONLY, "Enabled": _acts(),
        "DnsNameOrIpAddress": _ignored(
            "a gateway stays on its server; the task's Message says so when another one is named"
        ),
        "NetworkMode": _acts(), "ExternalIP": _acts(), "ExternalPort": _acts(),
        "InternalPort": _acts("in NAT; kept and shown in Direct"), "Description": _LABEL,
        "State": _READ_ONLY, "LiveTunnels": _READ_ONLY, "Warning": _READ_ONLY,
    },
    "CloudMaintenance": {
        "Enabled": _acts(), "Message": _acts(), "RestoresAllowed": _acts(), "Since": _READ_ONLY,
    },
    "CreateCloudGatewayPoolSpec": {
        "Name": _acts(), "Description": _LABEL, "CloudGateways": _acts(), "CloudTenants": _acts(),
        "BackupServerUid": _acts(),
    },
    "CloudGatewayPool": {
        "Name": _acts(), "Description": _LABEL, "CloudGateways": _acts(), "CloudTenants": _acts(),
    },
    "CreateCloudTenantSpec": {
        "BackupServerIdOrName": _acts(), "Name": _acts(), "Description": _LABEL,
        "Password": _acts(), "Enabled": _acts(), "LeaseExpirationDate": _acts(),
        "Resources": _acts("see BackupResource"), "ComputeResources": _NO_PLANS,
        "VmCount": _ignored("nothing here counts machines; the task's Message says so"),
        "ThrottlingEnabled": _acts(), "ThrottlingSpeedLimit": _acts(),
        "ThrottlingSpeedUnit": _acts(), "PublicIpCount": _NO_ADDRESSES,
        "BackupServerUid": _acts(), "MaxConcurrentTasks": _acts("tunnels at a time"),
        "BackupProtectionEnabled": _PROTECTED, "BackupProtectionPeriod": _PERIOD,
        "TenantType": _refused("501, unless it is Standalone"), "OrganizationRef": _NO_DOMAINS,
        "VCloudComputeResources": _NO_CENTRES, "CloudGatewayPools": _acts(),
        "FailoverToOthersGatewaysIfFail": _acts(), "Domain": _NO_DOMAINS,
    },
    "BackupResource": {
        "Name": _LABEL, "RepositoryUid": _acts("the right to reach the repository"),
        "QuotaMb": _acts("where there is a usage probe: warnings, and above it restores only"),
        "WanAcceleratorUid": _NO_ACCELERATORS,
        "Folder": _ignored("where is up to the repository; the task's Message says so"),
    },
    "CloudTenant": {
        "Name": _READ_ONLY, "Password": _acts(), "Description": _LABEL, "Enabled": _acts(),
        "LeaseExpirationDate": _acts(), "LeaseOptions": _acts(),
        "Resources": _acts("see RepositoryQuota"), "LastResult": _READ_ONLY,
        "LastActive": _READ_ONLY, "VmCount": _READ_ONLY, "ComputeResources": _NO_PLANS,
        "ThrottlingEnabled": _acts(), "ThrottlingSpeedLimit": _acts(),
        "ThrottlingSpeedUnit": _acts(), "PublicIpCount": _NO_ADDRESSES,
        "BackupCount": _READ_ONLY, "ReplicaCount": _READ_ONLY,
        "MaxConcurrentTasks": _acts("tunnels at a time"), "WorkStationBackupCount": _READ_ONLY,
        "ServerBackupCount": _READ_ONLY, "BackupProtectionEnabled": _PROTECTED,
        "BackupProtectionPeriod": _PERIOD,
        "TenantType": _acts("its Password; Username is read only; 501 for other kinds of tenants"),
        "UsedEgressMb": _READ_ONLY, "Warning": _READ_ONLY,
        "OldPasswordExpirationDate": _READ_ONLY, "OldPasswordLastUsed": _READ_ONLY,
        "VCloudComputeResources": _NO_CENTRES, "CloudGatewayPools": _acts(),
        "FailoverToOthersGatewaysIfFail": _acts(),
        "ConcurrentTasksLimited": _READ_ONLY,
    },
    "RepositoryQuota": {
        "DisplayName": _LABEL, "RepositoryUid": _acts("the right to reach the repository"),
        "WanAcceleratorUid": _NO_ACCELERATORS,
        "Quota": _acts("where there is a usage probe: warnings, and above it restores only"),
        "UsedQuota": _READ_ONLY, "UsedQuotaTime": _READ_ONLY, "Warning": _READ_ONLY,
    },
    "CreateCloudTenantResourceSpec": {
        "Name": _LABEL, "RepositoryUid": _acts("the right to reach the repository"),
        "QuotaMb": _acts("where there is a usage probe: warnings, and above it restores only"),
        "WanAcceleratorUid": _NO_ACCELERATORS,
        "Folder": _ignored("where is up to the repository; the task's Message says so"),
    },
    "CloudSubtenantCreateSpec": {
        "Name": _acts(), "Description": _LABEL, "Password": _acts(), "Enabled": _acts(),
        "TenantResourceId": _acts("the right to reach that repository"), "QuotaName": _LABEL,
        "QuotaMb": _kept("what one subtenant stores nobody measures; the task's Message says so"),
        "UnlimitedQuota": _kept("beside QuotaMb"),
    },
    "CloudSubtenant": {
        "Name": _READ_ONLY, "Description": _LABEL, "Password": _acts(), "Enabled": _acts(),
        "OldPasswordExpirationDate": _READ_ONLY, "OldPasswordLastUsed": _READ_ONLY,
        "RepositoryQuota": _acts(
            "TenantResourceId acts; QuotaMb and Unlimited are kept, and the task's Message says so"
        ),
    },
    "EnterpriseAccountPasswordSpec": {"CurrentPassword": _acts(), "Password": _acts()},
    "EnterpriseAccountCreateSpec": {
        "AccountType": _kept("whatever it is, the account logs on with its Password"),
        "AccountName": _acts(), "Roles": _acts(),
        "AllowRestoreAllVms": _kept("there are no machines to restore"),
        "HierarchyScopeObjects": _refused("501 when it names something: no virtual infrastructure"),
        "FlrSettings": _refused("501 when it restricts: no restores to restrict"),
        "SqlSettings": _refused("501 when it restricts: no restores to restrict"),
        "Password": _acts(),
    },
    "EnterpriseAccountInRoleCreateSpec": {"EnterpriseRoleUid": _acts()},
}  # fmt: skip
"""By the root of the body, or the type of what is in a list of it."""
