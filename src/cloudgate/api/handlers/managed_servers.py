"""What does the API say of managed servers?"""

from cloudgate.api.call import Answer, Call
from cloudgate.api.links import Place, up_to_backup_server_entity
from cloudgate.manager.servers import managed_servers as operations
from cloudgate.manager.storage import tables
from cloudgate.wire.resources.base import EntityRef, EntityReferences
from cloudgate.wire.resources.infrastructure import ManagedServer, ManagedServers

TYPE = operations.TYPE


def _place(root: str, server: tables.ManagedServer) -> Place:
    return Place(root, "/managedServers", TYPE, server.id, server.name)


def _reference(root: str, server: tables.ManagedServer) -> EntityRef:
    place = _place(root, server)
    return place.reference(
        up_to_backup_server_entity(root, server.backup_server), place.to_entity()
    )


def _entity(root: str, server: tables.ManagedServer) -> ManagedServer:
    place = _place(root, server)
    return ManagedServer(
        href=place.entity_href,
        type=place.type,
        links=(
            up_to_backup_server_entity(root, server.backup_server),
            place.to_reference(),
        ),
        name=place.name,
        uid=place.uid,
        description=server.description,
        managed_server_type=server.kind,
    )


def get_managed_servers(call: Call) -> Answer:
    """All managed servers."""
    with call.reading() as work:
        found = operations.list_managed_servers(work)
    if call.wants_entity:
        entities = tuple(_entity(call.root, server) for server in found)
        return Answer(resource=ManagedServers(managed_servers=entities))
    references = tuple(_reference(call.root, server) for server in found)
    return Answer(resource=EntityReferences(refs=references))


def get_managed_server(call: Call) -> Answer:
    """One managed server."""
    with call.reading() as work:
        server = operations.get_managed_server(work, call.identifier(TYPE))
    form = _entity if call.wants_entity else _reference
    return Answer(resource=form(call.root, server))
