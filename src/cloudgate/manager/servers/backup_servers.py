"""Backup servers: how are they connected, found, edited and removed?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from cloudgate.errors import InvalidRequestError, NotFoundError
from cloudgate.manager import naming
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import (
    BackupServer,
    CloudGateway,
    CloudTenant,
    ManagedServer,
    Repository,
)
from cloudgate.values import identifiers, precis
from cloudgate.values.enumeration import few

DEFAULT_PORT = 9392
TYPE = "BackupServer"
CREATED = Event("CreateBackupServer", "Backup server {name} [{id}] has been connected")
EDITED = Event("EditBackupServer", "Backup server {name} [{id}] has been modified")
DELETED = Event("DeleteBackupServer", "Backup server {name} has been disconnected", WARNING)


@dataclass(frozen=True, kw_only=True)
class BackupServerSettings:
    """What an operator says about a backup server; None leaves it as it is."""

    name: str
    description: str | None = None
    port: int | None = None
    user_name: str | None = None
    wcf_port: int | None = None
    certificate_thumbprint: str | None = None


def list_backup_servers(work: UnitOfWork) -> Sequence[BackupServer]:
    """All backup servers by name."""
    return work.session.scalars(select(BackupServer).order_by(BackupServer.name)).all()


def get_backup_server(work: UnitOfWork, identifier: UUID) -> BackupServer:
    """A backup server by its id.

    Raises:
        NotFoundError: there is none.
    """
    return work.get(BackupServer, identifier, "backup server")


def choose_backup_server(work: UnitOfWork, id_or_name: str | None, uid: str | None) -> BackupServer:
    """The backup server that a request is about, as POST /cloud/gateways tells how to name it.

    Raises:
        InvalidRequestError: the two name different servers, or neither is given and which one is
            meant cannot be known.
        NotFoundError: there is no such server.
    """
    by_uid = get_backup_server(work, identifiers.parse(uid, TYPE)) if uid else None
    by_name = _by_id_or_name(work, id_or_name) if id_or_name else None
    if by_uid and by_name and by_uid.id != by_name.id:
        raise InvalidRequestError(
            f"BackupServerUid is the one of {by_uid.name}, BackupServerIdOrName means"
            f" {by_name.name}: give one of the two."
        )
    chosen = by_uid or by_name
    return chosen if chosen is not None else _only_one(work)


def _by_id_or_name(work: UnitOfWork, id_or_name: str) -> BackupServer:
    try:
        identifier = identifiers.parse(id_or_name, TYPE)
    except InvalidRequestError:
        wanted = precis.key(id_or_name)
        for server in list_backup_servers(work):
            if precis.key(server.name) == wanted:
                return server
        raise NotFoundError(f"There is no backup server named {id_or_name!r}.") from None
    return get_backup_server(work, identifier)


def _only_one(work: UnitOfWork) -> BackupServer:
    servers = list_backup_servers(work)
    if len(servers) == 1:
        return servers[0]
    connected = few(server.name for server in servers) or "none"
    raise InvalidRequestError(
        "BackupServerUid is missing. It may be left out while exactly one backup server is"
        f" connected; connected: {connected}."
    )


def create_backup_server(work: UnitOfWork, settings: BackupServerSettings) -> BackupServer:
    """Connect a backup server.

    Raises:
        InvalidRequestError: it is no name, or one of that name is connected already.
    """
    name = naming.host(settings.name, "DnsNameOrIpAddress")
    _check_name_is_free(work, name, None)
    server = BackupServer(name=name, port=DEFAULT_PORT)
    _apply(server, settings)
    work.session.add(server)
    work.session.flush()
    record(work, change_to(server, TYPE, CREATED, after=_documented(server)))
    return server


def edit_backup_server(
    work: UnitOfWork, server: BackupServer, settings: BackupServerSettings
) -> None:
    """Change a backup server; what tenants reach it by changes with it.

    Raises:
        InvalidRequestError: it is no name, or another one has it.
    """
    name = naming.host(settings.name, "DnsNameOrIpAddress", server.name)
    _check_name_is_free(work, name, server.id)
    before = _documented(server)
    server.name = name
    _apply(server, settings)
    after = _documented(server)
    if (after["Name"], after["Port"]) != (before["Name"], before["Port"]):
        _republish_tenants(work, server)
    record(work, change_to(server, TYPE, EDITED, before=before, after=after))


def _apply(server: BackupServer, settings: BackupServerSettings) -> None:
    for field in ("description", "port", "user_name", "wcf_port", "certificate_thumbprint"):
        value = getattr(settings, field)
        if value is not None:
            setattr(server, field, value)


def _republish_tenants(work: UnitOfWork, server: BackupServer) -> None:
    revision = work.next_directory_revision()
    for tenant in work.session.scalars(
        select(CloudTenant).where(CloudTenant.backup_server_id == server.id)
    ):
        tenant.directory_revision = revision
    work.news_for.add(server.id)


def _check_name_is_free(work: UnitOfWork, name: str, own_id: UUID | None) -> None:
    for other in list_backup_servers(work):
        if precis.key(other.name) == precis.key(name) and other.id != own_id:
            raise InvalidRequestError(f"A backup server named {other.name} is connected already.")


def delete_backup_server(work: UnitOfWork, server: BackupServer) -> None:
    """Disconnect a backup server.

    Raises:
        InvalidRequestError: something is still registered under it; the message says what.
    """
    counts = {
        "managed servers": select(func.count(ManagedServer.id)).where(
            ManagedServer.backup_server_id == server.id
        ),
        "cloud gateways": select(func.count(CloudGateway.id)).where(
            CloudGateway.backup_server_id == server.id
        ),
        "repositories": select(func.count(Repository.id)).where(
            Repository.backup_server_id == server.id
        ),
        "tenants": select(func.count(CloudTenant.id)).where(
            CloudTenant.backup_server_id == server.id
        ),
    }
    found = {name: work.session.scalar(query) for name, query in counts.items()}
    used = [f"{count} {name}" for name, count in found.items() if count]
    if used:
        raise InvalidRequestError(
            f"The backup server {server.name} is in use by {', '.join(used)}; remove these first."
        )
    record(work, change_to(server, TYPE, DELETED, before=_documented(server)))
    work.session.delete(server)


def _documented(server: BackupServer) -> dict[str, Any]:
    return {
        "Name": server.name,
        "Description": server.description,
        "Port": server.port,
        "UserName": server.user_name,
    }
