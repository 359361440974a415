"""Kinds of change in the audit log: what does each event do to a right that a restore brings back?

Pure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Entry = Mapping[str, Any]
"""An entry of the audit log, as outlets get it."""

BY_API = "the same once more by the REST API, docs/api.md"

# What an event is called says enough where it creates, edits or deletes a thing. The tables from
# here on have what is to be said besides; a test sees that each other event is in one of them.
REMOVED = {
    "DeleteCloudTenant": "cloudgate tenant delete {name}",
    "DeleteCloudSubtenant": "cloudgate tenant user delete TENANT {name}",
    "DeleteCloudTenantResource": "cloudgate tenant resource delete TENANT RESOURCE",
    "DeleteCloudGateway": "cloudgate gateway delete {name}",
    "DeleteCloudGatewayPool": "cloudgate pool delete {name}",
    "DeleteManagedServer": "cloudgate server revoke {name}, then cloudgate server delete {name}",
    # Whoever was let in as this server since may be another machine than the one that was revoked.
    "RevokeManagedServer": (
        "cloudgate server revoke {name}; where a machine was let in as it since, that one joins"
        " again: cloudgate server renew-token {name}"
    ),
    "DeleteRepository": "cloudgate repository delete {name}",
    "DeleteBackupServer": "cloudgate backup-server delete {name}",
    "RevokeCloudTenantCertificate": (
        "cloudgate tenant certificate revoke TENANT ID; one that is not listed is good until it"
        " ends, within 7 days: disable {name} for so long"
    ),
    "DeleteCloudCertificate": "cloudgate certificate delete {name}",
    "DeleteAccount": "cloudgate account delete {name}",
    "RevokeApiToken": "cloudgate token revoke {id}",
    "DeleteNotificationReceiver": "cloudgate notification delete {name}",
    "DeleteCredentials": BY_API,
    "DeletePassword": BY_API,
}
"""What ends the thing that it is told of, and all that was taken from it: how to do it again."""


@dataclass(frozen=True)
class EditedThing:
    """What an edit is of."""

    what: str
    edit: str = ""
    """The command that changes it; empty where there is none."""
    password: str = ""
    """The one for another password, where it is not that."""


TENANT = EditedThing("Tenant {name}", "cloudgate tenant edit {name}")
USER = EditedThing("Tenant's user {name}", "cloudgate tenant user edit TENANT {name}")
_ACCOUNT = EditedThing("Account {name}", password="cloudgate account password {name}")  # noqa: S106
EDITS = {
    "EditCloudTenant": TENANT,
    "RotateCloudTenantPassword": TENANT,
    "ChangeOwnCloudTenantPassword": TENANT,
    "EndOldCloudTenantPassword": TENANT,
    "EditCloudSubtenant": USER,
    "RotateCloudSubtenantPassword": USER,
    "ChangeOwnCloudSubtenantPassword": USER,
    "EndOldCloudSubtenantPassword": USER,
    "EditCloudGateway": EditedThing("Gateway {name}", "cloudgate gateway edit {name}"),
    "UpdateCloudGatewayPool": EditedThing("Gateway pool {name}", "cloudgate pool edit {name}"),
    "EditRepository": EditedThing("Repository {name}", "cloudgate repository edit {name}"),
    "EditBackupServer": EditedThing("Backup server {name}", "cloudgate backup-server edit {name}"),
    "EditNotificationReceiver": EditedThing(
        "Notification receiver {name}", "cloudgate notification edit {name}"
    ),
    "EditCredentials": EditedThing("Credentials {name}"),
    "EditPassword": EditedThing("Password {name}"),
    "EditAccount": _ACCOUNT,
    "ChangePassword": _ACCOUNT,
    "AddAccountRole": _ACCOUNT,
    "DeleteAccountRole": _ACCOUNT,
    "LinkAccount": _ACCOUNT,
    "UnlinkAccount": _ACCOUNT,
    "SetSecondFactor": _ACCOUNT,
    "RemoveSecondFactor": _ACCOUNT,
    "AddPasskey": _ACCOUNT,
    "RemovePasskey": _ACCOUNT,
    "RequireSecondFactor": EditedThing("Role {name}"),
    "BeginMaintenance": EditedThing("Maintenance"),
    "EndMaintenance": EditedThing("Maintenance"),
}
"""What changes a thing that stays: what it is called."""
HARMLESS = frozenset(
    {
        # The right is given by these, or was over anyway.
        "IssueCloudTenantCertificate",
        "IssueOwnCloudTenantCertificate",
        "RenewCloudTenantCertificate",
        "JoinManagedServer",
        "ReadmitManagedServer",
        "RenewJoinToken",  # a restore ends all join tokens
        "OrderCloudCertificate",
        "RenewCloudCertificate",
        "DeleteCloudGatewayTunnel",
        # Nobody has taken anything: it was seen.
        "ReachQuotaLevel",
        "ReachEgressLevel",
        "ConfirmBackupProtection",
        "LoseBackupProtection",
        # What it took away is what the later backup is brought back for.
        "RestoreBackup",
    }
)
"""Changes that take nothing away which a restore would give back."""
NO_CHANGES = frozenset(
    {
        "LogOn",
        "LogOff",
        "LogOnCloudTenant",
        "LogOffCloudTenant",
        "GuessTenantPassword",
        "RefuseTenantNetwork",
        "DenyAccess",
        "RefuseApiToken",
        "RefuseManagedServer",
        "RefuseJoin",
        "RefuseUnknownHost",
        "RemoveOldAuditEvents",
        "SealAuditLog",
    }
)
KEPT_WHEN_FAILED = frozenset(
    {
        "CreateCloudTenant",
        "EditCloudTenant",
        "DeleteCloudTenant",
        "AddCloudSubtenant",
        "EditCloudSubtenant",
        "DeleteCloudSubtenant",
        "CreateCloudTenantResource",
        "DeleteCloudTenantResource",
        "CreateCloudGatewayPool",
        "UpdateCloudGatewayPool",
        "DeleteCloudGatewayPool",
        "RotateCloudTenantPassword",
        "RotateCloudSubtenantPassword",
        "ChangeOwnCloudTenantPassword",
        "ChangeOwnCloudSubtenantPassword",
        "EndOldCloudTenantPassword",
        "EndOldCloudSubtenantPassword",
        "RevokeCloudTenantCertificate",
    }
)
"""Changes of the tenant directory: one that a gateway could not take in has failed, and holds."""
_OWN = ("ChangeOwnCloudTenantPassword", "ChangeOwnCloudSubtenantPassword")
NO_RIGHTS = frozenset(
    {
        "Name",
        "Description",
        "Hint",
        "Tunnels",  # that were ended
        # Of gateways, which are told by the names of the settings.
        "description",
        "network_mode",
        "external_ip",
        "external_port",
        "internal_port",
    }
)
"""Fields that let nobody do anything."""
_OF_THE_BACKUP, _ANOTHER = "of the backup", "another"


def begins(operation: str) -> bool:
    """Whether it makes the thing that it is told of: after a restore that is not there.

    Not so a tenant's certificate, which is good by its signature alone.
    """
    return operation.startswith(("Create", "Add")) and operation not in EDITS


def is_change(entry: Entry) -> bool:
    """Whether it says that something is otherwise than before."""
    operation = str(entry["operation"])
    if not entry["success"]:
        # Who shows a wrong password to change it has an entry of that name, too.
        is_refusal = operation in _OWN and "Password" not in (entry["after"] or {})
        return operation in KEPT_WHEN_FAILED and not is_refusal
    return operation not in NO_CHANGES


def changed_fields(
    operation: str, before: Entry | None, after: Entry | None
) -> Iterator[tuple[str, Any, Any]]:
    """What an edit has changed: name, and what it was and is."""
    was, will_be = before or {}, after or {}
    match operation:
        case "AddAccountRole" | "DeleteAccountRole":
            yield f"role {(was or will_be).get('Role', '?')}", bool(was), bool(will_be)
        case "AddPasskey":
            yield f"passkey {will_be.get('Passkey', '?')}", None, _ANOTHER
        case "RemovePasskey":
            yield f"passkey {was.get('Passkey', '?')}", _OF_THE_BACKUP, None
        case "SetSecondFactor":
            yield "factor", None, _ANOTHER
        case "RemoveSecondFactor":
            yield "factor", _OF_THE_BACKUP, None
        case "LinkAccount" | "UnlinkAccount":
            yield "person", _person(was), _person(will_be)
        case "BeginMaintenance" | "EndMaintenance":
            yield "maintenance", bool(was), bool(will_be)
        case _:
            for name in {**was, **will_be}:
                yield name, was.get(name), will_be.get(name)


def _person(document: Entry) -> str:
    """Of a provider; of a link that was changed, what differs."""
    return " of ".join(str(document[each]) for each in ("Subject", "Issuer") if each in document)
