"""Which tenants does this gateway know? It keeps them on disk and needs nobody to start."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import structlog

from cloudgate.assignment import DirectoryChange, Tenant, User
from cloudgate.gateway.decision import Login, tenant_key
from cloudgate.gateway.files import read_good, write_kept, write_twice

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


class Directory:
    """The tenants in force, the same on disk as in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tenants = _read(path)

    @property
    def revision(self) -> int:
        """Of the tenants in force; 0 when nothing is known yet."""
        return self._tenants.revision

    def find(self, name: str) -> Login | None:
        r"""Who is called `name`, however it is spelled: a tenant, or ``TENANT\USER``.

        Neither character is possible in a tenant's name; a slash is taken too, because a
        backslash is hard to write in a URL.
        """
        whose, slash, user_name = name.replace("/", "\\").partition("\\")
        tenant = self._tenants.by_name.get(tenant_key(whose))
        if tenant is None or not slash:
            return Login(tenant) if tenant else None
        key = tenant_key(user_name)
        found = (Login(tenant, user) for user in tenant.users if tenant_key(user.name) == key)
        return next(found, None)

    def by_id(self, tenant_id: UUID) -> Tenant | None:
        """The tenant with that id."""
        return self._tenants.by_id.get(tenant_id)

    def knows(self, tenant_id: UUID) -> bool:
        """Whether that tenant may still be one; of none before any was heard of, all may."""
        return not self.revision or tenant_id in self._tenants.by_id

    def apply(self, change: DirectoryChange) -> None:
        """Take a change over, first to disk, then for the next request.

        One that does not fit is left alone: the next poll says what is known, and the manager
        answers with what is missing.
        """
        after = self._tenants.after(change)
        if after is None:
            _log.warning(
                "directory change does not fit",
                from_revision=change.from_revision,
                known_revision=self.revision,
            )
            return
        # What this gateway need not know any more is not to be left in the file of before.
        write = (
            write_twice if _secrets(self._tenants, change) - _secrets(after, change) else write_kept
        )
        write(self._path, after.whole().model_dump_json())
        self._tenants = after
        _log.info("directory changed", revision=self.revision, tenants=len(after.by_id))


def _secrets(tenants: Tenants, change: DirectoryChange) -> set[str]:
    """What is known of those whom a change is about, and is nobody else's business."""
    ids = [*(each.tenant_id for each in change.tenants), *change.removed]
    about = tenants.by_id if change.from_revision == 0 else dict.fromkeys(ids)
    known = [tenants.by_id[each] for each in about if each in tenants.by_id]
    people: list[Tenant | User] = [*known, *(user for each in known for user in each.users)]
    return {
        secret
        for who in people
        for secret in (who.password_hash, *(f"{who.name} {each}" for each in who.targets))
        if secret
    }


def _tenants(revision: int, tenants: Iterable[Tenant]) -> Tenants:
    by_id = {tenant.tenant_id: tenant for tenant in tenants}
    return Tenants(revision, by_id, {tenant_key(each.name): each for each in by_id.values()})


def _read(path: Path) -> Tenants:
    change = read_good(path, DirectoryChange.model_validate_json)
    return _tenants(change.revision, change.tenants) if change else Tenants()
