"""Metrics of the manager: what does its page show? Itself, its hosts, and what these report."""

import json
import os
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import String, func, select, type_coerce
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from cloudgate.background import Background
from cloudgate.manager.audit.outlets import delivered_until
from cloudgate.manager.certificates.rules import leaf_of
from cloudgate.manager.core.unit_of_work import DIRECTORY, Manager, UnitOfWork
from cloudgate.manager.monitoring.needs_a_look import needs_a_look
from cloudgate.manager.monitoring.raw_values import hex_of, seconds_of
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
from cloudgate.monitoring.exposition import Lines, escaped, labels_text
from cloudgate.monitoring.gateway_lines import FAMILIES, blocks
from cloudgate.monitoring.health import Health
from cloudgate.monitoring.process_page import page
from cloudgate.protocol import GatewayState

NEEDED_SECONDS = 15.0
"""How often at the most it is looked what needs a look: of each object something is asked for."""
OVERDUE = timedelta(minutes=1)
STALE_SECONDS = 120.0
"""Figures of a host that said nothing for so long are not shown any more: they are unknown."""
ROOT, PORT = "authority", "manager"
_OWN_FAMILIES = (
    "cloudgate_gateway_info",
    "cloudgate_gateway_up",
    "cloudgate_gateway_enabled",
    "cloudgate_directory_lag_revisions",
    "cloudgate_figures_age_seconds",
)
"""What the manager itself knows of gateways."""


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
        self._made: dict[str, _Made] = {}
        """The lines of each host's figures, which are made once, when it tells them."""
        manager.figures.on_heard = self._note_heard
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
                type_coerce(ManagedServer.id, String()),
                ManagedServer.name,
                type_coerce(ManagedServer.seen_at, String()),
                ManagedServer.facts.is_(None),
                BackupServer.name,
            )
            .join(BackupServer)
            .order_by(ManagedServer.name, ManagedServer.id)
        ).all()
        names, now = _Names(), work.now.timestamp()
        heard = {each.hex: at.timestamp() for each, at in work.presence.all().items()}
        states = Counter({"Online": 0, "Offline": 0, "Expected": 0})
        up, last = [], []
        for identifier, name, seen_at, is_new, site in rows:
            key = hex_of(identifier)
            shown = names.labels("server", name, site, key)
            kept = seconds_of(seen_at) if seen_at else 0.0
            seen = max(kept, heard.get(key, 0.0))
            is_up = seen > 0 and now - seen < ONLINE_FOR.total_seconds()
            states["Online" if is_up else "Expected" if is_new else "Offline"] += 1
            up.append(f"cloudgate_host_up{{{shown}}} {int(is_up)}\n")
            if seen:
                last.append(f"cloudgate_host_last_seen_timestamp_seconds{{{shown}}} {seen:.0f}\n")
        lines.put_lines("cloudgate_host_up", up)
        lines.put_lines("cloudgate_host_last_seen_timestamp_seconds", last)
        for state, count in states.items():
            lines.put("cloudgate_hosts", count, state)

    def _write_gateways(self, lines: Lines, work: UnitOfWork) -> None:
        heard = {each.hex: said for each, said in self._manager.figures.heard().items()}
        made: dict[str, _Made] = {}
        revisions, names = _Revisions(work), _Names()
        found: dict[str, list[str]] = {name: [] for name in _OWN_FAMILIES}
        info, up, enabled, lag, ages = found.values()
        cut_off = {each.hex for each in work.faults.cut_off_servers()}
        for row in _gateways(work):
            shown = names.labels("gateway", row.name, row.site, hex_of(row.gateway_id))
            wanted = _document(row.wanted) if isinstance(row.wanted, str) else row.wanted
            is_enabled = bool(wanted.get("enabled", True)) and not row.removing
            key = hex_of(row.server_id)
            is_online = row.online_since is not None and key not in cut_off
            is_up = is_online and row.reported_state == GatewayState.LISTENING
            info.append(f"cloudgate_gateway_info{{{shown},{_info_labels(row)}}} 1\n")
            up.append(f"cloudgate_gateway_up{{{shown}}} {int(is_up)}\n")
            enabled.append(f"cloudgate_gateway_enabled{{{shown}}} {int(is_enabled)}\n")
            if is_online:
                behind = revisions.newer_than(row.directory_revision or 0)
                lag.append(f"cloudgate_directory_lag_revisions{{{shown}}} {behind}\n")
            said = heard.get(key)
            if said is None:
                continue
            age = self._manager.figures.age_seconds(said)
            ages.append(f"cloudgate_figures_age_seconds{{{shown}}} {age:.1f}\n")
            if age <= STALE_SECONDS:
                made[key] = self._made_of(key, said, names.last)
        for name, some in found.items():
            lines.put_lines(name, some)
        self._made = made
        joined = zip(*(each.blocks for each in made.values()), strict=True)
        for name, some_lines in zip(FAMILIES, joined, strict=False):
            lines.put_lines(name, some_lines)

    def _made_of(self, key: str, said: Heard, whose: tuple[str, str]) -> "_Made":
        known = self._made.get(key)
        if known is not None and known.heard is said and known.whose == whose:
            return known
        return _Made(said, whose, blocks(said.figures, *whose, said.at))

    def _note_heard(self, server_id: UUID, said: Heard) -> None:
        """Make its lines now: at a scrape all of them would have to be made at once."""
        known = self._made.get(server_id.hex)
        if known is not None:
            self._made[server_id.hex] = self._made_of(server_id.hex, said, known.whose)

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


@dataclass(frozen=True)
class _Made:
    """The lines of a host's figures."""

    heard: Heard
    whose: tuple[str, str]
    blocks: tuple[str, ...]


class _Names:
    """Makes names of things unique: two with one name at a site are told apart by their ids."""

    def __init__(self) -> None:
        self._taken: set[tuple[str, str]] = set()
        self.last = ("", "")
        """Name and site of the last of them."""

    def labels(self, label: str, name: str, site: str, key: str) -> str:
        """The labels of a thing of a site."""
        found = (name, site)
        if found in self._taken:
            found = (f"{name} ({key[:8]})", site)
        self._taken.add(found)
        self.last = found
        return f'{label}="{escaped(found[0])}",site="{escaped(site)}"'


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
    raw = (
        CloudGateway.id.label("gateway_id"),
        CloudGateway.wanted.label("wanted"),
        ManagedServer.id.label("server_id"),
        ManagedServer.online_since.label("online_since"),
    )
    return work.session.execute(
        select(
            *(type_coerce(each.element, String()).label(each.name) for each in raw),
            CloudGateway.name,
            CloudGateway.removing,
            BackupServer.name.label("site"),
            GatewayPool.name.label("pool"),
            ManagedServer.name.label("server"),
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


def _info_labels(row: Any) -> str:
    return _shown_info(row.pool or "", row.server, row.version or "", row.envoy_version or "")


@lru_cache(4096)
def _shown_info(*shown: str) -> str:
    return labels_text(("pool", "server", "version", "envoy_version"), shown)


@lru_cache(4096)
def _document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


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
