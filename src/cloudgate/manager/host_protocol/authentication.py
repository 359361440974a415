"""Authentication of hosts: which managed server speaks, and is it the machine that joined as it?

Its credential is replaced every day. A copy of its disk has the same credential, and is told from
it by the mark of the machine that it runs on. A machine that was started anew has another mark,
too, and is told from a copy by the silence of the one that it was before.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import or_, select

from cloudgate.errors import InvalidRequestError, NotAuthenticatedError, UnavailableError
from cloudgate.manager.audit.events import Change, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.audit.refusals import REFUSED_SERVER, UNKNOWN_HOST
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.manager.servers.managed_servers import TYPE as SERVER
from cloudgate.manager.servers.managed_servers import is_heard, last_seen
from cloudgate.manager.storage.tables import ManagedServer
from cloudgate.trust.token_hashes import token_hash
from cloudgate.values import timestamps

CREDENTIAL_LIFE = timedelta(days=1)
"""After this a host gets another credential."""


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
        work.hosts.clones.forget(server.id)
    if server.online_since is None and not work.faults.is_cut_off(server.id):
        server.online_since = work.now
    server.seen_at = work.now
    work.hosts.presence.touch(server.id, work.now)
    if not (may_renew and _is_old(work, server)):
        return HostAuthentication(server)
    fresh = secrets.token_urlsafe(32)
    server.next_credential_hash = token_hash(fresh)
    return HostAuthentication(server, credential=fresh)


def record_refusal(work: UnitOfWork, server: ManagedServer, reason: str) -> None:
    """Have the operator know that something was said in a server's name that cannot be.

    The warning goes by itself once nothing of the kind was heard for a while, by
    `HostRefusals.are_over`.
    """
    server.warning = reason
    change = change_to(server, SERVER, REFUSED_SERVER)
    record(work, change, success=False, message=reason)


def record_unknown_host(work: UnitOfWork, reason: str) -> None:
    """Have it on record that somebody spoke as a host with a credential that is nobody's."""
    note_stranger(work, UNKNOWN_HOST, reason)


def note_stranger(
    work: UnitOfWork, event: Event, reason: str, server: ManagedServer | None = None
) -> None:
    """Have it on record that somebody was refused; by the server's name if it is known."""
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
    are_both_there = work.hosts.clones.detect(server.id, work.now)
    # It is heard of, or nobody would be refused; it may be forgotten in this moment.
    seen = timestamps.readable(last_seen(work, server) or work.now)
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
