"""Backup servers: what does the API say of them, and what may be done?"""

from cloudgate import __version__
from cloudgate.api.access import ADMINISTRATORS, PROVIDERS
from cloudgate.api.handlers.common import TASK
from cloudgate.api.handlers.forms import Forms
from cloudgate.api.handlers.tasks import accepted
from cloudgate.api.http import links
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import DONE, Route, Routes, adds, shows_either
from cloudgate.manager.servers import backup_servers as operations
from cloudgate.manager.servers.backup_servers import BackupServerSettings
from cloudgate.manager.storage import tables
from cloudgate.manager.tasks.operations import finished_task
from cloudgate.values import precis
from cloudgate.wire.resources.base import EntityRef, EntityReferences, Link
from cloudgate.wire.resources.infrastructure import (
    BackupServer,
    BackupServers,
    BackupServerSpec,
)

TYPE = operations.TYPE


ROUTES = Routes(PROVIDERS)


def server_reference(root: str, server: tables.BackupServer) -> EntityRef:
    """The short form of a backup server."""
    place = links.backup_server_place(root, server)
    return place.reference(
        links.down_link(f"{place.href}/jobs", "JobReferenceList"),
        links.down_link(f"{place.href}/repositories", "RepositoryReferenceList"),
        links.down_link(f"{place.href}/externalRepositories", "ExternalRepositoryReferenceList"),
        links.down_link(f"{place.href}/credentials", "CredentialsList"),
        links.down_link(f"{place.href}/passwords", "PasswordKeyList"),
        place.to_entity(),
        links.down_link(f"{place.href}/managedServers", "ManagedServerReferenceList"),
    )


def server_entity(root: str, server: tables.BackupServer) -> BackupServer:
    """A backup server."""
    place = links.backup_server_place(root, server)
    return BackupServer(
        href=place.entity_href,
        type=place.type,
        links=(
            place.to_reference(),
            place.edit(named=False),
            Link(rel="Delete", href=place.href, type=place.reference_type),
            links.down_link(f"{place.href}/jobs", "JobReferenceList"),
            links.down_link(f"{place.href}/managedServers", "ManagedServerReferenceList"),
            links.down_link(f"{place.href}/repositories", "RepositoryReferenceList"),
            links.down_link(
                f"{place.href}/externalRepositories", "ExternalRepositoryReferenceList"
            ),
            links.down_link(f"{place.href}/credentials", "CredentialsList"),
            links.create_link(f"{place.href}/credentials?action=create"),
            links.down_link(f"{place.href}/passwords", "PasswordKeyList"),
            links.create_link(f"{place.href}/passwords?action=create"),
            Link(rel="VeeamZip", href=f"{place.href}?action=veeamzip"),
            Link(rel="QuickBackup", href=f"{place.href}?action=quickbackup"),
            Link(rel="Start", href=f"{place.href}?action=collect"),
        ),
        name=place.name,
        uid=place.uid,
        description=server.description,
        port=server.port,
        version=__version__,
        wcf_port=server.wcf_port,
        vbr_certificate_thumbprint=server.certificate_thumbprint or None,
    )


def _settings(spec: BackupServerSpec) -> BackupServerSettings:
    """What a spec asks for. Its password is not kept: nothing here ever needs it."""
    return BackupServerSettings(
        name=precis.name(spec.dns_name_or_ip_address or ""),
        description=spec.description,
        port=spec.port,
        user_name=spec.username,
        wcf_port=spec.wcf_port,
        certificate_thumbprint=spec.vbr_certificate_thumbprint,
    )


def _spec(entity: BackupServer, name: str) -> BackupServerSpec:
    """What an entity asks for of the server of that name."""
    return BackupServerSpec(
        description=entity.description,
        dns_name_or_ip_address=entity.name or name,
        port=entity.port,
        wcf_port=entity.wcf_port,
        vbr_certificate_thumbprint=entity.vbr_certificate_thumbprint,
    )


FORMS = Forms(server_reference, server_entity, lambda found: BackupServers(backup_servers=found))


@ROUTES.add(
    Route(
        verb="GET",
        path="/backupServers",
        cached=True,
        answers=shows_either(EntityReferences, BackupServers),
    )
)
def get_backup_servers(call: Call) -> Answer:
    """All backup servers."""
    with call.reading() as work:
        return FORMS.all(call, operations.list_backup_servers(work))


@ROUTES.add(
    Route(
        verb="GET",
        path="/backupServers/{id}",
        cached=True,
        answers=shows_either(EntityRef, BackupServer),
    )
)
def get_backup_server(call: Call) -> Answer:
    """One backup server."""
    with call.reading() as work:
        return FORMS.one(call, operations.get_backup_server(work, call.identifier(TYPE)))


@ROUTES.add(
    Route(
        verb="POST",
        path="/backupServers",
        action="create",
        answers=adds(),
        bodies=(BackupServerSpec,),
        roles=ADMINISTRATORS,
    )
)
def post_backup_server(call: Call, spec: BackupServerSpec) -> Answer:
    """Connect a backup server: 201 without a body, as published."""
    with call.changing() as work:
        server = operations.create_backup_server(work, _settings(spec))
    place = links.backup_server_place(call.root, server)
    return Answer(status=201, headers={"Location": place.href})


@ROUTES.add(
    Route(
        verb="PUT",
        path="/backupServers/{id}",
        answers=DONE,
        bodies=(BackupServerSpec, BackupServer),
        roles=ADMINISTRATORS,
    )
)
def put_backup_server(call: Call, body: BackupServerSpec | BackupServer) -> Answer:
    """Change a backup server: by the spec, as published, or by its entity, sent back."""
    with call.changing() as work:
        server = operations.get_backup_server(work, call.identifier(TYPE))
        spec = body if isinstance(body, BackupServerSpec) else _spec(body, server.name)
        operations.edit_backup_server(work, server, _settings(spec))
    return Answer(status=204)


@ROUTES.add(Route(verb="DELETE", path="/backupServers/{id}", answers=DONE, roles=ADMINISTRATORS))
def delete_backup_server(call: Call) -> Answer:
    """Disconnect a backup server."""
    with call.changing() as work:
        server = operations.get_backup_server(work, call.identifier(TYPE))
        operations.delete_backup_server(work, server)
    return Answer(status=204)


@ROUTES.add(Route(verb="POST", path="/backupServers/{id}", action="collect", answers=TASK))
def collect(call: Call) -> Answer:
    """Collect data from a backup server. Hosts report by themselves, so it is done at once."""
    with call.changing() as work:
        operations.get_backup_server(work, call.identifier(TYPE))
        task = finished_task(
            work,
            "CollectingBackupServer",
            "Data collection started. To view results, go to Sessions.",
        )
    return accepted(call, task)
