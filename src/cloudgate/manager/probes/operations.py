"""Probe operations: which tenants' shares are to be measured now, and what comes of it?

A figure stays until there is a newer one. What could not be measured has a warning beside it.
"""

import random
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import case, func, or_, select, update

from cloudgate.errors import CloudgateError, InvalidRequestError, NotFoundError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.probes import rules
from cloudgate.manager.probes.rules import Probe, ProbeMethod, Subject, from_document
from cloudgate.manager.quotas.operations import barred_tenants, keep_use
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.storage.id_batches import id_batches
from cloudgate.manager.storage.tables import CloudTenant, Repository, TenantResource
from cloudgate.manager.storage_services.service_passwords import ServicePassword, check_may_be_named

NEWS = UUID("3b9f2a53-7c1e-4f0e-9a41-5d3f6f0c8b17")
"""The key of the wakeup that comes when there is something new to measure."""
_PASSWORD = ServicePassword("UsageProbe", "sealed_probe_password")
_MEASURED_AT_ONCE: Mapping[str, Any] = {"measure_after": None}
_UNMEASURED: Mapping[str, Any] = {
    **_MEASURED_AT_ONCE,
    "used_bytes": None,
    "measured_at": None,
    "measuring_warning": "",
}
"""Columns of a quota of which nothing is known."""
AT_ONCE = 50
"""How many tenants of a repository are measured before others have their turn."""
_DUE_AT = func.coalesce(TenantResource.measure_after, datetime(1970, 1, 1, tzinfo=UTC))


@dataclass(frozen=True)
class ProbeChange:
    """A probe as it is asked for."""

    probe: Probe | None
    """None to have none any more."""
    password: str | None = None
    """None to keep the one that is known."""


@dataclass(frozen=True)
class Share:
    """What is to be measured: one tenant's share of a repository."""

    resource_id: UUID
    subject: Subject


@dataclass(frozen=True)
class Batch:
    """Shares of one repository that are due."""

    repository_id: UUID
    probe: Probe
    sealed_password: str = field(repr=False)
    """As it is kept: another one has been given when it differs."""
    shares: tuple[Share, ...]
    password: str = field(default="", repr=False)
    problem: str = ""
    """Why none of them can be measured; empty when they can."""


@dataclass(frozen=True)
class Disk:
    """How large that is which all shares of a repository are on."""

    capacity_bytes: int
    free_bytes: int


@dataclass(frozen=True)
class Outcome:
    """What was measured of a share."""

    share: Share
    used_bytes: int | None = None
    """None when there is nothing at its place, or with a `warning`."""
    warning: str = ""
    disk: Disk | None = None
    """None where that is not known."""


def probe_of(repository: Repository) -> Probe | None:
    """How a repository is measured; None when it is not."""
    return from_document(repository.usage_probe) if repository.usage_probe else None


def set_probe(work: UnitOfWork, repository: Repository, change: ProbeChange) -> None:
    """Have a repository measured in this way from now on, and at once; or not any more.

    Raises:
        InvalidRequestError: the probe cannot be used.
    """
    before = probe_of(repository)
    if change.probe is None:
        repository.usage_probe, repository.sealed_probe_password = None, ""
        _forget(work, repository, figures=True)
        return
    password = change.password or _PASSWORD.known(work, repository, before, change.probe)
    probe = rules.check(change.probe, password)
    if before is None or (before.place, before.machine) != (probe.place, probe.machine):
        _check_may_be_named(work, probe)
        probe = replace(probe, named_by_administrator=work.administers)
    else:
        probe = replace(probe, named_by_administrator=before.named_by_administrator)
    if probe.server_id:
        probe = replace(probe, server_id=str(_server(work, repository, probe)))
    repository.usage_probe = probe.as_document()
    _PASSWORD.keep(work, repository, password)
    _forget(work, repository, figures=before is not None and before.place != probe.place)
    work.news_for.add(NEWS)


def _check_may_be_named(work: UnitOfWork, probe: Probe) -> None:
    """See whether who is asking may have the manager look there."""
    if probe.method is ProbeMethod.DIRECTORY:
        base = rules.directory_of(probe.path, rules.ANYBODY).base
        work.reachable.check_folder(base, administers=work.administers)
        return
    check_may_be_named(work, probe.url)


def forget_figure(resource: TenantResource) -> None:
    """What was measured is about something else."""
    for name, value in _UNMEASURED.items():
        setattr(resource, name, value)


def warnings_of(work: UnitOfWork, repositories: Iterable[Repository]) -> Mapping[UUID, str]:
    """What could not be measured the last time, by the ids of those where anything could not."""
    measured = [each.id for each in repositories if each.usage_probe is not None]
    if not measured:
        return {}
    said = TenantResource.measuring_warning
    failed = case((said != "", said))
    rows = work.session.execute(
        select(TenantResource.repository_id, func.count(), func.count(failed), func.min(failed))
        .where(TenantResource.repository_id.in_(measured))
        .group_by(TenantResource.repository_id)
    )
    return {
        each: f"{failures} of {tenants} tenants could not be measured: {first}"
        for each, tenants, failures, first in rows
        if failures
    }


def next_batch(work: UnitOfWork, busy: Collection[str]) -> tuple[Batch | None, timedelta | None]:
    """What to measure now, on machines that are not `busy`.

    Without anything, the time until there is something; None for never.
    """
    moment = func.min(_DUE_AT)
    rows = work.session.execute(
        select(Repository, moment, func.max(_DUE_AT))
        .join(TenantResource, TenantResource.repository_id == Repository.id)
        .where(Repository.usage_probe.is_not(None))
        .group_by(Repository.id)
        .order_by(moment)
    ).all()
    wait = None
    for repository, due, last_due in rows:
        probe = probe_of(repository)
        if probe is None or probe.machine in busy:
            continue
        if due <= work.now or last_due > work.now + rules.longest_pause(probe):
            return _batch(work, repository, probe), None
        wait = wait or due - work.now
    return None, wait


def keep_outcomes(
    work: UnitOfWork,
    batch: Batch,
    outcomes: Sequence[Outcome],
    chance: Callable[[], float] = random.random,
) -> None:
    """Keep what was measured, unless it is not wanted any more."""
    repository = work.session.get(Repository, batch.repository_id)
    if (
        repository is None
        or repository.usage_probe != batch.probe.as_document()
        or repository.sealed_probe_password != batch.sealed_password
    ):
        return
    disk = next((each.disk for each in reversed(outcomes) if each.disk), None)
    if disk is not None:
        repository.measured_capacity_bytes = disk.capacity_bytes
        repository.measured_free_bytes = disk.free_bytes
    interval = timedelta(minutes=batch.probe.interval_minutes)
    for outcome in outcomes:
        resource = work.session.get(TenantResource, outcome.share.resource_id)
        if resource is None or resource.repository_id != repository.id:
            continue
        resource.measuring_warning = outcome.warning or _gone(resource, outcome)
        pause = interval
        if resource.measuring_warning:
            pause = min(interval, rules.RETRY_AFTER)
        else:
            keep_use(work, resource, outcome.used_bytes or 0)
        resource.measure_after = work.now + rules.next_time(pause, chance())


def _batch(work: UnitOfWork, repository: Repository, probe: Probe) -> Batch:
    rows = work.session.execute(
        select(TenantResource.id, CloudTenant.name, CloudTenant.id)
        .join(CloudTenant, CloudTenant.id == TenantResource.tenant_id)
        .where(
            TenantResource.repository_id == repository.id,
            # Put off for longer than it ever is: by a clock that was ahead, and was put back since.
            or_(work.now >= _DUE_AT, work.now + rules.longest_pause(probe) < _DUE_AT),
        )
        .order_by(_DUE_AT)
        .limit(AT_ONCE)
    )
    shares = tuple(Share(resource, Subject(name, tenant)) for resource, name, tenant in rows)
    batch = Batch(repository.id, probe, repository.sealed_probe_password, shares)
    try:
        return replace(batch, password=_PASSWORD.open(work, repository))
    except CloudgateError as problem:
        return replace(batch, problem=f"{problem.message} Give the Password again.")


def _gone(resource: TenantResource, outcome: Outcome) -> str:
    """A share that was there is not any more: more likely a disk that is not mounted than empty."""
    if outcome.used_bytes is not None or not resource.used_bytes:
        return ""
    return (
        f"Where {outcome.share.subject.name} had {rules.megabytes(resource.used_bytes)} MB there is"
        " nothing any more. See whether the storage is mounted and whole; if it was removed on"
        " purpose, make an empty directory (folder, bucket) in its place."
    )


def _forget(work: UnitOfWork, repository: Repository, *, figures: bool) -> None:
    if figures:
        repository.measured_capacity_bytes = repository.measured_free_bytes = None
        if barred := barred_tenants(work, repository):
            revision = work.next_directory_revision()
            for some in id_batches(barred):
                which = CloudTenant.id.in_(some)
                work.touch_tenants(repository.backup_server_id, which, revision)
    work.session.execute(
        update(TenantResource)
        .where(TenantResource.repository_id == repository.id)
        .values(**_UNMEASURED if figures else _MEASURED_AT_ONCE)
    )


def _server(work: UnitOfWork, repository: Repository, probe: Probe) -> UUID:
    try:
        server = get_managed_server(work, UUID(probe.server_id))
    except NotFoundError as problem:
        raise InvalidRequestError(f"ManagedServerUid: {problem.message}") from None
    if server.backup_server_id != repository.backup_server_id:
        raise InvalidRequestError(
            f"ManagedServerUid: {server.name} belongs to another backup server than the repository."
        )
    return server.id
