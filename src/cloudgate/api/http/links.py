"""Links: where does a resource lead? Hrefs and links, in the order that clients rely on."""

from dataclasses import dataclass, field
from functools import lru_cache
from uuid import UUID

from cloudgate.manager.storage.tables import BackupServer
from cloudgate.manager.storage.tenant_rows import Named
from cloudgate.values.identifiers import uid
from cloudgate.wire.resources.base import EntityRef, Link

ENTITY = "?format=Entity"


@dataclass(frozen=True)
class ResourceLocation:
    """Where an entity stands: what references, entities and the links between them need."""

    root: str
    path: str
    """Of its collection, such as ``/cloud/gateways``."""
    type: str
    id: UUID
    name: str
    href: str = field(init=False)
    """Address of the reference form."""
    entity_href: str = field(init=False)
    """Address of the entity form."""

    def __post_init__(self) -> None:
        """Nearly everybody asks for both; to find them when asked for takes twice as long."""
        href = f"{self.root}{self.path}/{self.id}"
        self.__dict__.update(href=href, entity_href=href + ENTITY)

    @property
    def uid(self) -> str:
        """The entity's UID."""
        return uid(self.type, self.id)

    @property
    def reference_type(self) -> str:
        """Type of the reference form."""
        return f"{self.type}Reference"

    def to_reference(self) -> Link:
        """In an entity: the way to its reference form."""
        return Link(rel="Alternate", href=self.href, name=self.name, type=self.reference_type)

    def to_entity(self) -> Link:
        """In a reference: the way to its entity form."""
        return Link(rel="Alternate", href=self.entity_href, name=self.name, type=self.type)

    def edit(self, *, named: bool = True) -> Link:
        """How to change it."""
        name = self.name if named else None
        return Link(rel="Edit", href=self.href, name=name, type=self.reference_type)

    def delete(self) -> Link:
        """How to remove it."""
        return Link(rel="Delete", href=self.href)

    def reference(self, *links: Link) -> EntityRef:
        """Its reference form."""
        return EntityRef(
            uid=self.uid, name=self.name, href=self.href, type=self.reference_type, links=links
        )


def down_link(href: str, resource_type: str) -> Link:
    """The way to a collection or a service."""
    return Link(rel="Down", href=href, type=resource_type)


def create_link(href: str, resource_type: str | None = None) -> Link:
    """How to add to a collection."""
    return Link(rel="Create", href=href, type=resource_type)


def backup_server_place(root: str, server: BackupServer) -> ResourceLocation:
    """Where a backup server stands."""
    return ResourceLocation(root, "/backupServers", "BackupServer", server.id, server.name)


def up_to_backup_server(root: str, server: BackupServer | Named) -> Link:
    """The usual way up: to the reference form."""
    return _up(root, server.id, server.name)


@lru_cache(maxsize=256)
def _up(root: str, server_id: UUID, name: str) -> Link:
    # The same for all that a site has, and asked for with each of them.
    place = ResourceLocation(root, "/backupServers", "BackupServer", server_id, name)
    return Link(rel="Up", href=place.href, name=place.name, type=place.reference_type)


def up_to_backup_server_entity(root: str, server: BackupServer) -> Link:
    """The way up of managed servers, quotas and subtenants: to the entity form."""
    place = backup_server_place(root, server)
    return Link(rel="Up", href=place.entity_href, name=place.name, type=place.type)
