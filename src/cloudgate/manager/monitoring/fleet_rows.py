"""Fleet rows: which hosts and gateways does the database hold, as lines of metrics need them?

What of a line is the same from scrape to scrape is made once, and kept while the row is the same.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import String, select, type_coerce

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.monitoring.unique_names import UniqueNames
from cloudgate.manager.servers.facts import TOLD_REVISION, told_revision
from cloudgate.manager.storage.raw_values import hex_of, seconds_of
from cloudgate.manager.storage.tables import (
    BackupServer,
    CloudGateway,
    GatewayPool,
    ManagedServer,
)
from cloudgate.monitoring.exposition import labels_text
from cloudgate.protocol import GatewayState


@dataclass(frozen=True)
class HostRow:
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
    was_online: bool


@dataclass(frozen=True)
class GatewayRow:
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
class FleetRows:
    """What the database held after so many changes."""

    changes: int
    hosts: Sequence[HostRow]
    gateways: Sequence[GatewayRow]


def host_rows(work: UnitOfWork, known: Sequence[HostRow]) -> Sequence[HostRow]:
    """All managed servers; of those that are the same, the `known` rows."""
    rows = work.session.connection().execute(
        select(
            type_coerce(ManagedServer.id, String()),
            ManagedServer.name,
            type_coerce(ManagedServer.seen_at, String()),
            ManagedServer.facts.is_(None),
            ManagedServer.online_since.is_not(None),
            BackupServer.name,
        )
        .join(BackupServer)
        .order_by(ManagedServer.name, ManagedServer.id)
    )
    names, found, before = UniqueNames(), [], {each.row[0]: each for each in known}
    for row in rows:
        identifier, name, seen_at, is_new, was_online, site = row
        whose = names.of(name, hex_of(identifier), site), site
        same = before.get(identifier)
        if same is None or (same.row, same.whose) != (tuple(row), whose):
            labels = labels_text(("server", "site"), whose)
            kept = seconds_of(seen_at) if seen_at else 0.0
            key = UUID(hex_of(identifier))
            up = _no_or_yes("cloudgate_host_up", labels)
            same = HostRow(tuple(row), key, whose, labels, up, kept, bool(is_new), bool(was_online))
        found.append(same)
    return found


def gateway_rows(work: UnitOfWork, known: Sequence[GatewayRow]) -> Sequence[GatewayRow]:
    """All gateways that are there; of those that are the same, the `known` rows."""
    names, found, before = UniqueNames(), [], {each.row[0]: each for each in known}
    for row in _rows_of_gateways(work):
        whose = names.of(row.name, hex_of(row.gateway_id), row.site), row.site
        same = before.get(row.gateway_id)
        if same is None or (same.row, same.whose) != (tuple(row), whose):
            same = _gateway(row, whose)
        found.append(same)
    return found


def _gateway(row: Any, whose: tuple[str, str]) -> GatewayRow:
    labels = labels_text(("gateway", "site"), whose)
    of_it = (row.pool or "", row.server, row.version or "", row.envoy_version or "")
    info = labels_text(("pool", "server", "version", "envoy_version"), of_it)
    wanted = _document(row.wanted) if isinstance(row.wanted, str) else row.wanted
    is_enabled = bool(wanted.get("enabled", True)) and not row.removing
    lag = f"cloudgate_directory_lag_revisions{{{labels}}} "
    return GatewayRow(
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
        directory_revision=told_revision(row.directory_revision) or 0,
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
                TOLD_REVISION.label("directory_revision"),
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
