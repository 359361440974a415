"""Tenant directory: which tenants does this gateway know, from disk and without the manager?"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import structlog

from cloudgate.host.state.files import read_or_backup, write_mirrored, write_with_backup
from cloudgate.host.state.principal import Principal, tenant_key
from cloudgate.host.state.withdrawal import left_of_all, without_rights
from cloudgate.host.state.withdrawal_journal import TooLongError, WithdrawalJournal
from cloudgate.protocol import DirectoryChange, Tenant, User
from cloudgate.values import login_names

_ENTRY = "directory"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Tenants:
    """All tenants at one revision."""

    revision: int = 0
    by_id: dict[UUID, Tenant] = field(default_factory=dict)
    by_name: dict[str, Tenant] = field(default_factory=dict)

    def after(self, change: DirectoryChange) -> "Tenants | None":
        """The tenants after `change`; None when it starts from another revision than this."""
        if change.from_revision == 0:
            return _tenants(change.revision, change.tenants)
        if change.from_revision != self.revision:
            return None
        by_id = dict(self.by_id)
        for tenant_id in change.removed:
            by_id.pop(tenant_id, None)
        by_id.update((tenant.tenant_id, tenant) for tenant in change.tenants)
        return _tenants(change.revision, by_id.values())

    def whole(self) -> DirectoryChange:
        """The change that makes these tenants out of nothing."""
        return DirectoryChange(
            from_revision=0, revision=self.revision, tenants=tuple(self.by_id.values())
        )


class TenantDirectory:
    """The tenants in force on this gateway.

    What takes a right away holds at once. What gives one waits until it is on disk, so that a
    restart finds it.
    """

    def __init__(self, path: Path, journal: WithdrawalJournal | None = None) -> None:
        """`journal` takes what the disk does not."""
        self._path = path
        self._journal = journal
        self._written = _read(path)
        self._known = self._written
        """As the manager knows them at the revision that is told it."""
        self._told = self._written
        """As last heard."""
        self._tenants = self._written
        self.is_certain = journal is None or journal.is_certain
        """Whether all is known that was taken away. While it is not, nobody is to be let in."""
        self.problem: OSError | None = None
        """Why what was heard last is not on disk."""
        self._forgets = False
        """Whether what is on disk has secrets that what was heard last has not."""
        self._recall()

    @property
    def revision(self) -> int:
        """Of the tenants in force; 0 when nothing is known yet, or not for certain."""
        return self._known.revision if self.is_certain else 0

    def contribution(self) -> dict[str, object]:
        """Its members of the `Report`."""
        return {"directory_revision": self.revision}

    @property
    def is_behind(self) -> bool:
        """Whether something that was given waits for the disk."""
        return self._known is not self._told

    def find(self, name: str) -> Principal | None:
        """Who is called `name`, however it is spelled: a tenant, or a user of it."""
        whose, user_name = login_names.read(name)
        tenant = self._tenants.by_name.get(tenant_key(whose))
        if tenant is None or user_name is None:
            return Principal(tenant) if tenant else None
        key = tenant_key(user_name)
        found = (Principal(tenant, user) for user in tenant.users if tenant_key(user.name) == key)
        return next(found, None)

    def by_id(self, tenant_id: UUID) -> Tenant | None:
        """The tenant with that id."""
        return self._tenants.by_id.get(tenant_id)

    def knows(self, tenant_id: UUID) -> bool:
        """Whether that tenant may still be one; of none before any was heard of, all may."""
        return not self.revision or tenant_id in self._tenants.by_id

    def apply(self, change: DirectoryChange) -> None:
        """Take a change over, at once as far as it takes rights away.

        One that does not fit is left alone: the next poll says what is known, and the manager
        answers with what is missing.
        """
        after = self._known.after(change)
        if after is None:
            _log.warning(
                "directory change does not fit",
                from_revision=change.from_revision,
                known_revision=self.revision,
            )
            return
        if _secrets(self._written, change) - _secrets(after, change):
            self._forgets = True
        self._told = after
        self.is_certain = self.is_certain or change.from_revision == 0
        self.keep()
        _log.info("directory changed", revision=self.revision, tenants=len(self._tenants.by_id))

    def keep(self) -> None:
        """Write down what was heard last, if it is not; `problem` says how that went."""
        self._keep_told()
        is_on_disk = self._told is self._written
        if self._journal is not None and self.is_certain and is_on_disk:
            # Where there is no room for that, the next start is not certain yet.
            with suppress(OSError):  # ENOSPC, EDQUOT, EROFS, EIO
                self._journal.note_certain()

    def _keep_told(self) -> None:
        told = self._told
        if told is self._written:
            return
        # What this gateway need not know any more is not to be left in the file of before.
        write = write_mirrored if self._forgets else write_with_backup
        try:
            write(self._path, told.whole().model_dump_json())
        except OSError as error:
            self.problem = error
            self._withdraw(told)
        else:
            self.problem, self._forgets = None, False
            self._written = self._known = self._tenants = told
            self._note(None)

    def _withdraw(self, told: Tenants) -> None:
        """Have in force what was taken away, and let the rest wait."""
        left = left_of_all(self._written.by_id, told.by_id)
        is_all = left == told.by_id
        self._known = told if is_all else self._written
        self._tenants = told if is_all else _tenants(self._written.revision, left.values())
        before = self._written.by_id
        removed = [str(each) for each in before if each not in left]
        changed = [each for each in left.values() if each != before[each.tenant_id]]
        base: dict[str, object] = {"base": self._written.revision}
        whole = [each.model_dump(mode="json") for each in changed]
        ids = [str(each.tenant_id) for each in changed]
        revision = self._known.revision
        # What does not fit is kept as less: that these have no rights, or that nobody knows.
        entries: tuple[dict[str, object], ...] = (
            {**base, "revision": revision, "removed": removed, "changed": whole},
            {**base, "revision": base["base"], "removed": removed, "barred": ids},
            {**base, "is_uncertain": True},
        )
        any(self._note(entry) for entry in entries)

    def _note(self, entry: dict[str, object] | None) -> bool:
        """Whether the journal has room for it, or takes nothing at all."""
        if self._journal is None:
            return True
        try:
            self._journal.put(_ENTRY, entry)
        except TooLongError:
            return False
        except OSError as error:
            self.problem = error
        return True

    def _recall(self) -> None:
        """Know what was taken away while the disk took nothing."""
        entry = self._journal.get(_ENTRY) if self._journal else None
        if entry is None or entry["base"] != self._written.revision:
            return
        if "is_uncertain" in entry:
            self.is_certain = False
            return
        left = dict(self._written.by_id)
        for each in entry["removed"]:
            left.pop(UUID(each), None)
        for each in entry.get("barred", ()):
            left[UUID(each)] = without_rights(left[UUID(each)])
        for each in entry.get("changed", ()):
            tenant = Tenant.model_validate(each)
            left[tenant.tenant_id] = tenant
        self._tenants = _tenants(entry["revision"], left.values())
        if entry["revision"] != self._written.revision:
            self._known = self._told = self._tenants


def _secrets(tenants: Tenants, change: DirectoryChange) -> set[str]:
    """What is known of those whom a change is about, and is nobody else's business."""
    ids = [*(each.tenant_id for each in change.tenants), *change.removed]
    about = tenants.by_id if change.from_revision == 0 else dict.fromkeys(ids)
    known = [tenants.by_id[each] for each in about if each in tenants.by_id]
    people: list[Tenant | User] = [*known, *(user for each in known for user in each.users)]
    return {
        secret
        for who in people
        for secret in (
            who.password_hash,
            who.old_password_hash,
            *(f"{who.name} {each.endpoint} {each.address}" for each in who.targets),
        )
        if secret
    }


def _tenants(revision: int, tenants: Iterable[Tenant]) -> Tenants:
    by_id = {tenant.tenant_id: tenant for tenant in tenants}
    return Tenants(revision, by_id, {tenant_key(each.name): each for each in by_id.values()})


def _read(path: Path) -> Tenants:
    change = read_or_backup(path, DirectoryChange.model_validate_json)
    return _tenants(change.revision, change.tenants) if change else Tenants()
