"""Host snapshot: which hosts are there, and what is each to have? One look, for all polls.

A thousand hosts that poll would ask the database the same thousand questions again and again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.host_protocol.enrolment import CREDENTIAL_LIFE, token_hash
from cloudgate.manager.servers.tenant_scope import Scope, scope_of
from cloudgate.manager.storage.tables import BackupServer, Counter, ManagedServer

SHOWN_IN_SNAPSHOT = frozenset(each.__tablename__ for each in (ManagedServer, BackupServer, Counter))
"""The tables that it is read from."""


@dataclass(frozen=True)
class HostEntry:
    """A host whose credential is in use, and about which nothing has to be written down."""

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

    def find(self, credential: str) -> HostEntry | None:
        """The host whose credential this is; None for one to be looked at more closely."""
        return self.by_credential.get(token_hash(credential))


def host_snapshot(work: UnitOfWork) -> HostSnapshot:
    """Look."""
    rows = work.session.execute(
        select(
            ManagedServer.credential_hash,
            ManagedServer.id,
            ManagedServer.backup_server_id,
            ManagedServer.machine,
            ManagedServer.credential_made_at,
            ManagedServer.assignment_revision,
            ManagedServer.scope,
            BackupServer.site_revision,
            ManagedServer.seen_addresses,
        )
        .join(BackupServer, BackupServer.id == ManagedServer.backup_server_id)
        .where(
            ManagedServer.next_credential_hash.is_(None),
            ManagedServer.online_since.is_not(None),
        )
    )
    found = {
        row.credential_hash: HostEntry(
            server_id=row.id,
            site_id=row.backup_server_id,
            machine=row.machine,
            credential_good_until=row.credential_made_at + CREDENTIAL_LIFE,
            assignment_revision=row.assignment_revision,
            site_revision=row.site_revision,
            seen_addresses=row.seen_addresses,
            scope=scope_of(row.scope, work.now),
        )
        for row in rows
        if row.credential_hash is not None and row.credential_made_at is not None
    }
    return HostSnapshot(found, work.directory_revision())
