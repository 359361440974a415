"""Repository operations: how are repositories added, found, edited and removed?"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from cloudgate.errors import InvalidRequestError
from cloudgate.manager import naming
from cloudgate.manager.audit.events import NEW_PASSWORD, WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.probes.operations import ProbeChange, probe_of, set_probe
from cloudgate.manager.protection import operations as protections
from cloudgate.manager.quotas import rules as quota_rules
from cloudgate.manager.quotas.operations import rules_of
from cloudgate.manager.quotas.rules import QuotaRules
from cloudgate.manager.repositories import rules
from cloudgate.manager.repositories.space import UNKNOWN, spaces_of
from cloudgate.manager.servers.backup_servers import choose_backup_server
from cloudgate.manager.storage.tables import BackupServer, CloudTenant, Repository, TenantResource
from cloudgate.network import hostport
from cloudgate.values import precis
from cloudgate.values.enumeration import MOST, few

TYPE = "Repository"
CREATED = Event("CreateRepository", "Repository {name} [{id}] has been created")
EDITED = Event("EditRepository", "Repository {name} [{id}] has been modified")
DELETED = Event("DeleteRepository", "Repository {name} has been deleted", WARNING)


@dataclass(frozen=True, kw_only=True)
class RepositoryChange:
    """What is wanted of a repository; None leaves it as it is, or takes the default."""

    name: str | None = None
    description: str | None = None
    kind: str | None = None
    endpoint: str | None = None
    address: str | None = None
    capacity_bytes: int | None = None
    """As stated; 0 for not stated any more."""
    probe: ProbeChange | None = None
    protection: protections.ProtectionChange | None = None
    quota_warning_percents: Sequence[int] | None = None
    quota_grace_percent: int | None = None
    quota_enforced: bool | None = None


def list_repositories(work: UnitOfWork) -> Sequence[Repository]:
    """All repositories by name."""
    return work.session.scalars(select(Repository).order_by(Repository.name)).all()


def count_repositories(work: UnitOfWork) -> int:
    """How many there are."""
    return work.session.scalar(select(func.count()).select_from(Repository)) or 0


def repositories_of(work: UnitOfWork, site: BackupServer) -> Sequence[Repository]:
    """A site's repositories by name."""
    return work.session.scalars(
        select(Repository).where(Repository.backup_server_id == site.id).order_by(Repository.name)
    ).all()


def get_repository(work: UnitOfWork, identifier: UUID) -> Repository:
    """A repository by its id.

    Raises:
        NotFoundError: there is none.
    """
    return work.get(Repository, identifier, "repository")


def create_repository(
    work: UnitOfWork, wanted: RepositoryChange, backup_server_uid: str | None
) -> Repository:
    """Add a repository to a site.

    Raises:
        InvalidRequestError: an address is malformed, the name or Endpoint is taken, or the usage
            probe or the protection cannot be used.
        NotFoundError: the backup server is unknown.
    """
    site = choose_backup_server(work, None, backup_server_uid)
    endpoint = rules.service(wanted.endpoint or "", "Endpoint")
    repository = Repository(
        backup_server_id=site.id,
        backup_server=site,
        name=naming.printable(wanted.name or "", "Name"),
        description=wanted.description or "",
        kind=wanted.kind or rules.DEFAULT_KIND,
        endpoint=endpoint,
        address=rules.service(wanted.address, "Address") if wanted.address else endpoint,
        capacity_bytes=wanted.capacity_bytes or None,
    )
    _check_is_unique(work, repository)
    _check_address(work, repository)
    _set_quota_rules(repository, wanted)
    work.session.add(repository)
    work.session.flush()
    if wanted.probe is not None:
        set_probe(work, repository, wanted.probe)
    if wanted.protection is not None:
        protections.set_protection(work, repository, wanted.protection)
    record(work, change_to(repository, TYPE, CREATED, after=_documented(repository)))
    return repository


def edit_repository(work: UnitOfWork, repository: Repository, change: RepositoryChange) -> None:
    """Change a repository; its tenants reach the new address with their next tunnel.

    Raises:
        InvalidRequestError: an address is malformed, the name or Endpoint is taken, or the usage
            probe or the protection cannot be used.
    """
    before = _documented(repository)
    repository.name = (
        naming.printable(change.name or "", "Name", repository.name) or repository.name
    )
    repository.kind = change.kind or repository.kind
    if change.description is not None:
        repository.description = change.description
    _move(work, repository, change)
    _set_quota_rules(repository, change)
    if change.capacity_bytes is not None:
        _state_capacity(work, repository, change.capacity_bytes)
    with work.session.no_autoflush:
        _check_is_unique(work, repository)
    if change.probe is not None:
        set_probe(work, repository, change.probe)
    if change.protection is not None:
        protections.set_protection(work, repository, change.protection)
    after = _documented(repository)
    if any(each is not None and each.password for each in (change.probe, change.protection)):
        after.update(NEW_PASSWORD)
    if any(after[name] != before[name] for name in _SERVICES):
        protections.look_soon(work, repository)
    if any(after[name] != before[name] for name in _TOLD):
        _republish_tenants(work, repository)
    record(work, change_to(repository, TYPE, EDITED, before=before, after=after))


_SERVICES = ("Endpoint", "Address")
_TOLD = (*_SERVICES, *QuotaRules().documented)
"""What gateways know of a repository, or what follows from it."""


def _set_quota_rules(repository: Repository, wanted: RepositoryChange) -> None:
    known = rules_of(repository)
    levels = wanted.quota_warning_percents
    said: dict[str, Any] = {
        "warning_percents": None if levels is None else quota_rules.levels(tuple(levels)),
        "grace_percent": wanted.quota_grace_percent,
        "enforced": wanted.quota_enforced,
    }
    changed = {name: value for name, value in said.items() if value is not None}
    if changed:
        repository.quota_rules = replace(known, **changed).as_document()


def _move(work: UnitOfWork, repository: Repository, change: RepositoryChange) -> None:
    """What is there stays as it is, also if it could not be made any more."""
    before = repository.address
    followed = before == repository.endpoint
    if change.endpoint and change.endpoint != repository.endpoint:
        repository.endpoint = rules.service(change.endpoint, "Endpoint")
    if change.address:
        if change.address != before:
            repository.address = rules.service(change.address, "Address")
    elif followed:
        repository.address = repository.endpoint
    if repository.address != before:
        _check_address(work, repository)


def _check_address(work: UnitOfWork, repository: Repository) -> None:
    """See whether who is asking may have gateways connect there."""
    host, _ = hostport.split(repository.address)
    work.reachable.check_host(host, "Address", administers=work.administers)


def _state_capacity(work: UnitOfWork, repository: Repository, capacity_bytes: int) -> None:
    """What is shown, sent back, states nothing: it may have been measured."""
    shown = spaces_of(work, [repository]).get(repository.id, UNKNOWN).capacity
    if capacity_bytes != shown:
        repository.capacity_bytes = capacity_bytes or None


def delete_repository(work: UnitOfWork, repository: Repository) -> None:
    """Remove a repository.

    Raises:
        InvalidRequestError: tenants have quotas on it.
    """
    names = work.session.scalars(
        select(CloudTenant.name)
        .join(TenantResource, TenantResource.tenant_id == CloudTenant.id)
        .where(TenantResource.repository_id == repository.id)
        .order_by(CloudTenant.name)
        .limit(MOST)
    ).all()
    if names:
        count = work.session.scalar(
            select(func.count()).where(TenantResource.repository_id == repository.id)
        )
        raise InvalidRequestError(
            f"The repository {repository.name} is in use: {count} quota(s), of"
            f" {few(names, total=count)}. Remove these first."
        )
    record(work, change_to(repository, TYPE, DELETED, before=_documented(repository)))
    work.session.delete(repository)


def _documented(repository: Repository) -> dict[str, Any]:
    probe, protection = probe_of(repository), protections.protection_of(repository)
    return {
        "Name": repository.name,
        "Description": repository.description,
        "Kind": repository.kind,
        "Endpoint": repository.endpoint,
        "Address": repository.address,
        "Capacity": repository.capacity_bytes,
        "UsageProbe": probe.as_document() if probe else None,
        "BackupProtection": protection.as_document() if protection else None,
        **rules_of(repository).documented,
    }


def _check_is_unique(work: UnitOfWork, repository: Repository) -> None:
    # As plain rows: there may be many, each time.
    others = work.session.connection().execute(
        select(Repository.name, Repository.endpoint).where(
            Repository.backup_server_id == repository.backup_server_id,
            Repository.id != repository.id,
        )
    )
    name, endpoint = _identity(repository.name, repository.endpoint)
    for other_name, other_endpoint in others:
        taken_name, taken_endpoint = _identity(other_name, other_endpoint)
        if taken_name == name:
            raise InvalidRequestError(f"A repository named {other_name} is there already.")
        if taken_endpoint == endpoint:
            raise InvalidRequestError(
                f"Endpoint {repository.endpoint} is the one of {other_name} already; tenants could"
                " not tell the two apart."
            )


@lru_cache(4096)
def _identity(name: str, endpoint: str) -> tuple[str, str]:
    """What no two repositories of a site have alike: what the name and the Endpoint come to."""
    return precis.key(name), hostport.known_as(endpoint)


def _republish_tenants(work: UnitOfWork, repository: Repository) -> None:
    there = select(TenantResource.tenant_id).where(TenantResource.repository_id == repository.id)
    revision = work.next_directory_revision()
    work.touch_tenants(repository.backup_server_id, CloudTenant.id.in_(there), revision)
