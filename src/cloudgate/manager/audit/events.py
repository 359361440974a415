"""Audit events: what is a change called in the audit log? Pure.

Numbers, severities and texts are those of the original's events where it has such an event
(reference of audit events, Cloud Connect); others have the number 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

Document = Mapping[str, Any]
INFO, WARNING = "Info", "Warning"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change, as far as it is known when it is asked for."""

    operation: str
    object_type: str
    object_id: UUID | None = None
    object_name: str = ""
    before: Document | None = None
    """What was, without secrets; None for what is new."""
    after: Document | None = None
    """What is to be, without secrets; None for what is removed."""
    owner_id: UUID | None = None
    """Of the tenant that a subtenant or a quota belongs to."""


NEW_PASSWORD: Document = {"Password": "changed"}
TUNNELS_ENDED: Document = {"Tunnels": "ended"}
OUTSIDE_ENDED: Document = {"Tunnels": "ended, as far as they come from elsewhere"}
"""What the log says of a password, and all that it says."""


class NamedEntity(Protocol):
    """Something that is kept, with an id and a name."""

    id: Any
    name: Any


def change_to(
    thing: NamedEntity,
    object_type: str,
    operation: str,
    *,
    before: Document | None = None,
    after: Document | None = None,
    owner_id: UUID | None = None,
) -> Change:
    """A change to something that is kept; see `Change`."""
    return Change(
        operation=operation,
        object_type=object_type,
        object_id=thing.id,
        object_name=thing.name,
        before=before,
        after=after,
        owner_id=owner_id,
    )


@dataclass(frozen=True)
class Event:
    """How a change is told in the audit log: its number, its severity and its text."""

    code: int
    severity: str
    text: str
    """With ``{name}``, ``{id}`` and ``{owner}``."""

    def told(self, change: Change) -> str:
        """The text for one change."""
        return self.text.format(name=change.object_name, id=change.object_id, owner=change.owner_id)


EVENTS: Mapping[str, Event] = {
    "CreateCloudGateway": Event(24130, INFO, "Cloud gateway {name} [{id}] has been created"),
    "EditCloudGateway": Event(24131, INFO, "Cloud gateway {name} [{id}] has been modified"),
    "DeleteCloudGateway": Event(24140, WARNING, "Cloud gateway {name} has been deleted"),
    "CreateCloudGatewayPool": Event(
        24141, INFO, "Cloud gateway pool '{name}' [{id}] has been created."
    ),
    "UpdateCloudGatewayPool": Event(
        24142, INFO, "Cloud gateway pool '{name}' [{id}] has been modified."
    ),
    "DeleteCloudGatewayPool": Event(
        24143, WARNING, "Cloud gateway pool '{name}' has been deleted."
    ),
    "CreateCloudTenant": Event(24110, INFO, "Cloud Connect tenant {name} [{id}] has been created"),
    "DeleteCloudTenant": Event(24120, WARNING, "Cloud Connect tenant {name} has been deleted"),
    "DisableCloudTenant": Event(25000, INFO, "Cloud Connect tenant {name} has been disabled"),
    "EditCloudTenant": Event(25100, INFO, "Cloud Connect tenant {name} [{id}] has been updated"),
    "CreateCloudTenantResource": Event(24150, INFO, "Tenant Quota Added: {name}"),
    "DeleteCloudTenantResource": Event(24170, WARNING, "Tenant Quota Deleted: {name}"),
    "AddCloudSubtenant": Event(
        25200,
        INFO,
        "Cloud Connect subtenant {name} [{id}] [tenant ID: {owner}] has been created",
    ),
    "DeleteCloudSubtenant": Event(
        25210, WARNING, "Cloud Connect subtenant {name} [tenant ID: {owner}] has been deleted"
    ),
    "EditCloudSubtenant": Event(
        25220,
        INFO,
        "Cloud Connect subtenant {name} [{id}] [tenant ID: {owner}] has been updated",
    ),
    "CreateRepository": Event(0, INFO, "Repository {name} [{id}] has been created"),
    "EditRepository": Event(0, INFO, "Repository {name} [{id}] has been modified"),
    "DeleteRepository": Event(0, WARNING, "Repository {name} has been deleted"),
    "CreateBackupServer": Event(0, INFO, "Backup server {name} [{id}] has been connected"),
    "EditBackupServer": Event(0, INFO, "Backup server {name} [{id}] has been modified"),
    "DeleteBackupServer": Event(0, WARNING, "Backup server {name} has been disconnected"),
    "CreateManagedServer": Event(0, INFO, "Managed server {name} [{id}] has been added"),
    "JoinManagedServer": Event(0, INFO, "Managed server {name} [{id}] has joined"),
    "RenewJoinToken": Event(0, INFO, "Managed server {name} [{id}] has a new join token"),
    "RevokeManagedServer": Event(0, WARNING, "The credential of {name} [{id}] has been revoked"),
    "ReadmitManagedServer": Event(0, WARNING, "Managed server {name} [{id}] has been let in again"),
    "RefuseManagedServer": Event(0, WARNING, "The machine that speaks as {name} was refused"),
    "RefuseJoin": Event(0, WARNING, "A machine that wanted to join was refused: {name}"),
    "RefuseUnknownHost": Event(0, WARNING, "A machine without a good credential spoke: {name}"),
    "DeleteManagedServer": Event(0, WARNING, "Managed server {name} has been removed"),
    "CreateCloudCertificate": Event(24180, INFO, "Cloud Connect certificate is being updated"),
    "DeleteCloudCertificate": Event(24180, WARNING, "Cloud Connect certificate is being updated"),
    "OrderCloudCertificate": Event(24180, INFO, "Cloud Connect certificate is being updated"),
    "RenewCloudCertificate": Event(24180, INFO, "Cloud Connect certificate is being updated"),
    "DeleteCloudGatewayTunnel": Event(0, WARNING, "A tunnel of {name} has been closed"),
    "CreateNotificationReceiver": Event(
        0, INFO, "Notification receiver {name} [{id}] has been created"
    ),
    "EditNotificationReceiver": Event(
        0, INFO, "Notification receiver {name} [{id}] has been modified"
    ),
    "DeleteNotificationReceiver": Event(
        0, WARNING, "Notification receiver {name} has been deleted"
    ),
    "BeginMaintenance": Event(0, WARNING, "Maintenance has begun, or is told in other words"),
    "EndMaintenance": Event(0, INFO, "Maintenance is over"),
    "CreateCredentials": Event(0, INFO, "Credentials {name} [{id}] have been created"),
    "EditCredentials": Event(0, INFO, "Credentials {name} [{id}] have been modified"),
    "DeleteCredentials": Event(0, WARNING, "Credentials {name} have been deleted"),
    "CreatePassword": Event(0, INFO, "Password {name} [{id}] has been created"),
    "EditPassword": Event(0, INFO, "Password {name} [{id}] has been modified"),
    "DeletePassword": Event(0, WARNING, "Password {name} has been deleted"),
    "CreateAccount": Event(0, INFO, "Account {name} [{id}] has been created"),
    "EditAccount": Event(0, INFO, "Account {name} [{id}] has been modified"),
    "DeleteAccount": Event(0, WARNING, "Account {name} has been deleted"),
    "ChangePassword": Event(0, INFO, "The password of the account {name} has been changed"),
    "AddAccountRole": Event(0, INFO, "Account {name} [{id}] has got a role"),
    "DeleteAccountRole": Event(0, WARNING, "Account {name} [{id}] has lost a role"),
    "LinkAccount": Event(0, WARNING, "Account {name} [{id}] belongs to a person of a provider"),
    "UnlinkAccount": Event(0, INFO, "Account {name} [{id}] belongs to nobody of a provider"),
    "AddPasskey": Event(0, INFO, "Account {name} [{id}] has another passkey"),
    "RemovePasskey": Event(0, WARNING, "Account {name} [{id}] has lost a passkey"),
    "SetSecondFactor": Event(0, INFO, "Account {name} [{id}] has a second factor"),
    "RemoveSecondFactor": Event(0, WARNING, "Account {name} [{id}] has no second factor any more"),
    "RequireSecondFactor": Event(0, WARNING, "Whether {name} needs a second factor has changed"),
    "CreateApiToken": Event(0, INFO, "API token {name} [{id}] has been created"),
    "RevokeApiToken": Event(0, WARNING, "API token {name} [{id}] has been revoked"),
    "RefuseApiToken": Event(0, WARNING, "An API token was refused: {name}"),
    "LogOn": Event(0, INFO, "{name} has logged on"),
    "LogOff": Event(0, INFO, "{name} has logged off"),
    "LogOnCloudTenant": Event(0, INFO, "{name} has logged on to the portal"),
    "LogOffCloudTenant": Event(0, INFO, "{name} has logged off from the portal"),
    "GuessTenantPassword": Event(0, WARNING, "Wrong passwords of {name} were tried at a gateway"),
    "RotateCloudTenantPassword": Event(
        0, INFO, "Cloud Connect tenant {name} [{id}] has got a new password"
    ),
    "ChangeOwnCloudTenantPassword": Event(
        0, INFO, "Cloud Connect tenant {name} has changed its own password"
    ),
    "ChangeOwnCloudSubtenantPassword": Event(
        0, INFO, "Cloud Connect subtenant {name} [tenant ID: {owner}] has changed its own password"
    ),
    "EndOldCloudTenantPassword": Event(
        0, INFO, "The old password of the tenant {name} [{id}] is good no more"
    ),
    "RotateCloudSubtenantPassword": Event(
        0, INFO, "Cloud Connect subtenant {name} [{id}] [tenant ID: {owner}] has got a new password"
    ),
    "EndOldCloudSubtenantPassword": Event(
        0, INFO, "The old password of {name} [{id}] [tenant ID: {owner}] is good no more"
    ),
    "IssueCloudTenantCertificate": Event(
        0, INFO, "{name} [tenant ID: {owner}] has got a certificate [{id}]"
    ),
    "IssueOwnCloudTenantCertificate": Event(
        0, INFO, "{name} [tenant ID: {owner}] has got a certificate [{id}] by its password"
    ),
    "RenewCloudTenantCertificate": Event(
        0, INFO, "{name} [tenant ID: {owner}] has renewed its certificate; the new one is [{id}]"
    ),
    "RevokeCloudTenantCertificate": Event(
        0, WARNING, "A certificate of {name} [{id}] [tenant ID: {owner}] has been revoked"
    ),
    "ConfirmBackupProtection": Event(0, INFO, "Repository {name} keeps deleted backups"),
    "LoseBackupProtection": Event(
        0, WARNING, "Repository {name} may not keep deleted backups any more"
    ),
    "ReachQuotaLevel": Event(
        0, WARNING, "The quota {name} [tenant ID: {owner}] is used up to a level of warning"
    ),
    "ReachEgressLevel": Event(
        0, WARNING, "The egress quota of {name} [{id}] is used up to a level of warning"
    ),
    "RefuseTenantNetwork": Event(
        0, WARNING, "{name} came to a gateway from outside of its networks"
    ),
    "RemoveOldAuditEvents": Event(0, INFO, "Old entries of the audit log have been removed"),
    "SealAuditLog": Event(0, WARNING, "The audit log's chain has been sealed for the first time"),
    "DenyAccess": Event(0, WARNING, "Access denied: {name}"),
}
"""By the operation's name in the API, or one made in its style."""


def event_of(change: Change) -> Event:
    """How a change is told; disabling a tenant has an event of its own."""
    operation = change.operation
    if operation == "EditCloudTenant" and change.before and change.after:
        was, is_now = change.before.get("Enabled"), change.after.get("Enabled")
        if was and not is_now:
            operation = "DisableCloudTenant"
    return EVENTS[operation]


def differences(change: Change) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Before and after, each with what differs only; whole where one side is missing."""
    if change.before is None or change.after is None:
        return _copied(change.before), _copied(change.after)
    names = [
        name
        for name in {**change.before, **change.after}
        if change.before.get(name) != change.after.get(name)
    ]
    return (
        {name: change.before.get(name) for name in names},
        {name: change.after.get(name) for name in names},
    )


def _copied(document: Document | None) -> dict[str, Any] | None:
    return None if document is None else dict(document)
