"""Repositories: what does the API say of them, and what may be done?

Adding, editing and removing are extensions: in the original, repositories come from elsewhere.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from cloudgate.api.access import PROVIDERS
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation, down_link, up_to_backup_server
from cloudgate.api.http.router import DONE, Route, Routes, adds, shows_either
from cloudgate.errors import InvalidRequestError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.probes.operations import ProbeChange, probe_of, warnings_of
from cloudgate.manager.probes.rules import DEFAULT_MINUTES, Probe, ProbeMethod
from cloudgate.manager.protection import operations as protections
from cloudgate.manager.protection import rules as protection_rules
from cloudgate.manager.quotas.operations import rules_of
from cloudgate.manager.repositories import operations
from cloudgate.manager.repositories.operations import RepositoryChange
from cloudgate.manager.repositories.space import UNKNOWN, Space, space_of_new, spaces_of
from cloudgate.manager.servers.backup_servers import get_backup_server
from cloudgate.manager.servers.managed_servers import TYPE as MANAGED_SERVER
from cloudgate.manager.storage import tables
from cloudgate.network import hostport
from cloudgate.values.identifiers import parse, uid
from cloudgate.wire.resources.base import EntityRef, EntityReferences
from cloudgate.wire.resources.infrastructure import (
    BackupProtection,
    CreateRepositorySpec,
    Repositories,
    Repository,
    UsageProbe,
)

TYPE = operations.TYPE


ROUTES_OF_SITE = Routes(PROVIDERS)
ROUTES = Routes(PROVIDERS)


def repository_place(root: str, repository: tables.Repository) -> ResourceLocation:
    """Where a repository stands."""
    return ResourceLocation(root, "/repositories", TYPE, repository.id, repository.name)


def unnamed(repository: tables.Repository) -> str:
    """What keeps programs from naming its Endpoint; empty for most."""
    return hostport.unnamed_in_http1(hostport.split(repository.endpoint)[0])


def repository_reference(root: str, repository: tables.Repository) -> EntityRef:
    """The short form of a repository."""
    place = repository_place(root, repository)
    return place.reference(up_to_backup_server(root, repository.backup_server), place.to_entity())


def repository_entities(
    work: UnitOfWork, root: str, found: Sequence[tables.Repository]
) -> tuple[Repository, ...]:
    """Repositories with how large they are, and what there is to say of measuring them."""
    spaces, warnings = spaces_of(work, found), warnings_of(work, found)
    return tuple(
        _entity(work.now, root, each, spaces.get(each.id, UNKNOWN), warnings.get(each.id, ""))
        for each in found
    )


def _entity(
    now: datetime, root: str, repository: tables.Repository, space: Space, warning: str
) -> Repository:
    """A repository; what nobody knows of its size is left out."""
    place = repository_place(root, repository)
    quotas = rules_of(repository)
    return Repository(
        href=place.entity_href,
        type=place.type,
        links=(
            up_to_backup_server(root, repository.backup_server),
            place.to_reference(),
            down_link(f"{place.href}/backups", "BackupReferenceList"),
            down_link(f"{place.href}/replicas", "ReplicaReferenceList"),
            place.edit(),
            place.delete(),
        ),
        name=place.name,
        uid=place.uid,
        capacity=space.capacity,
        free_space=space.free,
        kind=repository.kind,
        description=repository.description,
        endpoint=repository.endpoint,
        address=repository.address,
        usage_probe=_usage_probe(repository, warning),
        warning=unnamed(repository) or None,
        quota_warning_percents=quotas.warning_percents,
        quota_grace_percent=quotas.grace_percent,
        quota_enforced=quotas.enforced,
        backup_protection=_backup_protection(repository, now),
    )


def _usage_probe(repository: tables.Repository, warning: str) -> UsageProbe | None:
    """How a repository is measured, without the password."""
    probe = probe_of(repository)
    if probe is None:
        return None
    return UsageProbe(
        method=probe.method,
        managed_server_uid=uid(MANAGED_SERVER, UUID(probe.server_id)) if probe.server_id else None,
        path=probe.path or None,
        url=probe.url or None,
        region=probe.region or None,
        bucket=probe.bucket or None,
        prefix=probe.prefix or None,
        username=probe.username or None,
        ca_file=probe.authority_pem or None,
        interval_minutes=probe.interval_minutes,
        warning=warning or None,
    )


def _backup_protection(repository: tables.Repository, now: datetime) -> BackupProtection | None:
    """How a repository keeps what is deleted, and what is known of that, without the password."""
    protection, known = protections.protection_of(repository), protections.known_of(repository)
    if protection is None:
        return None
    return BackupProtection(
        method=protection.method,
        url=protection.url or None,
        region=protection.region or None,
        bucket=protection.bucket or None,
        username=protection.username or None,
        ca_file=protection.authority_pem or None,
        protected=known is not None and known.is_held(now),
        days=known.days if known else None,
        checked_time=known.checked_at if known else None,
        warning=protection_rules.warning(known, now) or None,
    )


@ROUTES.add(
    Route(
        verb="GET",
        path="/repositories",
        cached=True,
        answers=shows_either(EntityReferences, Repositories),
    )
)
def get_repositories(call: Call) -> Answer:
    """All repositories."""
    with call.reading() as work:
        return _listed(work, call, operations.list_repositories(work))


@ROUTES_OF_SITE.add(
    Route(
        verb="GET",
        path="/backupServers/{id}/repositories",
        cached=True,
        answers=shows_either(EntityReferences, Repositories),
    )
)
def get_repositories_of_site(call: Call) -> Answer:
    """The repositories of one backup server."""
    with call.reading() as work:
        site = get_backup_server(work, call.identifier("BackupServer"))
        return _listed(work, call, operations.repositories_of(work, site))


def _listed(work: UnitOfWork, call: Call, found: Sequence[tables.Repository]) -> Answer:
    if call.wants_entity:
        entities = repository_entities(work, call.root, found)
        return Answer(resource=Repositories(repositories=entities))
    references = tuple(repository_reference(call.root, repository) for repository in found)
    return Answer(resource=EntityReferences(refs=references))


@ROUTES.add(
    Route(
        verb="GET",
        path="/repositories/{id}",
        cached=True,
        answers=shows_either(EntityRef, Repository),
    )
)
def get_repository(call: Call) -> Answer:
    """One repository."""
    with call.reading() as work:
        repository = operations.get_repository(work, call.identifier(TYPE))
        if call.wants_entity:
            (entity,) = repository_entities(work, call.root, [repository])
            return Answer(resource=entity, version=str(repository.capacity_bytes))
    return Answer(resource=repository_reference(call.root, repository))


def _change(body: CreateRepositorySpec | Repository) -> RepositoryChange:
    return RepositoryChange(
        name=body.name,
        description=body.description,
        kind=body.kind,
        endpoint=body.endpoint,
        address=body.address,
        capacity_bytes=body.capacity,
        probe=_probe_change(body.usage_probe),
        quota_warning_percents=body.quota_warning_percents,
        quota_grace_percent=body.quota_grace_percent,
        quota_enforced=body.quota_enforced,
        protection=_protection_change(body.backup_protection),
    )


def _protection_change(wanted: BackupProtection | None) -> protections.ProtectionChange | None:
    """It is taken whole, as a usage probe is."""
    if wanted is None:
        return None
    if wanted.method not in tuple(protection_rules.ProtectionMethod):
        return protections.ProtectionChange(None)
    protection = protection_rules.Protection(
        method=protection_rules.ProtectionMethod(wanted.method),
        url=wanted.url or "",
        region=wanted.region or "",
        bucket=wanted.bucket or "",
        username=wanted.username or "",
        authority_pem=(wanted.ca_file or "").strip(),
    )
    return protections.ProtectionChange(protection, wanted.password or None)


def _probe_change(wanted: UsageProbe | None) -> ProbeChange | None:
    """A probe is taken whole; of the password alone, None leaves it as it is."""
    if wanted is None:
        return None
    if wanted.method not in tuple(ProbeMethod):
        return ProbeChange(None)
    server = wanted.managed_server_uid
    probe = Probe(
        method=ProbeMethod(wanted.method),
        server_id=str(parse(server, MANAGED_SERVER)) if server else "",
        path=wanted.path or "",
        url=wanted.url or "",
        region=wanted.region or "",
        bucket=wanted.bucket or "",
        prefix=wanted.prefix or "",
        username=wanted.username or "",
        authority_pem=(wanted.ca_file or "").strip(),
        interval_minutes=wanted.interval_minutes or DEFAULT_MINUTES,
    )
    return ProbeChange(probe, wanted.password or None)


@ROUTES.add(
    Route(
        verb="POST", path="/repositories", answers=adds(Repository), bodies=(CreateRepositorySpec,)
    )
)
def post_repository(call: Call, spec: CreateRepositorySpec) -> Answer:
    """Add a repository."""
    with call.changing() as work:
        repository = operations.create_repository(work, _change(spec), spec.backup_server_uid)
        now = work.now
    place = repository_place(call.root, repository)
    return Answer(
        status=201,
        resource=_entity(now, call.root, repository, space_of_new(repository), ""),
        headers={"Location": place.href},
    )


@ROUTES.add(
    Route(
        verb="PUT",
        path="/repositories/{id}",
        answers=DONE,
        bodies=(Repository, CreateRepositorySpec),
    )
)
def put_repository(call: Call, body: Repository | CreateRepositorySpec) -> Answer:
    """Change a repository: by its entity, or by the spec that it was made with."""
    with call.changing() as work:
        repository = operations.get_repository(work, call.identifier(TYPE))
        if isinstance(body, CreateRepositorySpec) and body.backup_server_uid:
            site = parse(body.backup_server_uid, "BackupServer")
            if site != repository.backup_server_id:
                raise InvalidRequestError(
                    "BackupServerUid: a repository cannot be moved to another backup server."
                )
        operations.edit_repository(work, repository, _change(body))
    return Answer(status=204)


@ROUTES.add(Route(verb="DELETE", path="/repositories/{id}", answers=DONE))
def delete_repository(call: Call) -> Answer:
    """Remove a repository."""
    with call.changing() as work:
        repository = operations.get_repository(work, call.identifier(TYPE))
        operations.delete_repository(work, repository)
    return Answer(status=204)
