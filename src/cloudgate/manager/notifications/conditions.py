"""Conditions: what is so right now that somebody should know? By what status and alerts say."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Float, Select, cast, select
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from cloudgate.manager.certificates.warnings import endings
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.fault_isolation import each_alone
from cloudgate.manager.gateways import operations as gateways
from cloudgate.manager.jobs import backup_schedule
from cloudgate.manager.monitoring.metrics import STALE_SECONDS
from cloudgate.manager.monitoring.operator_warnings import SubjectWarning, operator_warnings
from cloudgate.manager.notifications import operations, outbox
from cloudgate.manager.notifications.rules import MANAGER, Condition, Kind, key_of
from cloudgate.manager.protection import operations as protections
from cloudgate.manager.quotas import operations as quotas
from cloudgate.manager.quotas import rules as quota_rules
from cloudgate.manager.registries.refused_callers import GUESSES
from cloudgate.manager.repositories.operations import list_repositories
from cloudgate.manager.servers import managed_servers
from cloudgate.manager.storage.migrations import newest_revision
from cloudgate.manager.storage.tables import (
    AuditEvent,
    BackupServer,
    CloudGateway,
    CloudTenant,
    Repository,
    Task,
    TenantResource,
)
from cloudgate.manager.tasks.operations import task_id
from cloudgate.manager.tenants import egress
from cloudgate.values import months
from cloudgate.values.units import MB

FULL_RATIO = 0.9
"""Of a resource of a gateway, as `monitoring/rules.yml` has it."""
LEASE_LEVELS = ((timedelta(days=1), 2), (timedelta(days=7), 1))
GUESSED_WITHIN = timedelta(minutes=10)
MANY_GUESSES = 20
FAILED_WITHIN = timedelta(days=1)
"""A task that failed before is no news, also where the manager was away for as long."""
_MOST_TASKS = 100


@dataclass(frozen=True)
class Seen:
    """What was seen of all that may be so."""

    conditions: tuple[Condition, ...]
    unseen: Mapping[Kind, str]
    """Of which kinds nothing is known, and what the fault is called in the log."""
    awaited: frozenset[str]
    """Keys of what cannot be known yet, or now: as receivers know it, so it stays."""


@dataclass(frozen=True)
class _Awaited:
    """What may be so, and what cannot be known: a manager that has just begun was not told yet."""

    kind: Kind
    subject: str


@dataclass(frozen=True)
class _Source:
    """Sees what is so of some kinds."""

    kinds: tuple[Kind, ...]
    see: Callable[[Manager, UnitOfWork], Iterator[Condition | _Awaited]]


class _UnreadError(Exception):
    """What a source goes by cannot be read, and all else can be."""


def see_all(manager: Manager, work: UnitOfWork) -> Seen:
    """All that is so. What cannot be seen of some kinds keeps nobody from hearing of the others."""
    unseen: dict[Kind, str] = {}

    def see(source: _Source) -> tuple[Condition | _Awaited, ...]:
        try:
            with work.session.begin_nested():  # PostgreSQL answers nothing more after a fault
                return tuple(source.see(manager, work))
        except OperationalError as problem:
            if not _can_be_read(work):
                raise  # whosever it is
            raise _UnreadError from problem

    def failed(source: _Source, fault: str) -> None:
        unseen.update(dict.fromkeys(source.kinds, fault))

    found = [each for some in each_alone(_SOURCES, see, failed) for each in some]
    return Seen(
        conditions=tuple(each for each in found if isinstance(each, Condition)),
        unseen=unseen,
        awaited=frozenset(
            key_of(each.kind, each.subject) for each in found if isinstance(each, _Awaited)
        ),
    )


def _can_be_read(work: UnitOfWork) -> bool:
    """Whether the database can be, after something could not."""
    try:
        work.session.execute(select(1))
    except SQLAlchemyError:
        return False
    return True


def _of_gateways(manager: Manager, work: UnitOfWork) -> Iterator[Condition | _Awaited]:
    heard, now_seconds = manager.figures.latest(), manager.figures.now_seconds
    for gateway in gateways.list_gateways(work):
        said = heard.get(gateway.managed_server_id)
        is_known = said is not None and now_seconds - said.at_seconds <= STALE_SECONDS
        if not is_known:
            yield _Awaited(Kind.GATEWAY_FULL, str(gateway.id))
        ratios = said.figures.full if said is not None and is_known else {}
        full = {each: part for each, part in ratios.items() if part > FULL_RATIO}
        if gateways.is_wanted(gateway) and not gateways.is_up(work, gateway):
            said_of = gateways.warnings_of(work, gateway)
            text = (
                f"Gateway {gateway.name} lets no tenants in: it is"
                f" {gateways.condition_of(gateway)}. {said_of}"
            )
            yield _of_gateway(Kind.GATEWAY_DOWN, gateway, text.strip())
        if full:
            used = ", ".join(f"{part:.0%} of its {each}" for each, part in sorted(full.items()))
            yield _of_gateway(
                Kind.GATEWAY_FULL, gateway, f"Gateway {gateway.name} has used {used}."
            )


def _of_gateway(kind: Kind, gateway: CloudGateway, text: str) -> Condition:
    site = gateway.managed_server.backup_server
    return Condition(
        kind=kind,
        subject=str(gateway.id),
        name=gateway.name,
        object_type="CloudGateway",
        text=text,
        site=site.name,
        site_id=site.id,
    )


def _of_hosts(_manager: Manager, work: UnitOfWork) -> Iterator[Condition]:
    for server in managed_servers.list_managed_servers(work):
        if managed_servers.condition_of(server) != "Offline":
            continue
        seen = managed_servers.last_seen(work, server)
        last = f" It was last heard of at {seen:%Y-%m-%d %H:%M} UTC." if seen else ""
        yield Condition(
            kind=Kind.HOST_UNHEARD,
            subject=str(server.id),
            name=server.name,
            object_type="ManagedServer",
            text=f"Host {server.name} is not heard of.{last} Its gateway may go on by itself.",
            site=server.backup_server.name,
            site_id=server.backup_server_id,
        )


def _of_certificates(_manager: Manager, work: UnitOfWork) -> Iterator[Condition]:
    for each in endings(work):
        yield Condition(
            kind=Kind.CERTIFICATE_ENDING,
            subject=str(each.subject_id),
            name=each.name,
            object_type=each.object_type,
            text=f"{each.name}: {each.text}",
            site_id=each.site_id,
        )


def _of_quotas(_manager: Manager, work: UnitOfWork) -> Iterator[Condition]:
    wanted = [quotas.rules_of(each) for each in work.session.scalars(select(Repository))]
    lowest = min((level for each in wanted for level in each.warning_percents), default=100)
    rows = work.session.execute(
        select(TenantResource, CloudTenant.name, BackupServer)
        .join(CloudTenant, CloudTenant.id == TenantResource.tenant_id)
        .join(BackupServer, BackupServer.id == CloudTenant.backup_server_id)
        # In floating point: a quota may be larger than any number of bytes of the database.
        .where(
            TenantResource.used_bytes >= cast(TenantResource.quota_mb, Float) * (MB // 100 * lowest)
        )
    )
    for resource, tenant, site in rows:
        use, text = quotas.use_of(resource), quotas.warning_of(resource, work.now)
        if use is None or not text:
            continue
        name = f"{tenant}'s quota {resource.name}"
        yield Condition(
            kind=Kind.QUOTA_LEVEL,
            subject=str(resource.id),
            name=name,
            object_type="CloudTenantResource",
            text=f"{name}: {text}",
            level=quota_rules.level_of(use, quotas.rules_of(resource.repository)),
            site=site.name,
            site_id=site.id,
            tenant_id=resource.tenant_id,
        )


def _of_tenant(kind: Kind, tenant: CloudTenant, text: str, level: int) -> Condition:
    return Condition(
        kind=kind,
        subject=str(tenant.id),
        name=tenant.name,
        object_type="CloudTenant",
        text=text,
        level=level,
        site=tenant.backup_server.name,
        site_id=tenant.backup_server_id,
        tenant_id=tenant.id,
    )


def _of_egress(_manager: Manager, work: UnitOfWork) -> Iterator[Condition]:
    month = months.month_of(work.now)
    active: Select[CloudTenant] = select(CloudTenant).where(
        CloudTenant.egress_month == month,
        CloudTenant.egress_bytes
        >= CloudTenant.limits["egress_quota_mb"].as_float() * (MB // 100 * egress.LEVELS[0]),
    )
    for tenant in work.session.scalars(active):
        level = egress.level_of(tenant, work.now)
        if level:
            text = f"{tenant.name}: {egress.warning(tenant, work.now)}"
            yield _of_tenant(Kind.EGRESS_LEVEL, tenant, text, level)


def _of_leases(_manager: Manager, work: UnitOfWork) -> Iterator[Condition]:
    longest = max(before for before, _ in LEASE_LEVELS)
    ending = select(CloudTenant).where(
        CloudTenant.expires_at > work.now, CloudTenant.expires_at <= work.now + longest
    )
    for tenant in work.session.scalars(ending):
        end = tenant.expires_at
        if end is None:
            continue
        level = next(rank for before, rank in LEASE_LEVELS if end - work.now <= before)
        within = "one day" if level == LEASE_LEVELS[0][1] else "seven days"
        text = (
            f"The lease of {tenant.name} ends within {within}, at {end:%Y-%m-%d %H:%M} UTC. No"
            " tunnel of it goes on after that."
        )
        yield _of_tenant(Kind.LEASE_ENDING, tenant, text, level)


def _of_protection(_manager: Manager, work: UnitOfWork) -> Iterator[Condition]:
    repositories = list_repositories(work)
    warnings = protections.warnings_of(work, repositories)
    for repository in repositories:
        if text := warnings.get(repository.id):
            site = repository.backup_server
            yield Condition(
                kind=Kind.PROTECTION_LOST,
                subject=str(repository.id),
                name=repository.name,
                object_type="Repository",
                text=f"{repository.name}: {text}",
                site=site.name,
                site_id=site.id,
            )


def _of_tasks(_manager: Manager, work: UnitOfWork) -> Iterator[Condition]:
    failed = (
        select(Task)
        .where(Task.finished_at > work.now - FAILED_WITHIN, Task.success.is_(False))
        .order_by(Task.number.desc())
        .limit(_MOST_TASKS)
    )
    for task in work.session.scalars(failed):
        about = f" of {task.related_name}" if task.related_name else ""
        yield Condition(
            kind=Kind.TASK_FAILED,
            subject=task_id(task),
            name=task_id(task),
            object_type="Task",
            text=f"{task.operation}{about} has failed ({task_id(task)}): {task.message}",
            site_id=task.backup_server_id,
        )


def _of_guesses(_manager: Manager, work: UnitOfWork) -> Iterator[Condition]:
    """By tenants that there are; names that nobody has are all one, as strangers make them up."""
    rows = work.session.execute(
        select(AuditEvent.object_id, AuditEvent.after).where(
            AuditEvent.at > work.now - GUESSED_WITHIN, AuditEvent.operation == GUESSES
        )
    ).all()
    counts: Counter[UUID | None] = Counter()
    for identifier, said in rows:
        counts[identifier] += int((said or {}).get("Count") or 1)
    for identifier, count in counts.items():
        if count < MANY_GUESSES:
            continue
        tenant = work.session.get(CloudTenant, identifier) if identifier else None
        name = tenant.name if tenant else "names that nobody has"
        text = (
            f"Many wrong passwords of {name} were tried at gateways within ten minutes. A program"
            " may have an old one; or somebody guesses, and is slowed."
        )
        if tenant:
            yield _of_tenant(Kind.WRONG_PASSWORDS, tenant, text, 0)
        else:
            yield Condition(
                kind=Kind.WRONG_PASSWORDS,
                subject="nobody",
                name=name,
                object_type="CloudTenant",
                text=text,
            )


def _of_the_schema(manager: Manager, _work: UnitOfWork) -> Iterator[Condition]:
    """A newer one waits: in the database, or with a manager of a newer release that stands by."""
    own, found = newest_revision(), manager.database.current_revision() or ""
    revisions = manager.lease.revisions if manager.lease is not None else {}
    newer = {url: each for url, each in revisions.items() if each > own}
    if found > own:
        text = (
            f"A newer release has brought the database to revision {found}, and this manager works"
            f" with {own}: it may fail. Start the newer release."
        )
    elif newer:
        url, revision = min(newer.items())
        text = (
            f"The manager at {url} is of a newer release: it works with revision {revision} of the"
            f" database, which is at {found}. It brings the database there once it leads: stop this"
            " manager, and renew it."
        )
    else:
        return
    yield Condition(
        kind=Kind.SCHEMA_WAITING,
        subject="database",
        name="the database",
        object_type=MANAGER,
        text=text,
    )


def _that_need_a_look(manager: Manager, work: UnitOfWork) -> Iterator[Condition | _Awaited]:
    # Who could not be told is tried again after an hour, and is warned of then.
    untold = map(operations.warning_kind, outbox.untold(work))
    for cause in (*manager.warnings.awaited(), *untold):
        yield _Awaited(*_of_warning(SubjectWarning(MANAGER, "manager", "", cause=cause)))
    unprotected = protections.warnings_of(work, list_repositories(work))
    for each in operator_warnings(manager, work):
        if isinstance(each.subject, CloudGateway) and each.text == each.subject.certificate_warning:
            continue  # it is told as what it is
        of = each.subject
        if isinstance(of, Repository) and each.text == unprotected.get(of.id):
            continue  # the same
        kind, subject = _of_warning(each)
        of_site = getattr(each.subject, "backup_server_id", None)
        if isinstance(each.subject, BackupServer):
            of_site = each.subject.id
        yield Condition(
            kind=kind,
            subject=subject,
            name=each.name,
            object_type=MANAGER if each.subject is None else each.kind,
            text=f"{each.name}: {each.text}",
            site_id=of_site,
        )


def _of_warning(warning: SubjectWarning) -> tuple[Kind, str]:
    """As what it is told, and what tells it from others."""
    is_backup = warning.cause == backup_schedule.WATCHING
    kind = Kind.BACKUP_OVERDUE if is_backup else Kind.NEEDS_A_LOOK
    return kind, f"{warning.kind}:{warning.name}:{warning.cause}"


_SOURCES = (
    _Source((Kind.GATEWAY_DOWN, Kind.GATEWAY_FULL), _of_gateways),
    _Source((Kind.HOST_UNHEARD,), _of_hosts),
    _Source((Kind.CERTIFICATE_ENDING,), _of_certificates),
    _Source((Kind.QUOTA_LEVEL,), _of_quotas),
    _Source((Kind.EGRESS_LEVEL,), _of_egress),
    _Source((Kind.LEASE_ENDING,), _of_leases),
    _Source((Kind.PROTECTION_LOST,), _of_protection),
    _Source((Kind.TASK_FAILED,), _of_tasks),
    _Source((Kind.WRONG_PASSWORDS,), _of_guesses),
    _Source((Kind.SCHEMA_WAITING,), _of_the_schema),
    _Source((Kind.BACKUP_OVERDUE, Kind.NEEDS_A_LOOK), _that_need_a_look),
)
