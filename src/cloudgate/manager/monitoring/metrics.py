"""Metrics of the manager: what does its page show? Itself, its hosts, and what these report."""

import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from cloudgate.background import Background
from cloudgate.manager.audit.outlets import delivered_until
from cloudgate.manager.certificates.rules import leaf_of
from cloudgate.manager.core.unit_of_work import DIRECTORY, Manager, UnitOfWork
from cloudgate.manager.monitoring.needs_a_look import needs_a_look
from cloudgate.manager.registries.host_figures import Heard
from cloudgate.manager.registries.presence import ONLINE_FOR
from cloudgate.manager.storage.tables import (
    AuditEvent,
    BackupServer,
    CloudCertificate,
    CloudGateway,
    DirectoryRevision,
    GatewayPool,
    ManagedServer,
    Task,
)
from cloudgate.manager.storage.tables import (
    Counter as CounterRow,
)
from cloudgate.monitoring.exposition import Lines
from cloudgate.monitoring.gateway_lines import write_figures
from cloudgate.monitoring.health import Health
from cloudgate.monitoring.process_page import page
from cloudgate.protocol import GatewayState

NEEDED_SECONDS = 15.0
"""How often at the most it is looked what needs a look: of each object something is asked for."""
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
        self._made: dict[UUID, tuple[Heard, tuple[str, str], Lines]] = {}
        """The lines of each host's figures, which are made once."""
        self._needed: Sequence[tuple[str, str]] = ()
        self._needed_at_seconds: float | None = None
        self._writing = threading.Lock()

    async def document(self, accept: str) -> tuple[bytes, str]:
        """The page, and its media type."""
        return await page(accept, self._health, self._background, self._write)

    def _write(self, lines: Lines) -> None:
        with self._writing:
            self._manager.recorder.write(lines)
            self._write_disk(lines)
            try:
                with self._manager.reading() as work:
                    self._write_kept(lines, work)
            except SQLAlchemyError:
                lines.put("cloudgate_database_up", 0)
            else:
                lines.put("cloudgate_database_up", 1)

    def _write_kept(self, lines: Lines, work: UnitOfWork) -> None:
        _write_tasks(lines, work)
        self._write_audit(lines, work)
        self._write_certificates(lines, work)
        self._write_hosts(lines, work)
        self._write_gateways(lines, work)
        self._write_needed(lines, work)

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

    def _write_hosts(self, lines: Lines, work: UnitOfWork) -> None:
        rows = work.session.execute(
            select(
                ManagedServer.id,
                ManagedServer.name,
                ManagedServer.seen_at,
                ManagedServer.facts.is_(None).label("is_new"),
                BackupServer.name.label("site"),
            )
            .join(BackupServer)
            .order_by(ManagedServer.name, ManagedServer.id)
        ).all()
        names = _Names()
        heard, states = work.presence.all(), Counter({"Online": 0, "Offline": 0, "Expected": 0})
        for row in rows:
            whose = names.unique(row.name, row.site, row.id)
            moments = [each for each in (row.seen_at, heard.get(row.id)) if each is not None]
            seen = max(moments, default=None)
            is_up = seen is not None and work.now - seen < ONLINE_FOR
            states["Online" if is_up else "Expected" if row.is_new else "Offline"] += 1
            lines.put("cloudgate_host_up", int(is_up), *whose)
            if seen is not None:
                at = round(seen.timestamp())
                lines.put("cloudgate_host_last_seen_timestamp_seconds", at, *whose)
        for state, count in states.items():
            lines.put("cloudgate_hosts", count, state)

    def _write_gateways(self, lines: Lines, work: UnitOfWork) -> None:
        heard, left = self._manager.figures.heard(), {}
        revisions = _Revisions(work)
        names = _Names()
        for row in _gateways(work):
            whose = names.unique(row.name, row.site, row.gateway_id)
            is_enabled = bool(row.wanted.get("enabled", True)) and not row.removing
            is_online = row.online_since is not None and not work.faults.is_cut_off(row.server_id)
            is_listening = row.reported_state == GatewayState.LISTENING
            is_up = is_online and is_listening
            versions = (row.version or "", row.envoy_version or "")
            shown = (row.pool or "", row.server, *versions)
            lines.put("cloudgate_gateway_info", 1, *whose, *shown)
            lines.put("cloudgate_gateway_up", int(is_up), *whose)
            lines.put("cloudgate_gateway_enabled", int(is_enabled), *whose)
            if is_online:
                behind = revisions.newer_than(row.directory_revision or 0)
                lines.put("cloudgate_directory_lag_revisions", behind, *whose)
            said = heard.get(row.server_id)
            if said is None:
                continue
            age = self._manager.figures.age_seconds(said)
            lines.put("cloudgate_figures_age_seconds", round(age, 1), *whose)
            if age <= STALE_SECONDS:
                left[row.server_id] = self._lines_of(row.server_id, said, whose)
                lines.take(left[row.server_id][2])
        self._made = left

    def _lines_of(
        self, server_id: UUID, said: Heard, whose: tuple[str, str]
    ) -> tuple[Heard, tuple[str, str], Lines]:
        known = self._made.get(server_id)
        if known is not None and known[0] is said and known[1] == whose:
            return known
        made = Lines()
        write_figures(made, said.figures, *whose, now_seconds=lambda: said.at)
        return said, whose, made

    def _write_needed(self, lines: Lines, work: UnitOfWork) -> None:
        now = time.monotonic()
        before = self._needed_at_seconds
        if before is None or now - before >= NEEDED_SECONDS:
            self._needed_at_seconds = now
            found = dict.fromkeys(
                (each.kind, each.name) for each in needs_a_look(self._manager, work)
            )
            self._needed = tuple(found)
        counts = Counter(kind for kind, _ in self._needed)
        for kind in ("Manager", "BackupServer", "ManagedServer", "CloudGateway", "Repository"):
            lines.put("cloudgate_warnings", counts[kind], kind)
        for kind, name in self._needed:
            lines.put("cloudgate_needs_a_look", 1, kind, name)


class _Names:
    """Makes names of things unique: two with one name at a site are told apart by their ids."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, str]] = set()

    def unique(self, name: str, site: str, identifier: UUID) -> tuple[str, str]:
        """How a thing of a site is called."""
        found = (name, site)
        if found in self._taken:
            found = (f"{name} ({identifier.hex[:8]})", site)
        self._taken.add(found)
        return found


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


def _gateways(work: UnitOfWork) -> Iterable[Any]:
    return work.session.execute(
        select(
            CloudGateway.id.label("gateway_id"),
            CloudGateway.name,
            CloudGateway.wanted,
            CloudGateway.removing,
            BackupServer.name.label("site"),
            GatewayPool.name.label("pool"),
            ManagedServer.id.label("server_id"),
            ManagedServer.name.label("server"),
            ManagedServer.online_since,
            ManagedServer.reported_state,
            ManagedServer.facts["version"].as_string().label("version"),
            ManagedServer.facts["envoy_version"].as_string().label("envoy_version"),
            ManagedServer.report["directory_revision"].as_integer().label("directory_revision"),
        )
        .join(ManagedServer, ManagedServer.id == CloudGateway.managed_server_id)
        .join(BackupServer, BackupServer.id == CloudGateway.backup_server_id)
        .outerjoin(GatewayPool, GatewayPool.id == CloudGateway.pool_id)
        .where(CloudGateway.confirmed.is_not(None))
        .order_by(CloudGateway.name, CloudGateway.id)
    ).all()


def _write_tasks(lines: Lines, work: UnitOfWork) -> None:
    rows = work.session.execute(select(Task.success, func.count()).group_by(Task.success))
    counts: dict[bool | None, int] = {None: 0, True: 0, False: 0} | {row[0]: row[1] for row in rows}
    for success, state in ((None, "Running"), (True, "Succeeded"), (False, "Failed")):
        lines.put("cloudgate_tasks", counts[success], state)
    overdue = select(func.count()).where(
        Task.finished_at.is_(None), Task.deadline_at < work.now - OVERDUE
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
