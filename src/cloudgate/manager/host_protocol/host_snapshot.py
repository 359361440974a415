"""Host snapshot: which hosts are there, and what is each to have? One look, for all polls.

A thousand hosts that poll would ask the database the same thousand questions again and again. What
was made of a host the last time is kept while its row is the same.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import String, cast, select, type_coerce

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.host_protocol.authentication import CREDENTIAL_LIFE
from cloudgate.manager.servers.tenant_scope import Scope, scope_of
from cloudgate.manager.storage.raw_values import hex_of, seconds_of
from cloudgate.manager.storage.tables import BackupServer, Counter, ManagedServer
from cloudgate.trust.token_hashes import token_hash

SHOWN_IN_SNAPSHOT = frozenset(each.__tablename__ for each in (ManagedServer, BackupServer, Counter))
"""The tables that it is read from."""
MADE_ANEW_AFTER = timedelta(hours=1)
"""What a host may know becomes less because time passes, too."""


@dataclass(frozen=True)
class HostEntry:
    """A host whose credential is in use, and about which nothing has to be written down."""

    row: tuple[Any, ...]
    """As the database has it."""
    server_id: UUID
    site_id: UUID
    machine: str
    credential_good_until: datetime
    assignment_revision: int
    site_revision: int
    seen_addresses: str
    scope: Scope

    def is_usual(self, machine: str, now: datetime) -> bool:
        """Whether nothing is unusual about who speaks: the same machine, a young credential."""
        return now < self.credential_good_until and machine in ("", self.machine)


@dataclass(frozen=True)
class HostSnapshot:
    """All hosts whose credential is in use and who need nothing written down, at one moment."""

    by_credential: Mapping[str, HostEntry]
    """By the hash of the credential."""
    directory_revision: int
    made_at: datetime
    """When the oldest of them was made."""

    def find(self, credential: str) -> HostEntry | None:
        """The host whose credential this is; None for one to be looked at more closely."""
        return self.by_credential.get(token_hash(credential))


def host_snapshot(work: UnitOfWork, before: HostSnapshot | None = None) -> HostSnapshot:
    """Look. `before`: what was seen the last time, if there was one."""
    if before is None or work.now - before.made_at >= MADE_ANEW_AFTER:
        before = HostSnapshot({}, 0, work.now)
    found = {}
    for row in map(tuple, _rows(work)):
        same = before.by_credential.get(row[0])
        found[row[0]] = same if same and same.row == row else _entry(row, work.now)
    return HostSnapshot(found, work.directory_revision(), before.made_at)


def _rows(work: UnitOfWork) -> Iterable[Any]:
    """Rows as the driver has them: of a thousand, most are as they were."""
    return work.session.connection().execute(
        select(
            ManagedServer.credential_hash,
            type_coerce(ManagedServer.id, String()),
            type_coerce(ManagedServer.backup_server_id, String()),
            ManagedServer.machine,
            type_coerce(ManagedServer.credential_made_at, String()),
            ManagedServer.assignment_revision,
            cast(ManagedServer.scope, String()),
            BackupServer.site_revision,
            ManagedServer.seen_addresses,
        )
        .join(BackupServer, BackupServer.id == ManagedServer.backup_server_id)
        .where(
            ManagedServer.credential_hash.is_not(None),
            ManagedServer.credential_made_at.is_not(None),
            ManagedServer.next_credential_hash.is_(None),
            ManagedServer.online_since.is_not(None),
        )
    )


def _entry(row: tuple[Any, ...], now: datetime) -> HostEntry:
    _, server, site, machine, made_at, assignment_revision, scope, site_revision, seen = row
    made = datetime.fromtimestamp(seconds_of(made_at), UTC)
    return HostEntry(
        row=row,
        server_id=UUID(hex_of(server)),
        site_id=UUID(hex_of(site)),
        machine=machine,
        credential_good_until=made + CREDENTIAL_LIFE,
        assignment_revision=assignment_revision,
        site_revision=site_revision,
        seen_addresses=seen,
        scope=scope_of(json.loads(scope) if scope else None, now),
    )
