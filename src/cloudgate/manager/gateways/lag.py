"""Lag of a gateway: which changes of tenants has it not taken in, and since when?"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select
from sqlalchemy.orm import Session

from cloudgate.manager.core.unit_of_work import DIRECTORY, UnitOfWork
from cloudgate.manager.servers.facts import (
    TOLD_REVISION,
    directory_revision_of,
    told_revision,
)
from cloudgate.manager.storage.tables import (
    CloudGateway,
    CloudTenant,
    Counter,
    ManagedServer,
    RemovedTenant,
)
from cloudgate.values import timestamps

LATE = timedelta(seconds=10)
"""A gateway that is there has a change within a second; so much later something is wrong."""
_NAMED = 3
_LAGS = "lags"


def lag_of(work: UnitOfWork, gateway: CloudGateway) -> str:
    """What an operator should know of changes that are not in force; empty when all are.

    Of a gateway that is away nothing is said here: its state says so.
    """
    server, session = gateway.managed_server, work.session
    if server.online_since is None or gateway.confirmed is None:
        return ""
    newest, known = session.get(Counter, DIRECTORY), directory_revision_of(server)
    if newest is None or newest.value <= known:
        return ""
    lags: dict[tuple[UUID, int, int], _Lag] = session.info.setdefault(_LAGS, {})
    key = (server.backup_server_id, known, newest.value)
    if key not in lags:
        lags[key] = _Lag(session, server.backup_server_id, known)
    return lags[key].describe(work.hosts.listening.since(LATE, work.now))


def may_be_late(work: UnitOfWork) -> ColumnElement[bool]:
    """Of managed servers: those of whose gateways `lag_of` may have something to say."""
    said = func.coalesce(TOLD_REVISION, "")
    site, is_online = ManagedServer.backup_server_id, ManagedServer.online_since.is_not(None)
    due = _due(work)
    known: defaultdict[UUID, list[str]] = defaultdict(list)
    for site_id, text in work.session.execute(select(site, said).where(is_online).distinct()):
        revision = told_revision(text)
        if revision is None or revision < due.get(site_id, 0):
            known[site_id].append(text)
    late = (and_(site == site_id, said.in_(texts)) for site_id, texts in known.items())
    return and_(is_online, or_(false(), *late))


def _due(work: UnitOfWork) -> dict[UUID, int]:
    """Of each site the newest change that all of its gateways should have by now."""
    until = int(work.hosts.listening.since(LATE, work.now).timestamp() * 1000)
    found: dict[UUID, int] = {}
    for kind in (CloudTenant, RemovedTenant):
        for site_id, newest in work.session.execute(
            select(kind.backup_server_id, func.max(kind.directory_revision))
            .where(kind.directory_revision <= until)
            .group_by(kind.backup_server_id)
        ):
            found[site_id] = max(newest, found.get(site_id, 0))
    return found


class _Lag:
    """What those of a site have not taken in that know a revision.

    When many lag it is behind the same one: they are asked for once in a session.
    """

    def __init__(self, session: Session, site_id: UUID, known: int) -> None:
        self._since = _since(session, site_id, known)
        self._changed = session.scalars(_missed(site_id, known).limit(_NAMED + 1)).all()

    def describe(self, late_since: datetime) -> str:
        """`late_since`: what was changed later may yet be on its way."""
        since, changed = self._since, self._changed
        if since is None or since > late_since:
            return ""
        names = ", ".join(changed[:_NAMED]) + (" and others" if len(changed) > _NAMED else "")
        whose = f"changes of {names}" if names else "that tenants were removed"
        return f"It has not taken in {whose} since {timestamps.readable(since)}."


def _missed(site_id: UUID, known: int) -> Select[str]:
    return (
        select(CloudTenant.name)
        .where(CloudTenant.backup_server_id == site_id, CloudTenant.directory_revision > known)
        .order_by(CloudTenant.directory_revision)
    )


def _since(session: Session, site_id: UUID, known: int) -> datetime | None:
    """When the first change was made that it has not; a revision is a time in milliseconds."""
    found = [
        session.scalar(
            select(func.min(kind.directory_revision)).where(
                kind.backup_server_id == site_id, kind.directory_revision > known
            )
        )
        for kind in (CloudTenant, RemovedTenant)
    ]
    first = min((each for each in found if each is not None), default=None)
    return None if first is None else datetime.fromtimestamp(first / 1000, UTC)
