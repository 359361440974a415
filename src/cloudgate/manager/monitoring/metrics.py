"""Metrics of the manager: what does its page show? Itself, its hosts, and what these report."""

import asyncio
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from cloudgate.background import Background
from cloudgate.manager.audit.outlets import delivered_until
from cloudgate.manager.certificates.rules import leaf_of
from cloudgate.manager.core.unit_of_work import DIRECTORY, Manager, UnitOfWork
from cloudgate.manager.monitoring import outbox_lines
from cloudgate.manager.monitoring.fleet_rows import (
    FleetRows,
    GatewayRow,
    HostRow,
    gateway_rows,
    host_rows,
)
from cloudgate.manager.monitoring.operator_warnings import operator_warnings
from cloudgate.manager.protection import operations as protections
from cloudgate.manager.registries.hosts.host_figures import LatestFigures
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.manager.storage.marks import LAST_BACKUP_AT, read_moment
from cloudgate.manager.storage.tables import (
    AuditEvent,
    CloudCertificate,
    DirectoryRevision,
    Task,
)
from cloudgate.manager.storage.tables import (
    Counter as CounterRow,
)
from cloudgate.manager.tenants import passwords
from cloudgate.monitoring.exposition import Lines
from cloudgate.monitoring.gateway_lines import FAMILIES, blocks
from cloudgate.monitoring.health import Health
from cloudgate.monitoring.page_threads import in_page_thread
from cloudgate.monitoring.process_page import page

NEEDED_SECONDS, NEEDED_ANYWAY_SECONDS = 15.0, 60.0
"""How often at the most it is looked what needs a look, and how often where nothing was changed: of
each object something is asked for."""
OVERDUE = timedelta(minutes=1)
STALE_SECONDS = 120.0
"""Figures of a host that said nothing for so long are not shown any more: they are unknown."""
ROOT, PORT = "authority", "manager"


class ManagerMetrics:
    """Its page of metrics."""

    def __init__(
        self,
        manager: Manager,
        background: Background,
        health: Health,
        *,
        port_certificate: Path,
        has_outlet: bool,
    ) -> None:
        """What it shows.

        Args:
            manager: what is there.
            background: its jobs.
            health: of the manager.
            port_certificate: file of the certificate of its port.
            has_outlet: whether the audit log goes anywhere besides the database.
        """
        self._manager = manager
        self._background = background
        self._health = health
        self._port_certificate = port_certificate
        self._has_outlet = has_outlet
        self._rows: FleetRows | None = None
        """What the database held when it was last asked."""
        self._made: dict[UUID, _HostLines] = {}
        """The lines of each host's figures, which are made once, when it tells them."""
        manager.figures.on_heard = self._note_heard
        self._needed: _WarningCache | None = None
        self._looking: asyncio.Future[None] | None = None
        self._writing = threading.Lock()

    async def document(self, accept: str) -> tuple[list[bytes], str]:
        """The page, a piece for each metric, and its media type."""
        made = await page(accept, self._health, self._background, self._write)
        self._look_what_is_needed()
        return made

    def _write(self, lines: Lines) -> None:
        with self._writing:
            self._manager.recorder.write(lines)
            self._write_disk(lines)
            changes = self._manager.changes.count  # before what is read: it may be newer, not older
            try:
                with self._manager.reading() as work:
                    self._write_kept(lines, work, changes)
            except SQLAlchemyError:
                lines.put("cloudgate_database_up", 0)
            else:
                lines.put("cloudgate_database_up", 1)

    def _write_kept(self, lines: Lines, work: UnitOfWork, changes: int) -> None:
        _write_tasks(lines, work)
        self._write_audit(lines, work)
        outbox_lines.write(lines, work)
        for kind, count in passwords.old_ones(work).items():
            lines.put("cloudgate_old_passwords", count, kind)
        made_at = read_moment(work.session, LAST_BACKUP_AT)
        lines.put(
            "cloudgate_backup_last_timestamp_seconds", made_at.timestamp() if made_at else None
        )
        for repository, site, is_held in protections.held_by_repository(work):
            lines.put("cloudgate_repository_protected", int(is_held), repository, site)
        self._write_certificates(lines, work)
        if self._rows is None or self._rows.changes != changes:
            before = self._rows or FleetRows(changes, (), ())
            hosts, gateways = host_rows(work, before.hosts), gateway_rows(work, before.gateways)
            self._rows = FleetRows(changes, hosts, gateways)
        self._write_hosts(lines, work, self._rows.hosts)
        self._write_gateways(lines, work, self._rows.gateways)
        needed = self._needed = self._needed or _WarningCache(self._manager, work, changes)
        needed.write(lines)

    def _write_disk(self, lines: Lines) -> None:
        url = make_url(self._manager.database.url)
        if url.get_backend_name() != "sqlite" or not url.database:
            return
        files = [Path(f"{url.database}{suffix}") for suffix in ("", "-wal", "-shm")]
        sizes = [each.stat().st_size for each in files if each.exists()]
        lines.put("cloudgate_database_size_bytes", sum(sizes) if sizes else None)
        try:
            free = shutil.disk_usage(os.path.dirname(url.database) or ".").free  # noqa: PTH120
        except OSError:  # ENOENT, EIO: it cannot be seen, which is not none
            return
        lines.put("cloudgate_disk_free_bytes", free)

    def _write_audit(self, lines: Lines, work: UnitOfWork) -> None:
        newest = work.session.scalar(select(func.max(AuditEvent.number))) or 0
        lines.put("cloudgate_audit_events", newest)
        waiting = newest - delivered_until(work) if self._has_outlet else 0
        lines.put("cloudgate_audit_undelivered", max(0, waiting))

    def _write_certificates(self, lines: Lines, work: UnitOfWork) -> None:
        name = "cloudgate_certificate_expiry_timestamp_seconds"
        lines.put(name, _end(self._manager.authority.certificate_pem), ROOT)
        try:
            port = self._port_certificate.read_text("ascii")
        except OSError:  # ENOENT, EIO: when it ends is unknown
            port = ""
        lines.put(name, _end(port), PORT)
        rows = work.session.execute(select(CloudCertificate.name, CloudCertificate.chain_pem))
        ends = [(shown or "brought", _end(chain)) for shown, chain in rows]
        for shown, some in _grouped(ends).items():
            lines.put(name, min(some), shown)

    def _write_hosts(self, lines: Lines, work: UnitOfWork, hosts: Sequence[HostRow]) -> None:
        now, heard = work.now.timestamp(), work.hosts.presence.all(work.now)
        latest = now + ONLINE_FOR.total_seconds()
        began = work.hosts.presence.beginning(work.now).timestamp()
        there_since = {
            was_online: work.hosts.presence.there_since(work.now, was_online=was_online).timestamp()
            for was_online in (True, False)
        }
        states = Counter({"Online": 0, "Offline": 0, "Expected": 0})
        up, last = [], []
        for each in hosts:
            heard_at = heard.get(each.key)
            kept = each.kept_seconds if each.kept_seconds < latest else began
            seen = max(kept, heard_at.timestamp() if heard_at else 0.0)
            is_up = seen > 0 and seen > there_since[each.was_online]
            states["Online" if is_up else "Expected" if each.is_new else "Offline"] += 1
            up.append(each.up[is_up])
            if seen:
                last.append(
                    f"cloudgate_host_last_seen_timestamp_seconds{{{each.labels}}} {seen:.0f}\n"
                )
        lines.put_lines("cloudgate_host_up", up)
        lines.put_lines("cloudgate_host_last_seen_timestamp_seconds", last)
        for state, count in states.items():
            lines.put("cloudgate_hosts", count, state)

    def _write_gateways(
        self, lines: Lines, work: UnitOfWork, gateways: Sequence[GatewayRow]
    ) -> None:
        heard, now_seconds = self._manager.figures.latest(), self._manager.figures.now_seconds
        made: dict[UUID, _HostLines] = {}
        revisions = _Revisions(work)
        up, lag, ages = [], [], []
        cut_off = work.faults.cut_off_servers()
        for each in gateways:
            is_online = each.is_online and each.server_id not in cut_off
            is_up = is_online and each.listens
            up.append(each.up[is_up])
            if is_online:
                behind = revisions.newer_than(each.directory_revision)
                lag.append(f"{each.lag}{behind}\n" if behind else each.no_lag)
            said = heard.get(each.server_id)
            if said is None:
                continue
            age = now_seconds - said.at_seconds
            ages.append(f"{each.age}{max(0.0, age):.1f}\n")
            if age <= STALE_SECONDS:
                made[each.server_id] = self._made_of(each.server_id, said, each.whose)
        lines.put_lines("cloudgate_gateway_info", (each.info for each in gateways))
        lines.put_lines("cloudgate_gateway_up", up)
        lines.put_lines("cloudgate_gateway_enabled", (each.enabled for each in gateways))
        lines.put_lines("cloudgate_directory_lag_revisions", lag)
        lines.put_lines("cloudgate_figures_age_seconds", ages)
        self._made = made
        joined = zip(*(each.blocks for each in made.values()), strict=True)
        for name, some_lines in zip(FAMILIES, joined, strict=False):
            lines.put_blocks(name, some_lines)

    def _made_of(
        self, server_id: UUID, said: LatestFigures, whose: tuple[str, str]
    ) -> "_HostLines":
        known = self._made.get(server_id)
        if known is not None and known.heard is said and known.whose == whose:
            return known
        return _HostLines(said, whose, blocks(said.figures, *whose, said.began_at))

    def _note_heard(self, server_id: UUID, said: LatestFigures) -> None:
        """Make its lines now: at a scrape all of them would have to be made at once."""
        known = self._made.get(server_id)
        if known is not None:
            self._made[server_id] = self._made_of(server_id, said, known.whose)

    def _look_what_is_needed(self) -> None:
        """See for the next page what needs a look: something is asked for of each object."""
        is_looking = self._looking is not None and not self._looking.done()
        known = self._needed
        if known is not None and not is_looking and known.is_old(self._manager.changes.count):
            self._looking = asyncio.ensure_future(in_page_thread(self._refresh))

    def _refresh(self) -> None:
        changes = self._manager.changes.count
        try:
            with self._manager.reading() as work:
                self._needed = _WarningCache(self._manager, work, changes)
        except SQLAlchemyError:
            self._needed = None  # unknown; `cloudgate_database_up` says why


class _WarningCache:
    """What needs a look, after so many changes."""

    def __init__(self, manager: Manager, work: UnitOfWork, changes: int) -> None:
        self._at_seconds = time.monotonic()
        self._changes = changes
        found = dict.fromkeys((each.kind, each.name) for each in operator_warnings(manager, work))
        self._counts = Counter(kind for kind, _ in found)
        self._lines = Lines()
        for each in found:
            self._lines.put("cloudgate_needs_a_look", 1, *each)

    def is_old(self, changes: int) -> bool:
        """Whether it is to be seen anew: soon after something changed, and else now and then."""
        age = time.monotonic() - self._at_seconds
        return age >= (NEEDED_ANYWAY_SECONDS if self._changes == changes else NEEDED_SECONDS)

    def write(self, lines: Lines) -> None:
        """Show it."""
        for kind in ("Manager", "BackupServer", "ManagedServer", "CloudGateway", "Repository"):
            lines.put("cloudgate_warnings", self._counts[kind], kind)
        lines.add(self._lines)


@dataclass(frozen=True)
class _HostLines:
    """The lines of a host's figures."""

    heard: LatestFigures
    whose: tuple[str, str]
    blocks: tuple[bytes, ...]


class _Revisions:
    """The revisions of the tenant directory."""

    def __init__(self, work: UnitOfWork) -> None:
        newest = work.session.get(CounterRow, DIRECTORY)
        self._newest = newest.value if newest else 0
        self._work = work
        self._known: dict[int, int] = {}

    def newer_than(self, revision: int) -> int:
        """How many there are. Most gateways are at the same one."""
        if revision >= self._newest:
            return 0
        if revision not in self._known:
            query = select(func.count()).where(DirectoryRevision.revision > revision)
            self._known[revision] = self._work.session.scalar(query) or 0
        return self._known[revision]


def _write_tasks(lines: Lines, work: UnitOfWork) -> None:
    rows = work.session.execute(select(Task.success, func.count()).group_by(Task.success))
    counts: dict[bool | None, int] = {None: 0, True: 0, False: 0} | {row[0]: row[1] for row in rows}
    for success, state in ((None, "Running"), (True, "Succeeded"), (False, "Failed")):
        lines.put("cloudgate_tasks", counts[success], state)
    overdue = select(func.count()).where(
        Task.finished_at.is_(None),
        Task.deadline_at < work.hosts.listening.since(OVERDUE, work.now),
    )
    lines.put("cloudgate_tasks_overdue", work.session.scalar(overdue) or 0)


def _end(chain_pem: str) -> float | None:
    """When a certificate ends, in seconds since 1970; None when it cannot be read."""
    begin = chain_pem.find("-----BEGIN CERTIFICATE-----")
    if begin < 0:
        return None
    try:
        end: datetime = leaf_of(chain_pem[begin:]).not_valid_after_utc
    except ValueError:
        return None
    return round(end.timestamp())


def _grouped(found: Iterable[tuple[str, float | None]]) -> dict[str, list[float]]:
    groups: dict[str, list[float]] = {}
    for name, value in found:
        if value is not None:
            groups.setdefault(name, []).append(value)
    return groups
