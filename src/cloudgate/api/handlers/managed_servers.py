"""What does the API say of managed servers, and what may be done to them?

Adding and removing are extensions: in the original, managed servers come from elsewhere.
"""

from collections.abc import Sequence
from dataclasses import replace

from cloudgate.api.call import Answer, Call
from cloudgate.api.links import Place, up_to_backup_server_entity
from cloudgate.manager.hosts.joining import add_server
from cloudgate.manager.servers import managed_servers as operations
from cloudgate.manager.servers.backup_servers import get_backup_server
from cloudgate.manager.storage import tables
from cloudgate.wire.resources.base import EntityRef, EntityReferences, Link
from cloudgate.wire.resources.infrastructure import (
    CreateManagedServerSpec,
    ManagedServer,
    ManagedServers,
)

TYPE = operations.TYPE


def server_place(root: str, server: tables.ManagedServer) -> Place:
    """Where a managed server stands."""
    return Place(root, "/managedServers", TYPE, server.id, server.name)


def server_reference(root: str, server: tables.ManagedServer) -> EntityRef:
    """The short form of a managed server."""
    place = server_place(root, server)
    return place.reference(
        up_to_backup_server_entity(root, server.backup_server), place.to_entity()
    )


def server_entity(root: str, server: tables.ManagedServer) -> ManagedServer:
    """A managed server."""
    place = server_place(root, server)
    return ManagedServer(
        href=place.entity_href,
        type=place.type,
        links=(
            up_to_backup_server_entity(root, server.backup_server),
            place.to_reference(),
            *_if_removable(place, server),
        ),
        name=place.name,
        uid=place.uid,
        description=server.description,
        managed_server_type=server.kind,
    )


def _if_removable(place: Place, server: tables.ManagedServer) -> tuple[Link, ...]:
    return () if server.local else (place.delete(),)


def get_managed_servers(call: Call) -> Answer:
    """All managed servers."""
    with call.reading() as work:
        return _listed(call, operations.list_managed_servers(work))


def get_servers_of_site(call: Call) -> Answer:
    """The managed servers of one backup server."""
    with call.reading() as work:
        site = get_backup_server(work, call.identifier("BackupServer"))
        return _listed(call, operations.servers_of(work, site))


def _listed(call: Call, found: Sequence[tables.ManagedServer]) -> Answer:
    if call.wants_entity:
        entities = tuple(server_entity(call.root, server) for server in found)
        return Answer(resource=ManagedServers(managed_servers=entities))
    references = tuple(server_reference(call.root, server) for server in found)
    return Answer(resource=EntityReferences(refs=references))


def get_managed_server(call: Call) -> Answer:
    """One managed server."""
    with call.reading() as work:
        server = operations.get_managed_server(work, call.identifier(TYPE))
    form = server_entity if call.wants_entity else server_reference
    return Answer(resource=form(call.root, server))


def post_managed_server(call: Call, spec: CreateManagedServerSpec) -> Answer:
    """Add a managed server; the answer holds the token that its host service joins with, once."""
    with call.changing() as work:
        new = add_server(work, spec.backup_server_uid, spec.name or "", spec.description or "")
        work.session.refresh(new.server)
    entity = replace(
        server_entity(call.root, new.server),
        join_token=new.join_token,
        join_token_expiration_date=new.expires_at,
    )
    place = server_place(call.root, new.server)
    return Answer(status=201, resource=entity, headers={"Location": place.href})


def delete_managed_server(call: Call) -> Answer:
    """Remove a managed server that has no role."""
    with call.changing() as work:
        server = operations.get_managed_server(work, call.identifier(TYPE))
        operations.delete_managed_server(work, server)
    return Answer(status=204)
