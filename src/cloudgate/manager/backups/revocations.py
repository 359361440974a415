"""Revocations since a backup: which rights that were taken away would a restore give back? Pure.

By the entries of the audit log that the backup does not have. What was given back meanwhile, and
what began after the backup and is gone with it, is not named.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Entry = Mapping[str, Any]
"""An entry of the audit log, as outlets get it."""


@dataclass(frozen=True)
class Revocation:
    """A right that somebody took away after a backup was made."""

    at: str
    account: str
    text: str
    """What was done."""
    advice: str
    """What to type for it to be so again."""

    def __str__(self) -> str:
        return f"{self.at}  {self.text}, by {self.account}.\n    Again: {self.advice}"


@dataclass(frozen=True)
class ChangesSince:
    """What the audit log has after a backup."""

    revocations: tuple[Revocation, ...]
    changes: int
    """That were made, all of them."""
    last_at: str
    """Of the last entry; empty when there is none."""


_BY_API = "the same once more by the REST API, docs/api.md"
_REMOVED = {
    "DeleteCloudTenant": "cloudgate tenant delete {name}",
    "DeleteCloudSubtenant": "cloudgate tenant user delete TENANT {name}",
    "DeleteCloudTenantResource": "cloudgate tenant resource delete TENANT RESOURCE",
    "DeleteCloudGateway": "cloudgate gateway delete {name}",
    "DeleteCloudGatewayPool": "cloudgate pool delete {name}",
    "DeleteManagedServer": "cloudgate server revoke {name}, then cloudgate server delete {name}",
    "RevokeManagedServer": "cloudgate server revoke {name}",
    "DeleteRepository": "cloudgate repository delete {name}",
    "DeleteBackupServer": "cloudgate backup-server delete {name}",
    "RevokeCloudTenantCertificate": (
        "cloudgate tenant certificate revoke TENANT ID; one that is not listed is good until it"
        " ends, within 7 days: disable {name} for so long"
    ),
    "DeleteCloudCertificate": "cloudgate certificate delete {name}",
    "DeleteAccount": "cloudgate account delete {name}",
    "DeleteAccountRole": _BY_API,
    "DeleteCredentials": _BY_API,
    "DeletePassword": _BY_API,
    "ChangePassword": "cloudgate account password {name}",
    "EditCredentials": _BY_API,
    "EditPassword": _BY_API,
}
"""By what an entry calls the change: how to do it again."""
_BACK = {"JoinManagedServer": "RevokeManagedServer", "ReadmitManagedServer": "RevokeManagedServer"}
"""What gives back what was taken."""
_NO_CHANGES = {"LogOn", "LogOff", "GuessTenantPassword", "DenyAccess", "SealAuditLog"}
_BEGINS = ("Create", "Add")
_HARMLESS = {"Enabled", "Password", "Description", "Name"}


def revocations_among(entries: Iterable[Entry], after_number: int) -> ChangesSince:
    """What there is to decide on after a restore. The backup has entries up to that number."""
    found: dict[tuple[str, str], Revocation] = {}
    begun: set[str] = set()
    changes, last_at = 0, ""
    for entry in entries:
        if int(entry["number"]) <= after_number:
            continue
        last_at = str(entry["at"])
        operation = str(entry["operation"])
        if not entry["success"] or operation in _NO_CHANGES:
            continue
        changes += 1
        thing = str(entry["object_id"] or entry["object_name"])
        if operation.startswith(_BEGINS) and not operation.startswith("AddAccountRole"):
            begun.add(thing)
        elif thing not in begun:
            _note(found, thing, entry)
    return ChangesSince(tuple(sorted(found.values(), key=lambda each: each.at)), changes, last_at)


def _note(found: dict[tuple[str, str], Revocation], thing: str, entry: Entry) -> None:
    operation, name = str(entry["operation"]), str(entry["object_name"])
    if undone := _BACK.get(operation):
        found.pop((thing, undone), None)
        return
    if (advice := _REMOVED.get(operation)) is not None:
        for kind in [kind for each, kind in found if each == thing]:
            del found[thing, kind]  # what was taken before does not matter any more
        found[thing, operation] = _of(entry, str(entry["text"]), advice.format(name=name))
        return
    before, after = entry["before"] or {}, entry["after"] or {}
    if after.get("Enabled") is True:
        found.pop((thing, "Enabled"), None)
    for kind, text, again in _taken(operation, name, before, after):
        found[thing, kind] = _of(entry, text, again)


def _taken(
    operation: str, name: str, before: Entry, after: Entry
) -> Iterator[tuple[str, str, str]]:
    """Of an edit: what it took away, in words, and how to do it again."""
    what, edit = _KINDS.get(operation, (f"{operation} of {{name}}", ""))
    what, edit = what.format(name=name), edit.format(name=name)
    if before.get("Enabled") is not False and after.get("Enabled") is False:
        yield "Enabled", f"{what}: disabled", f"{edit} --disable" if edit else _BY_API
    if "Password" in after:
        again = f"{edit} --password-file FILE" if edit else _BY_API
        yield "Password", f"{what}: another password", again
    others = sorted(set(after) - _HARMLESS)
    if others and operation.startswith(("Edit", "Update")) and operation != "EditCloudGateway":
        values = ", ".join(
            f"{each} from {before.get(each)!r} to {after[each]!r}" for each in others
        )
        yield f"others {others}", f"{what}: {values}", f"{edit} …" if edit else _BY_API


_TENANT = ("Tenant {name}", "cloudgate tenant edit {name}")
_KINDS = {
    "EditCloudTenant": _TENANT,
    "EditCloudSubtenant": ("Tenant's user {name}", "cloudgate tenant user edit TENANT {name}"),
    "EditCloudGateway": ("Gateway {name}", "cloudgate gateway edit {name}"),
    "UpdateCloudGatewayPool": ("Gateway pool {name}", "cloudgate pool edit {name}"),
    "EditRepository": ("Repository {name}", "cloudgate repository edit {name}"),
    "EditBackupServer": ("Backup server {name}", "cloudgate backup-server edit {name}"),
    "EditAccount": ("Account {name}", ""),
}


def _of(entry: Entry, text: str, advice: str) -> Revocation:
    account = str(entry["account"]) or "the manager itself"
    return Revocation(str(entry["at"]), account, text, advice)
