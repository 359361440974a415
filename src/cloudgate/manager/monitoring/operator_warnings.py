"""Operator warnings: of which objects is an operator to be told something, and what?

One list: `cloudgate status`, the API's warnings and the metrics have it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from cloudgate.manager.backups.restored_state import remark_on_restore
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.gateways import operations as gateways
from cloudgate.manager.gateways.fleet import list_gateways_to_look_at
from cloudgate.manager.probes import operations as probes
from cloudgate.manager.protection import operations as protections
from cloudgate.manager.repositories.operations import list_repositories
from cloudgate.manager.servers import managed_servers
from cloudgate.manager.servers.backup_servers import list_backup_servers
from cloudgate.manager.storage.tables import BackupServer, CloudGateway, ManagedServer, Repository
from cloudgate.network import hostport

MANAGER = "Manager"
Subject = BackupServer | ManagedServer | CloudGateway | Repository


@dataclass(frozen=True)
class SubjectWarning:
    """Something that needs a look."""

    kind: str
    """Type of the object, as the API names it."""
    name: str
    text: str
    subject: Subject | None = None
    """None for the manager itself."""
    since: datetime | None = None
    cause: str = ""
    """Tells several of one object apart, whatever the text says by now."""


def operator_warnings(manager: Manager, work: UnitOfWork) -> Iterator[SubjectWarning]:
    """All of it, each once: first the manager itself, then what it looks after."""
    for each in manager.warnings.all():
        yield SubjectWarning(MANAGER, "manager", each.text, since=each.since, cause=each.kind)
    if remark := remark_on_restore(work):
        yield SubjectWarning(MANAGER, "manager", remark)
    for kind, subject, text in _of_others(work):
        if text:
            yield SubjectWarning(kind, subject.name, text, subject, cause=str(subject.id))


def _of_others(work: UnitOfWork) -> Iterator[tuple[str, Subject, str]]:
    for site in list_backup_servers(work):
        yield "BackupServer", site, hostport.unnamed_in_http1(site.name)
    for server in managed_servers.list_managed_servers_to_look_at(work):
        yield "ManagedServer", server, managed_servers.warnings_of(server)
    for gateway in list_gateways_to_look_at(work):
        yield "CloudGateway", gateway, gateways.own_warnings_of(work, gateway)
    repositories = list_repositories(work)
    unmeasured = probes.warnings_of(work, repositories)
    unprotected = protections.warnings_of(work, repositories)
    for repository in repositories:
        host = hostport.split(repository.endpoint)[0]
        yield "Repository", repository, hostport.unnamed_in_http1(host)
        yield "Repository", repository, unmeasured.get(repository.id, "")
        yield "Repository", repository, unprotected.get(repository.id, "")
