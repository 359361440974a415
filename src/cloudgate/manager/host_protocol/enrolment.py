"""Enrolment: how does a machine become a managed server, and how does it cease to be one?

It joins with a one-time token, and gets a credential of its own.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import UUID

from sqlalchemy import select

from cloudgate import protocol
from cloudgate.errors import InvalidRequestError, NotAuthenticatedError
from cloudgate.manager import naming
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.refusals import REFUSED_JOIN
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.host_protocol.authentication import (
    CREDENTIAL_LIFE,
    note_stranger,
)
from cloudgate.manager.host_protocol.report_handling import update_facts
from cloudgate.manager.host_protocol.versions import check_protocol
from cloudgate.manager.registries.unknown_hosts import RECENT
from cloudgate.manager.servers.backup_servers import choose_backup_server
from cloudgate.manager.servers.managed_servers import TYPE as SERVER
from cloudgate.manager.servers.managed_servers import LastSeen, is_heard, servers_of
from cloudgate.manager.servers.observed_addresses import read, usable
from cloudgate.manager.storage.tables import BackupServer, ManagedServer
from cloudgate.trust.token_hashes import token_hash
from cloudgate.values import precis

_CREATED = Event("CreateManagedServer", "Managed server {name} [{id}] has been added")
_JOINED = Event("JoinManagedServer", "Managed server {name} [{id}] has joined")
_TOKEN_RENEWED = Event("RenewJoinToken", "Managed server {name} [{id}] has a new join token")
_REVOKED = Event("RevokeManagedServer", "The credential of {name} [{id}] has been revoked", WARNING)
_READMITTED = Event(
    "ReadmitManagedServer", "Managed server {name} [{id}] has been let in again", WARNING
)
TOKEN_LIFE = timedelta(hours=24)


@dataclass(frozen=True)
class NewServer:
    """A managed server that has not joined yet, and what it joins with."""

    server: ManagedServer
    join_token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"NewServer(server={self.server.name!r}, join_token=...)"


def preregister(
    work: UnitOfWork, site: BackupServer, name: str, *, description: str = "", local: bool = False
) -> tuple[ManagedServer, str]:
    """Make a managed server that has not joined yet, and the one-time token for it to join with."""
    server = ManagedServer(
        backup_server_id=site.id, name=name, description=description, kind="Linux", local=local
    )
    work.session.add(server)
    return server, new_token(work, server)


def add_server(
    work: UnitOfWork, backup_server_uid: str | None, name: str, description: str
) -> NewServer:
    """Make a managed server for an operator to have join.

    Raises:
        InvalidRequestError: it is no name of a machine, or the site has a server of that name.
        NotFoundError: the backup server is unknown.
    """
    site = choose_backup_server(work, None, backup_server_uid)
    name = naming.host(name, "Name")
    for other in servers_of(work, site):
        if precis.key(other.name) == precis.key(name):
            raise InvalidRequestError(
                f"A managed server named {other.name} is in {site.name} already."
            )
    server, token = preregister(work, site, name, description=description)
    work.session.flush()
    work.session.refresh(server)
    document = {"Name": name, "Description": description, "BackupServer": site.name}
    record(work, change_to(server, SERVER, _CREATED, after=document))
    return NewServer(server, token, work.now + TOKEN_LIFE)


def renew_token(work: UnitOfWork, server: ManagedServer) -> NewServer:
    """A new token for a machine to join with, as this server.

    Raises:
        InvalidRequestError: it is the manager's own machine, which joins by itself.
    """
    if server.local:
        raise InvalidRequestError(
            f"The server {server.name} is the manager's own machine, which joins by itself."
        )
    token = new_token(work, server)
    record(work, change_to(server, SERVER, _TOKEN_RENEWED))
    return NewServer(server, token, work.now + TOKEN_LIFE)


def revoke(work: UnitOfWork, server: ManagedServer) -> None:
    """Listen to this server's machine no more, until it joins again. Its live tunnels go on.

    Raises:
        InvalidRequestError: it is the manager's own machine.
    """
    if server.local:
        raise InvalidRequestError(
            f"The server {server.name} is the manager's own machine, which stays."
        )
    server.credential_hash = None
    server.next_credential_hash = None
    server.join_token_hash = None
    server.join_token_expires_at = None
    server.online_since = None
    server.warning = ""
    work.once_it_holds.append(partial(work.hosts.forget, server.id))
    work.once_it_holds.append(partial(work.figures.forget, server.id))
    work.once_it_holds.append(partial(work.slot_tokens.forget, server.id))
    work.news_for.add(server.id)
    record(work, change_to(server, SERVER, _REVOKED))


def is_revoked(work: UnitOfWork, server_id: UUID) -> bool:
    """Whether a managed server was joined, and is listened to no more."""
    server = work.session.get(ManagedServer, server_id)
    return (
        server is not None
        and not server.local
        and server.credential_hash is None
        and server.facts is not None
    )


def readmit(work: UnitOfWork, server: ManagedServer) -> None:
    """Let the machine in again that speaks as this server with a credential that is not known.

    It gets another one with its next poll.

    Raises:
        InvalidRequestError: there is no such machine, or more than one; or it may not be let in.
    """
    if server.local or server.credential_hash is None:
        raise InvalidRequestError(
            f"The server {server.name} is the manager's own machine, which joins by itself."
            if server.local
            else f"The server {server.name} has not joined, or was revoked: renew its join token."
        )
    refused = work.refused_polls.of(server.id, read(server.seen_addresses), work.now)
    claimed = [each for each in refused if each.claimed is not None] or refused
    known = read(server.seen_addresses)
    found = [each for each in claimed if each.address in known] or claimed
    if len({each.credential_hash for each in found}) != 1:
        many = "Several machines were" if found else "No machine was"
        raise InvalidRequestError(
            f"{many} refused within the last {RECENT.total_seconds():.0f} seconds that could be"
            f" {server.name}. See whether its host service runs and reaches the manager, or renew"
            " its join token and let it join again."
        )
    server.credential_hash, server.next_credential_hash = found[0].credential_hash, None
    server.credential_made_at = work.now - CREDENTIAL_LIFE
    server.warning = ""
    work.once_it_holds.append(partial(work.refused_polls.forget, found[0].credential_hash))
    work.once_it_holds.append(partial(work.hosts.forget, server.id))
    work.news_for.add(server.id)
    after = {"Address": found[0].address}
    record(work, change_to(server, SERVER, _READMITTED, after=after))


class JoinedServer(LastSeen, Protocol):
    """What `refused_poll_warning` needs of a server that has joined: all of it, or a part."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def local(self) -> bool: ...  # noqa: D102
    @property
    def seen_addresses(self) -> str: ...  # noqa: D102


def refused_poll_warning(work: UnitOfWork, server: JoinedServer) -> str:
    """For the operator: that somebody speaks as a host that is away, and is refused."""
    if server.local or is_heard(work, server):
        return ""
    seen = read(server.seen_addresses)
    refused = work.refused_polls.of(server.id, seen, work.now)
    if not refused:
        return ""
    address = refused[0].address
    before = "from where it spoke before" if address in seen else "from where it never spoke before"
    return (
        f"A machine at {address}, {before}, speaks as {server.name} with a credential that this"
        " manager does not know, as it does after an older database was put back. If it is"
        f" {server.name}, let it in: `cloudgate server readmit {server.name}`."
    )


def new_token(work: UnitOfWork, server: ManagedServer) -> str:
    """A one-time token; an earlier one of this server is worth nothing from here on."""
    token = secrets.token_urlsafe(32)
    server.join_token_hash = token_hash(token)
    server.join_token_expires_at = work.now + TOKEN_LIFE
    return token


def join(work: UnitOfWork, request: protocol.JoinRequest) -> protocol.JoinAnswer:
    """Let a machine in for a one-time token.

    Raises:
        NotAuthenticatedError: the token is wrong, was used, or has expired.
        InvalidRequestError: the machine speaks a protocol that this manager does not.
    """
    server = check_token(work, request)
    credential = secrets.token_urlsafe(32)
    server.credential_hash = token_hash(credential)
    server.credential_made_at = work.now
    server.next_credential_hash = None
    server.join_token_hash = None
    server.join_token_expires_at = None
    server.machine = request.facts.machine
    server.seen_addresses = usable(work.address)
    server.online_since = server.seen_at = work.now
    server.warning = ""
    server.usage_told_until = server.usage_told_until or work.now
    work.hosts.forget(server.id)
    work.figures.forget(server.id)
    work.hosts.presence.touch(server.id, work.now)
    update_facts(work, server, request.facts)
    facts = {"HostName": request.facts.host_name, "Addresses": list(request.facts.addresses)}
    record(work, change_to(server, SERVER, _JOINED, after=facts))
    return protocol.JoinAnswer(server_id=server.id, credential=credential)


def check_token(work: UnitOfWork, request: protocol.JoinRequest) -> ManagedServer:
    """The server that a machine may join as. Changes nothing.

    Raises:
        NotAuthenticatedError: the token is wrong, was used, or has expired.
        InvalidRequestError: the machine speaks a protocol that this manager does not.
    """
    check_protocol(request)
    server = _expected(work, request.token)
    expires_at = server.join_token_expires_at if server else None
    if server is None or expires_at is None or expires_at < work.now:
        raise NotAuthenticatedError(
            "The join token is wrong, was used already, or has expired. Make a new one:"
            " cloudgate server renew-token NAME."
        )
    return server


def _expected(work: UnitOfWork, token: str) -> ManagedServer | None:
    """The server that a token was made for, expired or not; None when it was used, or is none."""
    return work.session.scalar(
        select(ManagedServer).where(ManagedServer.join_token_hash == token_hash(token))
    )


def record_refused_join(work: UnitOfWork, token: str, reason: str) -> None:
    """Have it on record that a machine was not let in; by the server's name if it is known."""
    server = _expected(work, token)
    note_stranger(work, REFUSED_JOIN, reason, server)
