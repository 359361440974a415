"""Updates: what is new for a host? Its assignment, its site, what to look up of its tenants."""

from dataclasses import dataclass
from uuid import UUID

from cloudgate import protocol
from cloudgate.manager.certificates.operations import certificate_for, key_of
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import drain_seconds_of, gateway_of, wanted_settings
from cloudgate.manager.host_protocol import tenant_feed
from cloudgate.manager.host_protocol.gateway_certificates import certificate_of
from cloudgate.manager.host_protocol.site_document import site_document
from cloudgate.manager.servers.tenant_scope import Scope, scope_of
from cloudgate.manager.storage.tables import CloudGateway, ManagedServer
from cloudgate.manager.tenants import certificates as tenant_certificates


@dataclass(frozen=True)
class Pending:
    """What is new for a host; of the tenants, what has to be looked up, once for all alike."""

    server_id: UUID
    scope: Scope
    directory_revision: int
    """The newest when the question was found."""
    question: tenant_feed.DirectoryQuery | None
    """None where the host knows that one."""
    assignment: protocol.Assignment | None = None
    site: protocol.Site | None = None


def pending(work: UnitOfWork, server: ManagedServer, request: protocol.PollRequest) -> Pending:
    """What is new for a host."""
    current, scope = work.directory_revision(), scope_of(server.scope, work.now)
    known, site = request.directory_revision, server.backup_server
    return Pending(
        server.id,
        scope,
        current,
        tenant_feed.question_of(site.id, scope, known, current),
        assignment=(
            current_assignment(work, server)
            if request.assignment_revision != server.assignment_revision
            else None
        ),
        site=site_document(work, site) if request.site_revision != site.site_revision else None,
    )


def current_assignment(work: UnitOfWork, server: ManagedServer) -> protocol.Assignment:
    """The state that a machine is wanted to be in."""
    gateway = gateway_of(work, server)
    wanted = None if gateway is None or gateway.removing else _gateway_document(work, gateway)
    found = protocol.Assignment(revision=server.assignment_revision, gateway=wanted)
    if gateway is None:
        return found
    drain = {"drain": gateway.drain, "drain_seconds": drain_seconds_of(gateway)}
    return found.model_copy(update=drain)


def _gateway_document(work: UnitOfWork, gateway: CloudGateway) -> protocol.Gateway:
    brought = certificate_for(work, gateway)
    return protocol.Gateway(
        gateway_id=gateway.id,
        pool_id=gateway.pool_id,
        certificate_chain_pem=brought.chain_pem if brought else certificate_of(work, gateway),
        private_key_pem=key_of(work, brought) if brought else None,
        client_authorities=(tenant_certificates.authority(work).pem,),
        **wanted_settings(gateway).host_fields,
    )
