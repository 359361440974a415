"""Enrolment: how does a machine become a managed server, and prove that it is the one?

It joins with a one-time token and gets a credential of its own, which is replaced every day. A copy
of its disk has the same credential, and is told from it by the mark of the machine that it runs on.
A machine that was started anew has another mark, too, and is told from a copy by the silence of the
one that it was before.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol
from uuid import UUID

from sqlalchemy import or_, select

from cloudgate import protocol
from cloudgate.errors import InvalidRequestError, NotAuthenticatedError, UnavailableError
from cloudgate.manager.audit.events import WARNING, Change, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.refusals import REFUSED_JOIN, REFUSED_SERVER, UNKNOWN_HOST
from cloudgate.manager.core import naming
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.host_protocol.report_handling import update_facts
from cloudgate.manager.registries.presence import ONLINE_FOR
from cloudgate.manager.registries.seen_addresses import read, usable
from cloudgate.manager.registries.unknown_hosts import RECENT
from cloudgate.manager.servers.backup_servers import choose_backup_server
from cloudgate.manager.servers.managed_servers import TYPE as SERVER
from cloudgate.manager.servers.managed_servers import LastSeen, is_heard, last_seen, servers_of
from cloudgate.manager.storage.tables import BackupServer, ManagedServer
from cloudgate.values import moments, precis

Spoken = (
    protocol.JoinRequest
    | protocol.PollRequest
    | protocol.Report
    | protocol.UsageBatch
    | protocol.DemandReport
    | protocol.Answer
    | protocol.OwnRequest
)
"""What a host says, with the versions of the protocol that it speaks."""
_CREATED = Event("CreateManagedServer", "Managed server {name} [{id}] has been added")
_JOINED = Event("JoinManagedServer", "Managed server {name} [{id}] has joined")
_TOKEN_RENEWED = Event("RenewJoinToken", "Managed server {name} [{id}] has a new join token")
_REVOKED = Event("RevokeManagedServer", "The credential of {name} [{id}] has been revoked", WARNING)
_READMITTED = Event(
    "ReadmitManagedServer", "Managed server {name} [{id}] has been let in again", WARNING
)
TOKEN_LIFE = timedelta(hours=24)
CREDENTIAL_LIFE = timedelta(days=1)
"""After this a host gets another credential."""


@dataclass(frozen=True)
class NewServer:
    """A managed server that has not joined yet, and what it joins with."""

    server: ManagedServer
    join_token: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"NewServer(server={self.server.name!r}, join_token=...)"


@dataclass(frozen=True)
class HostAuthentication:
    """What came of hearing a host."""

    server: ManagedServer
    credential: str | None = None
    """A new one for it to use from now on."""
    refusal: InvalidRequestError | UnavailableError | None = None
    """Why it is not listened to; the latter when it is not known yet whether it should be."""

    def __repr__(self) -> str:
        return f"HostAuthentication(server={self.server.name!r}, refusal={str(self.refusal)!r})"


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
    work.once_it_holds.append(partial(work.presence.forget, server.id))
    work.once_it_holds.append(partial(work.tokens.forget, server.id))
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
    work.once_it_holds.append(partial(work.presence.forget, server.id))
    work.news_for.add(server.id)
    after = {"Address": found[0].address}
    record(work, change_to(server, SERVER, _READMITTED, after=after))


class Joined(LastSeen, Protocol):
    """What `remark_on_knocks` needs of a server that has joined: a whole one, or a part of it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def local(self) -> bool: ...  # noqa: D102
    @property
    def seen_addresses(self) -> str: ...  # noqa: D102


def remark_on_knocks(work: UnitOfWork, server: Joined) -> str:
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


def token_hash(token: str) -> str:
    """What is kept of a token or a credential: its SHA-256."""
    return hashlib.sha256(token.encode()).hexdigest()


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
    work.presence.forget(server.id)
    work.presence.touch(server.id, work.now)
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


def check_protocol(request: Spoken) -> None:
    """See whether there is a version of the protocol that both sides understand.

    Raises:
        InvalidRequestError: there is none.
    """
    oldest, newest = protocol.OLDEST_PROTOCOL, protocol.PROTOCOL
    if request.oldest_protocol > newest or request.protocol < oldest:
        raise InvalidRequestError(
            f"The host service speaks versions {request.oldest_protocol} to {request.protocol} of"
            f" the host protocol, this manager {oldest} to {newest}; bring both to the same"
            " release."
        )


def authenticate(work: UnitOfWork, credential: str) -> ManagedServer:
    """The managed server whose credential this is.

    Raises:
        NotAuthenticatedError: it is nobody's.
    """
    server = owner_of(work, credential)
    if server is None:
        raise NotAuthenticatedError("The host's credential is unknown or was revoked.")
    return server


def owner_of(work: UnitOfWork, credential: str) -> ManagedServer | None:
    """The managed server whose credential this is; None when it is nobody's."""
    known = token_hash(credential)
    return work.session.scalar(
        select(ManagedServer).where(
            or_(ManagedServer.credential_hash == known, ManagedServer.next_credential_hash == known)
        )
    )


def is_steady(work: UnitOfWork, server: ManagedServer, credential: str, machine: str) -> bool:
    """Whether there is nothing to write down about hearing this host once more."""
    return (
        server.online_since is not None
        and server.next_credential_hash is None
        and server.credential_hash == token_hash(credential)
        and not _is_old(work, server)
        and machine in ("", server.machine)
    )


def authenticate_host(
    work: UnitOfWork, credential: str, machine: str, *, may_renew: bool = False
) -> HostAuthentication:
    """A host has spoken: see whether it is who it says.

    `may_renew`: it can be given a new credential, if it is time. It is not the first time that this
    happens when the answer was lost; so only what a host does one at a time may be asked this.

    Raises:
        NotAuthenticatedError: the credential is nobody's.
    """
    server = authenticate(work, credential)
    if _is_another(work, server, machine):
        return HostAuthentication(server, refusal=_refusal(work, server))
    if server.next_credential_hash == token_hash(credential):
        server.credential_hash, server.next_credential_hash = server.next_credential_hash, None
        server.credential_made_at = work.now
    if machine and machine != server.machine:
        server.machine = machine
        work.presence.forget_strangers(server.id)
    if server.online_since is None and not work.faults.is_cut_off(server.id):
        server.online_since = work.now
    server.seen_at = work.now
    work.presence.touch(server.id, work.now)
    if not (may_renew and _is_old(work, server)):
        return HostAuthentication(server)
    fresh = secrets.token_urlsafe(32)
    server.next_credential_hash = token_hash(fresh)
    return HostAuthentication(server, credential=fresh)


def record_refusal(work: UnitOfWork, server: ManagedServer, reason: str) -> None:
    """Have the operator know that something was said in a server's name that cannot be.

    The warning goes by itself once nothing of the kind was heard for a while: `Presence.refuse`.
    """
    server.warning = reason
    change = change_to(server, SERVER, REFUSED_SERVER)
    record(work, change, success=False, message=reason)


def record_refused_join(work: UnitOfWork, token: str, reason: str) -> None:
    """Have it on record that a machine was not let in; by the server's name if it is known."""
    server = _expected(work, token)
    _note_unknown(work, REFUSED_JOIN, reason, server)


def record_unknown_host(work: UnitOfWork, reason: str) -> None:
    """Have it on record that somebody spoke as a host with a credential that is nobody's."""
    _note_unknown(work, UNKNOWN_HOST, reason)


def _note_unknown(
    work: UnitOfWork, event: Event, reason: str, server: ManagedServer | None = None
) -> None:
    change = Change(
        event,
        SERVER,
        object_id=server.id if server else None,
        object_name=server.name if server else work.address,
    )
    record(work, change, success=False, message=reason)


def _is_another(work: UnitOfWork, server: ManagedServer, machine: str) -> bool:
    """Whether a machine is not taken for the one that joined.

    When that one is silent, it was started anew, or its disk was moved to another machine.
    """
    if not machine or not server.machine or machine == server.machine:
        return False
    return is_heard(work, server)


def _refusal(work: UnitOfWork, server: ManagedServer) -> InvalidRequestError | UnavailableError:
    are_both_there = work.presence.detect_clone(server.id, work.now)
    # It is heard of, or nobody would be refused; it may be forgotten in this moment.
    seen = moments.readable(last_seen(work, server) or work.now)
    if not are_both_there:
        work.news_for.add(server.id)  # has it say something, if it is there
        return UnavailableError(
            f"{server.name} was last heard of at {seen} from another machine, or before this one"
            " was started anew. It is let in as soon as that one has been silent for"
            f" {ONLINE_FOR.total_seconds():.0f} seconds."
        )
    return InvalidRequestError(
        f"A second machine speaks as {server.name}, which was last heard of at {seen}: it looks"
        " like a copy of its disk. Let the copy join with a token of its own."
    )


def _is_old(work: UnitOfWork, server: ManagedServer) -> bool:
    made_at = server.credential_made_at
    return made_at is None or work.now - made_at >= CREDENTIAL_LIFE
