"""How does a machine join, learn what is wanted of it, and report?"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import select

from cloudgate import assignment
from cloudgate.errors import InvalidRequestError, NotAuthenticatedError
from cloudgate.manager.audit.events import change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.authority import still_good
from cloudgate.manager.gateways import rules
from cloudgate.manager.gateways.operations import gateway_of, wanted_settings
from cloudgate.manager.gateways.settle import settle_report
from cloudgate.manager.hosts import directory
from cloudgate.manager.servers.backup_servers import choose_backup_server
from cloudgate.manager.servers.managed_servers import TYPE as SERVER
from cloudgate.manager.servers.managed_servers import servers_of, touch_assignment
from cloudgate.manager.storage.tables import BackupServer, CloudGateway, ManagedServer
from cloudgate.manager.work import Work

TOKEN_LIFE = timedelta(hours=24)


@dataclass(frozen=True)
class Waiting:
    """Nothing to tell a host yet: it hears when one of `keys` rings."""

    keys: tuple[UUID, ...]


@dataclass(frozen=True)
class NewServer:
    """A managed server that has not joined yet, and what it joins with."""

    server: ManagedServer
    join_token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"NewServer(server={self.server.name!r}, join_token=...)"


def expect_server(
    work: Work, site: BackupServer, name: str, *, description: str = "", local: bool = False
) -> tuple[ManagedServer, str]:
    """Make a managed server that has not joined yet, and the one-time token for it to join with."""
    server = ManagedServer(
        backup_server_id=site.id, name=name, description=description, kind="Linux", local=local
    )
    work.session.add(server)
    return server, new_token(work, server)


def add_server(work: Work, backup_server_uid: str | None, name: str, description: str) -> NewServer:
    """Make a managed server for an operator to have join.

    Raises:
        InvalidRequestError: the site has a managed server of that name.
        NotFoundError: the backup server is unknown.
    """
    site = choose_backup_server(work, None, backup_server_uid)
    name = name.strip()
    for other in servers_of(work, site):
        if other.name.casefold() == name.casefold():
            raise InvalidRequestError(
                f"A managed server named {other.name} is in {site.name} already."
            )
    server, token = expect_server(work, site, name, description=description)
    work.session.flush()
    document = {"Name": name, "Description": description, "BackupServer": site.name}
    record(work, change_to(server, SERVER, "CreateManagedServer", after=document))
    return NewServer(server, token, work.now + TOKEN_LIFE)


def new_token(work: Work, server: ManagedServer) -> str:
    """A one-time token; an earlier one of this server is worth nothing from here on."""
    token = secrets.token_urlsafe(32)
    server.join_token_hash = token_hash(token)
    server.join_token_expires_at = work.now + TOKEN_LIFE
    return token


def token_hash(token: str) -> str:
    """What is kept of a token or a credential: its SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()


def join(work: Work, request: assignment.JoinRequest) -> assignment.JoinAnswer:
    """Let a machine in for a one-time token.

    Raises:
        NotAuthenticatedError: the token is wrong, was used, or has expired.
        InvalidRequestError: the machine speaks a protocol that this manager does not.
    """
    check_protocol(request.protocol)
    server = work.session.scalar(
        select(ManagedServer).where(ManagedServer.join_token_hash == token_hash(request.token))
    )
    expires_at = server.join_token_expires_at if server else None
    if server is None or expires_at is None or expires_at < work.now:
        raise NotAuthenticatedError(
            "The join token is wrong, was used already, or has expired; make a new one."
        )
    credential = secrets.token_urlsafe(32)
    server.credential_hash = token_hash(credential)
    server.join_token_hash = None
    server.join_token_expires_at = None
    server.seen_at = work.now
    note_facts(work, server, request.facts)
    facts = {"HostName": request.facts.host_name, "Addresses": list(request.facts.addresses)}
    record(work, change_to(server, SERVER, "JoinManagedServer", after=facts))
    return assignment.JoinAnswer(server_id=server.id, credential=credential)


def check_protocol(protocol: int) -> None:
    """See whether the host can be understood.

    Raises:
        InvalidRequestError: it speaks another version of the protocol.
    """
    if protocol != assignment.PROTOCOL:
        raise InvalidRequestError(
            f"The host service speaks version {protocol} of the host protocol, this manager"
            f" version {assignment.PROTOCOL}; bring both to the same release."
        )


def authenticate(work: Work, credential: str) -> ManagedServer:
    """The managed server whose credential this is.

    Raises:
        NotAuthenticatedError: it is nobody's.
    """
    server = work.session.scalar(
        select(ManagedServer).where(ManagedServer.credential_hash == token_hash(credential))
    )
    if server is None:
        raise NotAuthenticatedError("The host's credential is unknown or was revoked.")
    return server


def note_facts(work: Work, server: ManagedServer, facts: assignment.HostFacts) -> None:
    """Keep what a machine says of itself; a gateway may need another certificate for it."""
    known = facts.model_dump(mode="json")
    if known == server.facts:
        return
    server.facts = known
    server.kind = facts.platform if facts.platform in ("Linux", "Windows") else "Linux"
    if gateway_of(work, server) is not None:
        touch_assignment(work, server)


def look(
    work: Work, server: ManagedServer, request: assignment.PollRequest
) -> assignment.Update | Waiting:
    """What is new for a host."""
    wanted = None
    if request.assignment_revision != server.assignment_revision:
        wanted = current_assignment(work, server)
    change = directory.changes_since(work, server.backup_server, request.directory_revision)
    if wanted is None and change is None:
        return Waiting(keys=(server.id, server.backup_server_id))
    return assignment.Update(assignment=wanted, directory=change)


def current_assignment(work: Work, server: ManagedServer) -> assignment.Assignment:
    """The state that a machine is wanted to be in."""
    gateway = gateway_of(work, server)
    wanted = None if gateway is None or gateway.removing else _gateway_document(work, gateway)
    return assignment.Assignment(revision=server.assignment_revision, gateway=wanted)


def _gateway_document(work: Work, gateway: CloudGateway) -> assignment.Gateway:
    settings = wanted_settings(gateway)
    return assignment.Gateway(
        gateway_id=gateway.id,
        addresses=rules.listening_addresses(settings),
        port=rules.listening_port(settings),
        pool_id=gateway.pool_id,
        accepting=settings.enabled,
        certificate_chain_pem=certificate_of(work, gateway),
    )


def certificate_of(work: Work, gateway: CloudGateway) -> str:
    """The gateway's certificate chain; a new one when names, key or time ask for it."""
    facts = assignment.HostFacts.model_validate(gateway.managed_server.facts)
    names = rules.certificate_names(
        wanted_settings(gateway), gateway.name, facts.host_name, facts.addresses
    )
    if not still_good(gateway.certificate_pem, facts.public_key_pem, names, work.now):
        gateway.certificate_pem = work.authority.issue(facts.public_key_pem, names, work.now)
    return gateway.certificate_pem


def take_report(work: Work, server: ManagedServer, report: assignment.Report) -> None:
    """Keep a report and act on it, unless it is about an assignment that is not the newest."""
    check_protocol(report.protocol)
    server.seen_at = work.now
    if report.facts is not None:
        note_facts(work, server, report.facts)
    server.reported_directory_revision = report.directory_revision
    server.live_tunnels = report.live_tunnels
    if report.assignment_revision != server.assignment_revision:
        return
    server.reported_revision = report.assignment_revision
    server.reported_state = report.state
    server.reported_reason = report.reason
    settle_report(work, server, report.state, report.reason)
