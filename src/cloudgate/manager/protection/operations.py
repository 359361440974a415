"""Protection operations: which repositories are to be looked at, and what comes of it?

What is no longer so is warned about. No tenant is ever changed by it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import exists, func, select

from cloudgate.errors import CloudgateError, InvalidRequestError
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.protection import rules
from cloudgate.manager.protection.rules import Protection, ProtectionFinding, ProtectionRecord
from cloudgate.manager.storage.tables import CloudTenant, Repository, TenantResource
from cloudgate.manager.storage.tenant_rows import ShownTenant
from cloudgate.manager.storage_services.service_passwords import ServicePassword, check_may_be_named
from cloudgate.values.enumeration import few
from cloudgate.values.timestamps import has_come

NEWS = UUID("0d8a5a4e-5a0c-4b43-9a6d-0f3c8de1c2a7")
"""The key of the wakeup that comes when there is something new to look at."""
_PASSWORD = ServicePassword("BackupProtection", "sealed_protection_password")
_LOOKED_AT = select(Repository).where(Repository.protection.is_not(None)).order_by(Repository.name)
CONFIRMED = Event("ConfirmBackupProtection", "Repository {name} keeps deleted backups")
LOST = Event(
    "LoseBackupProtection", "Repository {name} may not keep deleted backups any more", WARNING
)


@dataclass(frozen=True)
class ProtectionChange:
    """A protection as it is asked for."""

    protection: Protection | None
    """None to have none any more."""
    password: str | None = None
    """None to keep the one that is known."""


@dataclass(frozen=True)
class DueCheck:
    """A repository that is to be looked at."""

    repository_id: UUID
    name: str
    services: tuple[str, ...]
    """Where tenants reach it."""
    protection: Protection
    sealed_password: str = field(repr=False)
    """As it is kept: another one has been given when it differs."""
    password: str = field(default="", repr=False)
    problem: str = ""
    """Why it cannot be looked at; empty when it can."""


def protection_of(repository: Repository) -> Protection | None:
    """How a repository keeps what is deleted; None where nobody has said."""
    return rules.from_document(repository.protection) if repository.protection else None


def known_of(repository: Repository) -> ProtectionRecord | None:
    """What is known of that; None before the first look."""
    if not repository.protection or not repository.protection_known:
        return None
    return rules.known_from_document(repository.protection_known)


def set_protection(work: UnitOfWork, repository: Repository, change: ProtectionChange) -> None:
    """Have a repository looked at in this way from now on, and at once; or not any more.

    Raises:
        InvalidRequestError: it cannot be looked at so.
    """
    before = protection_of(repository)
    if change.protection is None:
        repository.protection, repository.protection_known = None, None
        repository.sealed_protection_password = ""
        return
    password = change.password or _PASSWORD.known(work, repository, before, change.protection)
    protection = rules.check(change.protection, password, _services(repository))
    if before is None or before.place != protection.place:
        if protection.url:
            check_may_be_named(work, protection.url)
        protection = replace(protection, named_by_administrator=work.administers)
        repository.protection_known = None
    else:
        protection = replace(protection, named_by_administrator=before.named_by_administrator)
    repository.protection = protection.as_document()
    _PASSWORD.keep(work, repository, password)
    look_soon(work, repository)


def look_soon(work: UnitOfWork, repository: Repository) -> None:
    """Have a repository looked at now, if anybody has said how."""
    known = known_of(repository)
    if known is not None:
        repository.protection_known = replace(known, due_at=work.now).as_document()
    work.news_for.add(NEWS)


def due(work: UnitOfWork) -> tuple[Sequence[DueCheck], timedelta | None]:
    """What is to be looked at now, and how long until there is more; None for never.

    What nobody has looked at yet comes first: somebody waits for it.
    """
    first, looks, later = [], [], []
    for repository in work.session.scalars(_LOOKED_AT):
        protection, known = protection_of(repository), known_of(repository)
        if protection is None:
            continue
        if known is None:
            first.append(_due_check(work, repository, protection))
        elif has_come(known.due_at, work.now, rules.CHECKED_EVERY):
            looks.append(_due_check(work, repository, protection))
        else:
            later.append(known.due_at - work.now)
    return [*first, *looks], min(later, default=None)


def keep_finding(work: UnitOfWork, look: DueCheck, finding: ProtectionFinding) -> None:
    """Keep what was seen, unless something else is asked for by now."""
    repository = work.session.get(Repository, look.repository_id)
    if (
        repository is None
        or repository.protection != look.protection.as_document()
        or repository.sealed_protection_password != look.sealed_password
    ):
        return
    before = known_of(repository)
    after = rules.record_after(before, finding, work.now)
    repository.protection_known = after.as_document()
    if after.held != (before is not None and before.held):
        said = {"Warning": after.warning} if after.warning else {"Days": after.days}
        event = CONFIRMED if after.held else LOST
        record(work, change_to(repository, "Repository", event, after=said))


def held_by_repository(work: UnitOfWork) -> Iterator[tuple[str, str, bool]]:
    """Name and site of each repository that is looked at, and whether it keeps what is deleted."""
    for repository in work.session.scalars(_LOOKED_AT):
        known = known_of(repository)
        is_held = known is not None and known.is_held(work.now)
        yield repository.name, repository.backup_server.name, is_held


def warnings_of(work: UnitOfWork, repositories: Iterable[Repository]) -> Mapping[UUID, str]:
    """What there is to say of how they keep what is deleted, by the ids of those with a warning."""
    protected = _protected(work)
    said = {
        each.id: _warning(each, *protected.get(each.id, (0, 0)), work.now) for each in repositories
    }
    return {each: text for each, text in said.items() if text}


def _protected(work: UnitOfWork) -> dict[UUID, tuple[int, int]]:
    """By repositories' ids how many tenants are to be protected there, and for how many days."""
    is_one = CloudTenant.backup_protection_enabled.is_(True)
    if not work.session.scalar(select(exists().where(is_one))):
        return {}  # as in most installations; to find none by the quotas takes ten times as long
    rows = work.session.execute(
        select(
            TenantResource.repository_id,
            func.count(),
            func.max(CloudTenant.backup_protection_period),
        )
        .join(CloudTenant, CloudTenant.id == TenantResource.tenant_id)
        .where(is_one)
        .group_by(TenantResource.repository_id)
    )
    return {each: (tenants, longest) for each, tenants, longest in rows}


def _warning(repository: Repository, tenants: int, longest_days: int, now: datetime) -> str:
    known = known_of(repository)
    if protection_of(repository) is not None and (said := rules.warning(known, now)):
        return said
    if not tenants or (protection_of(repository) is not None and known is None):
        return ""
    why = _why_not(repository, longest_days, now)
    who = "1 tenant is" if tenants == 1 else f"{tenants} tenants are"
    return f"{who} to be protected (BackupProtectionEnabled), and {why}." if why else ""


def warning_of_tenant(tenant: ShownTenant, now: datetime) -> str:
    """What there is to say of a tenant that is to be protected; empty for nothing."""
    reasons = _reasons(tenant, tenant.resources, now)
    said = few((f"Not protected: {each}" for each in reasons), ". ")
    return f"{said}." if said else ""


def check_tenant(tenant: CloudTenant, resources: Sequence[TenantResource], now: datetime) -> None:
    """See that a tenant which is to be protected is, in the repositories of these quotas.

    Raises:
        InvalidRequestError: it would not be, with the reasons.
    """
    reasons = list(_reasons(tenant, resources, now))
    if tenant.backup_protection_enabled and not tenant.resources:
        reasons.append("the tenant has no quota on a repository")
    if reasons:
        raise InvalidRequestError(
            "BackupProtectionEnabled: found true, and nothing would be protected:"
            f" {few(reasons, '; ')}."
        )


def _reasons(
    tenant: ShownTenant, resources: Sequence[TenantResource], now: datetime
) -> Iterator[str]:
    if tenant.backup_protection_enabled:
        found = (
            _why_not(each.repository, tenant.backup_protection_period, now) for each in resources
        )
        yield from filter(None, found)


def _why_not(repository: Repository, period_days: int, now: datetime) -> str:
    protection, known = protection_of(repository), known_of(repository)
    return rules.why_not(repository.name, protection, known, period_days, now)


def _due_check(work: UnitOfWork, repository: Repository, protection: Protection) -> DueCheck:
    look = DueCheck(
        repository.id,
        repository.name,
        _services(repository),
        protection,
        repository.sealed_protection_password,
    )
    try:
        return replace(look, password=_PASSWORD.open(work, repository))
    except CloudgateError as problem:
        return replace(look, problem=f"{problem.message} Give the Password again.")


def _services(repository: Repository) -> tuple[str, ...]:
    return repository.endpoint, repository.address
