"""Managed servers: what does the API say of them, and what may be done?

Adding and removing are extensions: in the original, managed servers come from elsewhere.
"""

from dataclasses import replace

from cloudgate.api.access import PROVIDERS
from cloudgate.api.handlers.forms import Forms
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.links import ResourceLocation, up_to_backup_server_entity
from cloudgate.api.http.router import DONE, Route, Routes, adds, shows, shows_either
from cloudgate.manager.host_protocol.enrolment import (
    NewServer,
    add_server,
    readmit,
    renew_token,
    revoke,
)
from cloudgate.manager.security.authority import fingerprint
from cloudgate.manager.servers import managed_servers as operations
from cloudgate.manager.servers.backup_servers import get_backup_server
from cloudgate.manager.servers.facts import facts_of
from cloudgate.manager.storage import tables
from cloudgate.wire.resources.base import EntityRef, EntityReferences, Link
from cloudgate.wire.resources.infrastructure import (
    CreateManagedServerSpec,
    ManagedServer,
    ManagedServers,
)

TYPE = operations.TYPE


LISTS = Routes(PROVIDERS)
ROUTES = Routes(PROVIDERS)


def server_place(root: str, server: tables.ManagedServer) -> ResourceLocation:
    """Where a managed server stands."""
    return ResourceLocation(root, "/managedServers", TYPE, server.id, server.name)


def server_reference(root: str, server: tables.ManagedServer) -> EntityRef:
    """The short form of a managed server."""
    place = server_place(root, server)
    return place.reference(
        up_to_backup_server_entity(root, server.backup_server), place.to_entity()
    )


def server_entity(root: str, server: tables.ManagedServer) -> ManagedServer:
    """A managed server."""
    place = server_place(root, server)
    facts = facts_of(server)
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
        state=operations.condition_of(server),
        online_since=server.online_since,
        last_seen=server.seen_at,
        version=facts.version if facts else None,
        envoy_version=facts.envoy_version if facts else None,
        host_addresses=", ".join(facts.addresses) if facts else None,
        warning=operations.warnings_of(server) or None,
    )


def _if_removable(place: ResourceLocation, server: tables.ManagedServer) -> tuple[Link, ...]:
    return () if server.local else (place.delete(),)


FORMS = Forms(server_reference, server_entity, lambda found: ManagedServers(managed_servers=found))


@LISTS.add(
    Route(
        verb="GET", path="/managedServers", answers=shows_either(EntityReferences, ManagedServers)
    )
)
def get_managed_servers(call: Call) -> Answer:
    """All managed servers."""
    with call.reading() as work:
        return FORMS.all(call, operations.list_managed_servers(work))


@LISTS.add(
    Route(
        verb="GET",
        path="/backupServers/{id}/managedServers",
        answers=shows_either(EntityReferences, ManagedServers),
    )
)
def get_servers_of_site(call: Call) -> Answer:
    """The managed servers of one backup server."""
    with call.reading() as work:
        site = get_backup_server(work, call.identifier("BackupServer"))
        return FORMS.all(call, operations.servers_of(work, site))


@ROUTES.add(
    Route(verb="GET", path="/managedServers/{id}", answers=shows_either(EntityRef, ManagedServer))
)
def get_managed_server(call: Call) -> Answer:
    """One managed server."""
    with call.reading() as work:
        return FORMS.one(call, operations.get_managed_server(work, call.identifier(TYPE)))


@ROUTES.add(
    Route(
        verb="POST",
        path="/managedServers",
        answers=adds(ManagedServer),
        bodies=(CreateManagedServerSpec,),
    )
)
def post_managed_server(call: Call, spec: CreateManagedServerSpec) -> Answer:
    """Add a managed server; the answer holds the token that its host service joins with, once."""
    with call.changing() as work:
        new = add_server(work, spec.backup_server_uid, spec.name or "", spec.description or "")
    place = server_place(call.root, new.server)
    return Answer(status=201, resource=_expected(call, new), headers={"Location": place.href})


@ROUTES.add(
    Route(
        verb="POST",
        path="/managedServers/{id}",
        action="renewjointoken",
        answers=shows(ManagedServer),
    )
)
def renew_join_token(call: Call) -> Answer:
    """Let a machine join as this managed server: another one-time token, shown once."""
    with call.changing() as work:
        server = operations.get_managed_server(work, call.identifier(TYPE))
        new = renew_token(work, server)
    return Answer(resource=_expected(call, new))


@ROUTES.add(Route(verb="POST", path="/managedServers/{id}", action="revoke", answers=DONE))
def revoke_managed_server(call: Call) -> Answer:
    """Listen to a managed server's machine no more; its gateway lets nobody new in."""
    with call.changing() as work:
        revoke(work, operations.get_managed_server(work, call.identifier(TYPE)))
    return Answer(status=204)


@ROUTES.add(Route(verb="POST", path="/managedServers/{id}", action="readmit", answers=DONE))
def readmit_managed_server(call: Call) -> Answer:
    """Let a machine in again whose credential was made after the database that was put back."""
    with call.changing() as work:
        readmit(work, operations.get_managed_server(work, call.identifier(TYPE)))
    return Answer(status=204)


def _expected(call: Call, new: NewServer) -> ManagedServer:
    return replace(
        server_entity(call.root, new.server),
        join_token=new.join_token,
        join_token_expiration_date=new.expires_at,
        join_fingerprint=fingerprint(call.manager.authority.certificate),
    )


@ROUTES.add(Route(verb="DELETE", path="/managedServers/{id}", answers=DONE))
def delete_managed_server(call: Call) -> Answer:
    """Remove a managed server that has no role."""
    with call.changing() as work:
        server = operations.get_managed_server(work, call.identifier(TYPE))
        operations.delete_managed_server(work, server)
    return Answer(status=204)
