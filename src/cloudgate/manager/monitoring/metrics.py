"""Metrics of the manager: what does its page show? Itself, its hosts, and what these report."""

import asyncio
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
from cloudgate.manager.core.marks import LAST_BACKUP_AT, read_moment
from cloudgate.manager.core.unit_of_work import DIRECTORY, Manager, UnitOfWork
from cloudgate.manager.monitoring import outbox_lines
from cloudgate.manager.monitoring.needs_a_look import needs_a_look
from cloudgate.manager.monitoring.raw_values import hex_of, seconds_of
from cloudgate.manager.monitoring.unique_names import UniqueNames
from cloudgate.manager.protection import operations as protections
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
from cloudgate.manager.tenants import passwords
from cloudgate.monitoring.exposition import Lines, labels_text
from cloudgate.monitoring.gateway_lines import FAMILIES, blocks
from cloudgate.monitoring.health import Health
from cloudgate.monitoring.page_threads import in_page_thread
from cloudgate.monitoring.process_page import page
from cloudgate.protocol import GatewayState

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
        self._rows: _Rows | None = None
        """What the database held when it was last asked."""
        self._made: dict[UUID, _Made] = {}
        """The lines of each host's figures, which are made once, when it tells them."""
        manager.figures.on_heard = self._note_heard
        self._needed: _Needed | None = None
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
            before = self._rows or _Rows(changes, (), ())
            hosts, gateways = _hosts(work, before.hosts), _gateways(work, before.gateways)
            self._rows = _Rows(changes, hosts, gateways)
        self._write_hosts(lines, work, self._rows.hosts)
        self._write_gateways(lines, work, self._rows.gateways)
        needed = self._needed = self._needed or _Needed(self._manager, work, changes)
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

    def _write_hosts(self, lines: Lines, work: UnitOfWork, hosts: Sequence["_Host"]) -> None:
        now, heard = work.now.timestamp(), work.presence.all()
        states = Counter({"Online": 0, "Offline": 0, "Expected": 0})
        up, last = [], []
        for each in hosts:
            heard_at = heard.get(each.key)
            seen = max(each.kept_seconds, heard_at.timestamp() if heard_at else 0.0)
            is_up = seen > 0 and now - seen < ONLINE_FOR.total_seconds()
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
        self, lines: Lines, work: UnitOfWork, gateways: Sequence["_Gateway"]
    ) -> None:
        heard, now_seconds = self._manager.figures.heard(), self._manager.figures.now_seconds
        made: dict[UUID, _Made] = {}
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

    def _made_of(self, server_id: UUID, said: Heard, whose: tuple[str, str]) -> "_Made":
        known = self._made.get(server_id)
        if known is not None and known.heard is said and known.whose == whose:
            return known
        return _Made(said, whose, blocks(said.figures, *whose, said.began_at))

    def _note_heard(self, server_id: UUID, said: Heard) -> None:
        """Make its lines now: at a scrape all of them would have to be made at once."""
        known = self._made.get(server_id)
        if known is not None:
            self._made[server_id] = self._made_of(server_id, said, known.whose)

    def _look_what_is_needed(self) -> None:
        """See for the next page what needs a look: something is asked for of each object."""
        is_looking = self._looking is not None and not self._looking.done()
        known = self._needed
        if known is not None and not is_looking and known.is_old(self._manager.changes.count):
            self._looking = asyncio.ensure_future(in_page_thread(self._look))

    def _look(self) -> None:
        changes = self._manager.changes.count
        try:
            with self._manager.reading() as work:
                self._needed = _Needed(self._manager, work, changes)
        except SQLAlchemyError:
            self._needed = None  # unknown; `cloudgate_database_up` says why


class _Needed:
    """What needs a look, after so many changes."""

    def __init__(self, manager: Manager, work: UnitOfWork, changes: int) -> None:
        self._at_seconds = time.monotonic()
        self._changes = changes
        found = dict.fromkeys((each.kind, each.name) for each in needs_a_look(manager, work))
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
class _Made:
    """The lines of a host's figures."""

    heard: Heard
    whose: tuple[str, str]
    blocks: tuple[bytes, ...]


@dataclass(frozen=True)
class _Host:
    """A managed server, as the database has it."""

    row: tuple[Any, ...]
    key: UUID
    whose: tuple[str, str]
    """Its name and that of its site, as they are shown."""
    labels: str
    up: tuple[str, str]
    """Lines that say that it is not, or is."""
    kept_seconds: float
    """When it was last heard of, as was written down; 0 for never."""
    is_new: bool


@dataclass(frozen=True)
class _Gateway:
    """A gateway, as the database has it."""

    row: tuple[Any, ...]
    server_id: UUID
    whose: tuple[str, str]
    """Its name and that of its site, as they are shown."""
    info: str
    enabled: str
    no_lag: str
    """Lines."""
    up: tuple[str, str]
    """Lines that say that it is not, or is."""
    lag: str
    age: str
    """How lines begin."""
    is_online: bool
    listens: bool
    directory_revision: int


@dataclass(frozen=True)
class _Rows:
    """What the database held after so many changes."""

    changes: int
    hosts: Sequence[_Host]
    gateways: Sequence[_Gateway]


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


def _hosts(work: UnitOfWork, known: Sequence[_Host]) -> Sequence[_Host]:
    rows = work.session.connection().execute(
        select(
            type_coerce(ManagedServer.id, String()),
            ManagedServer.name,
            type_coerce(ManagedServer.seen_at, String()),
            ManagedServer.facts.is_(None),
            BackupServer.name,
        )
        .join(BackupServer)
        .order_by(ManagedServer.name, ManagedServer.id)
    )
    names, found, before = UniqueNames(), [], {each.row[0]: each for each in known}
    for row in rows:
        identifier, name, seen_at, is_new, site = row
        whose = names.of(name, hex_of(identifier), site), site
        same = before.get(identifier)
        if same is None or (same.row, same.whose) != (tuple(row), whose):
            labels = labels_text(("server", "site"), whose)
            kept = seconds_of(seen_at) if seen_at else 0.0
            key = UUID(hex_of(identifier))
            up = _no_or_yes("cloudgate_host_up", labels)
            same = _Host(tuple(row), key, whose, labels, up, kept, bool(is_new))
        found.append(same)
    return found


def _gateways(work: UnitOfWork, known: Sequence[_Gateway]) -> Sequence[_Gateway]:
    names, found, before = UniqueNames(), [], {each.row[0]: each for each in known}
    for row in _rows_of_gateways(work):
        whose = names.of(row.name, hex_of(row.gateway_id), row.site), row.site
        same = before.get(row.gateway_id)
        if same is None or (same.row, same.whose) != (tuple(row), whose):
            same = _gateway(row, whose)
        found.append(same)
    return found


def _gateway(row: Any, whose: tuple[str, str]) -> _Gateway:
    labels = labels_text(("gateway", "site"), whose)
    of_it = (row.pool or "", row.server, row.version or "", row.envoy_version or "")
    info = labels_text(("pool", "server", "version", "envoy_version"), of_it)
    wanted = _document(row.wanted) if isinstance(row.wanted, str) else row.wanted
    is_enabled = bool(wanted.get("enabled", True)) and not row.removing
    lag = f"cloudgate_directory_lag_revisions{{{labels}}} "
    return _Gateway(
        row=tuple(row),
        server_id=UUID(hex_of(row.server_id)),
        whose=whose,
        no_lag=f"{lag}0\n",
        up=_no_or_yes("cloudgate_gateway_up", labels),
        lag=lag,
        age=f"cloudgate_figures_age_seconds{{{labels}}} ",
        info=f"cloudgate_gateway_info{{{labels},{info}}} 1\n",
        enabled=f"cloudgate_gateway_enabled{{{labels}}} {int(is_enabled)}\n",
        is_online=row.online_since is not None,
        listens=row.reported_state == GatewayState.LISTENING,
        directory_revision=row.directory_revision or 0,
    )


def _rows_of_gateways(work: UnitOfWork) -> Iterable[Any]:
    raw = (
        CloudGateway.id.label("gateway_id"),
        CloudGateway.wanted.label("wanted"),
        ManagedServer.id.label("server_id"),
        ManagedServer.online_since.label("online_since"),
    )
    return (
        work.session.connection()
        .execute(
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
        )
        .all()
    )


def _no_or_yes(name: str, labels: str) -> tuple[str, str]:
    return f"{name}{{{labels}}} 0\n", f"{name}{{{labels}}} 1\n"


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
