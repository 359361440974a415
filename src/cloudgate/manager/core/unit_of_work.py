"""Unit of work: how is something read or changed? In one transaction, with its author."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar, cast
from uuid import UUID

from sqlalchemy import ColumnElement, Table, delete, select, update
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session
from sqlalchemy.orm.interfaces import ORMOption

from cloudgate.errors import NotFoundError
from cloudgate.manager.core.wakeups import Wakeups
from cloudgate.manager.lease import Lease
from cloudgate.manager.registries.acme_challenges import AcmeChallenges
from cloudgate.manager.registries.hosts.host_faults import HostFaults
from cloudgate.manager.registries.hosts.host_figures import HostFiguresRegistry
from cloudgate.manager.registries.hosts.host_queries import HostQueries
from cloudgate.manager.registries.hosts.host_registry import HostRegistry
from cloudgate.manager.registries.limits.rate_allocator import RateAllocator
from cloudgate.manager.registries.limits.slot_tokens import SlotTokenAllocator
from cloudgate.manager.registries.openid_cache import OpenIdCache
from cloudgate.manager.registries.pending_sessions import PendingSessions
from cloudgate.manager.registries.query_counts import QueryCounts
from cloudgate.manager.registries.refused_callers import RefusedCallers
from cloudgate.manager.registries.task_timelines import EndedTask, RunningTask, Step, TaskTimelines
from cloudgate.manager.registries.unknown_hosts import UnknownHosts
from cloudgate.manager.registries.used_codes import UsedCodes
from cloudgate.manager.registries.warnings import Warnings
from cloudgate.manager.security.authority import Authority, Validity, gateway_term
from cloudgate.manager.security.sealing import SealingKey
from cloudgate.manager.settings.dns_names import DnsNames
from cloudgate.manager.settings.effective import Setting
from cloudgate.manager.settings.outgoing import OutgoingSettings
from cloudgate.manager.settings.reachable import ReachableTargets
from cloudgate.manager.settings.signing_in import SigningInSettings
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.failures import OTHERS_WRITE
from cloudgate.manager.storage.failures import reason as database_reason
from cloudgate.manager.storage.tables import (
    Base,
    CloudTenant,
    Counter,
    DirectoryRevision,
    PoolStay,
    RemovedTenant,
)
from cloudgate.manager.storage.touched_tables import EVERY, touched
from cloudgate.monitoring.recorder import Recorder

Row = TypeVar("Row", bound=Base)

DIRECTORY = "directory"
REVISIONS_KEPT = timedelta(days=60)
"""A host that was away for longer is told everything."""
REMOVED_KEPT = timedelta(days=460)
"""Tenants that are not there any more: until no host tells of them what is believed, nor serves
them as it was not told."""
SETTLED = timedelta(hours=1)
"""For how long a clock has to go on without a step for things to go because of their age."""
_COUNTERS = cast("Table", Counter.__table__)
_REVISIONS = cast("Table", DirectoryRevision.__table__)
_NEWEST = select(_COUNTERS.c.value).where(_COUNTERS.c.name == DIRECTORY)
_COUNT_ON = _COUNTERS.update().where(_COUNTERS.c.name == DIRECTORY)
_LOOKED_FOR_OLD_EVERY = 3_600_000
"""Revisions, which are milliseconds."""
DISK = "the disk of the data folder"
"""Kind of the warning."""


def utc_now() -> datetime:
    """The time by the machine's clock."""
    return datetime.now(UTC)


@dataclass(kw_only=True)
class UnitOfWork:
    """A transaction under way: what it may use, who asked for it, and whom it wakes.

    What it may use is its manager's: nothing of that has a default here, which would be another.
    """

    session: Session
    now: datetime
    authority: Authority
    sealing: SealingKey
    hosts: HostRegistry
    figures: HostFiguresRegistry
    slot_tokens: SlotTokenAllocator
    faults: HostFaults
    strangers: RefusedCallers
    refused_polls: UnknownHosts
    gateway_term: Validity
    """Of gateways' certificates."""
    own_addresses: Callable[[], Sequence[str]]
    """The IP addresses of the manager's machine."""
    dns: DnsNames
    """Under which names gateways come."""
    author: str = ""
    """Who asked for it, as descriptions name them."""
    address: str = ""
    """The IP address that it was asked from."""
    account_id: UUID | None = None
    """Of who asked for it; None when nobody who logs on did."""
    administers: bool = True
    """Whether who asked for it administers; what nobody asked for by the API does."""
    reachable: ReachableTargets
    """What may be named by those who do not."""
    query_counts: QueryCounts
    pending_sessions: PendingSessions
    changes: int
    """How many there had been before it began."""
    timelines: TaskTimelines
    begun_tasks: list[tuple[RunningTask, tuple[Step, ...]]] = field(default_factory=list)
    """With the steps before their transaction held."""
    ended_tasks: list[EndedTask] = field(default_factory=list)
    news_for: set[UUID] = field(default_factory=set)
    """Servers and sites whose hosts are to be woken once the transaction holds."""
    tunnels_ended: dict[UUID, Mapping[str, str]] = field(default_factory=dict)
    """Tenants and users whose tunnels end with it, and what the audit log says of that."""
    at_end: list[Callable[[], None]] = field(default_factory=list)
    """What is called last before it holds, to write what was gathered meanwhile."""
    once_it_holds: list[Callable[[], object]] = field(default_factory=list)
    """What is called then, to note what is in memory alone: that is not taken back with it."""
    observed: list[tuple[str, float, tuple[str, ...]]] = field(default_factory=list)
    """What is to be recorded once it holds: a metric, how much it was, and its labels."""

    def get(self, kind: type[Row], identifier: UUID, what: str, *read_by: ORMOption) -> Row:
        """A row by its id. `what` it is, as people say it; `read_by`: how, if not as usual.

        Raises:
            NotFoundError: there is none.
        """
        found = self.session.get(kind, identifier, options=read_by)
        if found is None:
            raise NotFoundError(f"There is no {what} with the id {identifier}.")
        return found

    @property
    def settled(self) -> datetime:
        """Until when it is past by a clock that has gone on for `SETTLED` without a step.

        What cannot be had again, and goes because it is old, goes by this: a clock that is ahead
        for less takes nothing away.
        """
        return self.hosts.listening.since(SETTLED, self.now)

    def next_directory_revision(self) -> int:
        """A revision of the tenant directory that was never used before."""
        connection = self.session.connection()
        known = connection.scalar(_NEWEST)
        found = next_revision(known or 0, self.now)
        if known is None:
            connection.execute(_COUNTERS.insert(), {"name": DIRECTORY, "value": found})
        else:
            connection.execute(_COUNT_ON, {"value": found})
        if known is None or known // _LOOKED_FOR_OLD_EVERY != found // _LOOKED_FOR_OLD_EVERY:
            oldest = next_revision(0, self.now - REVISIONS_KEPT)
            connection.execute(_REVISIONS.delete().where(_REVISIONS.c.revision < oldest))
            self._forget_removed_tenants()
        connection.execute(_REVISIONS.insert(), {"revision": found})
        return found

    def _forget_removed_tenants(self) -> None:
        oldest = next_revision(0, self.settled - REMOVED_KEPT)
        removed, stay = RemovedTenant.directory_revision, PoolStay.until
        self.session.execute(delete(RemovedTenant).where(removed < oldest))
        is_gone = PoolStay.tenant_id.not_in(select(CloudTenant.id))
        self.session.execute(delete(PoolStay).where(stay < oldest, is_gone))

    def touch_tenant(self, tenant: CloudTenant) -> None:
        """Have gateways learn of a change of it: a new revision, for the hosts of its site."""
        tenant.directory_revision = self.next_directory_revision()
        self.news_for.add(tenant.backup_server_id)

    def touch_tenants(self, site_id: UUID, which: ColumnElement[bool], revision: int) -> None:
        """Have gateways learn of a change of many of a site, which is of this new revision.

        With one statement: thousands would be read to be written, while all others wait. Those
        that were read before do not show it.
        """
        found = update(CloudTenant).where(CloudTenant.backup_server_id == site_id, which)
        found = found.values(directory_revision=revision)
        self.session.execute(found.execution_options(synchronize_session=False))
        self.news_for.add(site_id)

    def knows_directory_revision(self, revision: int) -> bool:
        """Whether there was such a revision of the tenant directory here, in the last weeks."""
        return self.session.get(DirectoryRevision, revision) is not None

    def directory_revision(self) -> int:
        """The newest revision of the tenant directory; 0 when nobody was ever in it."""
        return self.session.connection().scalar(_NEWEST) or 0


def next_revision(previous: int, now: datetime) -> int:
    """A number that is larger than `previous`, and than those a restored backup has forgotten.

    Counting alone would use numbers twice after an older database was put back; milliseconds
    since 1970 make that impossible as long as changes are rarer than one each millisecond.
    """
    return max(previous + 1, int(now.timestamp() * 1000))


class Changes:
    """How many changes were made that the API can show. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._newest: dict[str, int] = {}
        """Of each table."""

    @property
    def count(self) -> int:
        """It is another one after each change."""
        return self._count

    def newest_of(self, tables: Iterable[str]) -> int:
        """What `count` was after the newest change of any of these tables.

        What was read of them when `count` was as much, or more, is still true.
        """
        with self._lock:
            return max(self._newest.get(each, 0) for each in (EVERY, *tables))

    def record(self, tables: Iterable[str] = (EVERY,)) -> None:
        """Something was changed: what was read before is not known to be true any more.

        `tables` it was; all that there are where it was something else.
        """
        with self._lock:
            self._count += 1
            for each in tables:
                self._newest[each] = self._count


@dataclass(frozen=True)
class Manager:
    """The manager's state, and the way to it."""

    database: Database
    authority: Authority
    sealing: SealingKey
    wakeups: Wakeups = field(default_factory=Wakeups)
    clock: Callable[[], datetime] = utc_now
    challenges: AcmeChallenges = field(default_factory=AcmeChallenges)
    gateway_term: Validity = field(default_factory=gateway_term)
    changes: Changes = field(default_factory=Changes)
    hosts: HostRegistry = field(default_factory=HostRegistry)
    faults: HostFaults = field(default_factory=HostFaults)
    strangers: RefusedCallers = field(default_factory=RefusedCallers)
    refused_polls: UnknownHosts = field(default_factory=UnknownHosts)
    own_addresses: Callable[[], Sequence[str]] = tuple
    host_queries: HostQueries = field(default_factory=HostQueries)
    reachable: ReachableTargets = field(default_factory=ReachableTargets)
    pending_sessions: PendingSessions = field(default_factory=PendingSessions)
    used_codes: UsedCodes = field(default_factory=UsedCodes)
    rate_allocator: RateAllocator = field(default_factory=RateAllocator)
    slot_tokens: SlotTokenAllocator = field(default_factory=SlotTokenAllocator)
    query_counts: QueryCounts = field(default_factory=QueryCounts)
    timelines: TaskTimelines = field(default_factory=TaskTimelines)
    warnings: Warnings = field(default_factory=Warnings)
    """Of the manager itself."""
    figures: HostFiguresRegistry = field(default_factory=HostFiguresRegistry)
    recorder: Recorder = field(default_factory=Recorder)
    dns: DnsNames = field(default_factory=DnsNames)
    """Under which names gateways come."""
    outgoing: OutgoingSettings = field(default_factory=OutgoingSettings)
    """How messages are sent, and where to."""
    protection_hook: Path | None = None
    """The operator's program that knows of snapshots; None for none."""
    signing_in: SigningInSettings = field(default_factory=SigningInSettings)
    """How people sign in, besides by name and password."""
    openid: OpenIdCache = field(default_factory=OpenIdCache)
    portal_is_open: bool = True
    """Whether tenants may have sessions of their own."""
    settings: tuple[Setting, ...] = ()
    """What it was started with, to be looked at."""
    lease: Lease | None = None
    """Of a server's database, to lead in it; None of a file's, which is locked."""

    @property
    def is_sure(self) -> bool:
        """Whether what is in memory is true: with a file it always is."""
        return self.lease is None or self.lease.is_sure()

    def check_sure(self) -> None:
        """See whether what is in memory is true.

        Raises:
            UnavailableError: another manager may lead, and have changed something.
        """
        if self.lease is not None:
            self.lease.check_sure()

    def warn(self, kind: str, text: str) -> None:
        """Have the operator see something about the manager itself; an empty text ends it."""
        if self.warnings.record(kind, text, self.clock()):
            self.changes.record()

    def end_pending_session(self, identifier: UUID) -> None:
        """End a session that is not in the database, as far as is known."""
        self.pending_sessions.end_after_writing(identifier)
        self.changes.record()

    @contextmanager
    def _seeing_whether_it_can_be_written(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as problem:
            found = database_reason(problem)
            if found and found not in OTHERS_WRITE:
                self.warn(DISK, found)
            raise
        self.warn(DISK, "")

    def _work(self, session: Session) -> UnitOfWork:
        return UnitOfWork(
            session=session,
            now=self.clock(),
            authority=self.authority,
            sealing=self.sealing,
            hosts=self.hosts,
            figures=self.figures,
            slot_tokens=self.slot_tokens,
            query_counts=self.query_counts,
            pending_sessions=self.pending_sessions,
            changes=self.changes.count,
            timelines=self.timelines,
            faults=self.faults,
            strangers=self.strangers,
            refused_polls=self.refused_polls,
            gateway_term=self.gateway_term,
            own_addresses=self.own_addresses,
            dns=self.dns,
            reachable=self.reachable,
        )

    @contextmanager
    def reading(self) -> Iterator[UnitOfWork]:
        """See one state of everything; nothing may be changed."""
        began = time.perf_counter()
        try:
            with self.database.reading() as session:
                yield self._work(session)
        finally:
            self._note_transaction("read", began)

    def _note_transaction(self, operation: str, began: float) -> None:
        self.recorder.observe("cloudgate_database_seconds", time.perf_counter() - began, operation)

    @contextmanager
    def changing(
        self,
        author: str = "",
        address: str = "",
        *,
        account_id: UUID | None = None,
        administers: bool = True,
        shown: bool = True,
    ) -> Iterator[UnitOfWork]:
        """Change things, all or nothing; hosts with news are woken afterwards.

        Args:
            author: who asks for it.
            address: the IP address that it is asked from.
            account_id: of who asks for it, where somebody who logs on does.
            administers: whether who asks for it may name what administrators may.
            shown: whether the API can show what is changed.
        """
        began, asked_at = time.perf_counter(), self.hosts.listening.machine_time()
        with self._seeing_whether_it_can_be_written(), self.database.writing() as session:
            work = replace(
                self._work(session),
                author=author,
                address=address,
                account_id=account_id,
                administers=administers,
            )
            try:
                with session.begin():
                    yield work
                    for write in work.at_end:
                        write()
            finally:
                self._note_transaction("write", began)
                # Before the next one has its turn: what hosts say has waited as long as this.
                self.hosts.listening.note_held_up(asked_at, self.clock())
            # While others wait for their turn, where there is one: what they see is whole.
            for note in work.once_it_holds:
                note()
        for name, value, labels in work.observed:
            self.recorder.observe(name, value, *labels)
        for begun, steps in work.begun_tasks:
            self.timelines.begin(begun, steps, self.clock())
        for each in work.ended_tasks:
            self.timelines.end(each)
        changed = touched(session)
        if shown and changed:  # else all that was read before is as true as it was
            self.changes.record(changed)
        self.wakeups.wake(work.news_for)
