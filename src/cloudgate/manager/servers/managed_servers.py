"""Managed servers: which machine does a name mean, and is it there?"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, or_, select, true

from cloudgate.errors import InvalidRequestError, NotFoundError
from cloudgate.manager.audit.events import WARNING, Event, change_to
from cloudgate.manager.audit.log import record
from cloudgate.manager.core.unit_of_work import UnitOfWork, next_revision
from cloudgate.manager.servers.facts import facts_of, remarks_of
from cloudgate.manager.servers.observed_addresses import read
from cloudgate.manager.storage.tables import BackupServer, CloudGateway, ManagedServer
from cloudgate.network.destinations import is_loopback
from cloudgate.protocol.bounds import readable
from cloudgate.values import precis
from cloudgate.values.enumeration import few

TYPE = "ManagedServer"
DELETED = Event("DeleteManagedServer", "Managed server {name} has been removed", WARNING)


def list_managed_servers(work: UnitOfWork) -> Sequence[ManagedServer]:
    """All managed servers by name."""
    return work.session.scalars(select(ManagedServer).order_by(ManagedServer.name)).all()


def get_managed_server(work: UnitOfWork, identifier: UUID) -> ManagedServer:
    """A managed server by its id.

    Raises:
        NotFoundError: there is none.
    """
    return work.get(ManagedServer, identifier, "managed server")


def names_of_servers(work: UnitOfWork, identifiers: Iterable[UUID]) -> dict[UUID, str]:
    """The names of managed servers by their ids, of those that are there."""
    chosen = select(ManagedServer.id, ManagedServer.name).where(ManagedServer.id.in_(identifiers))
    return {row.id: row.name for row in work.session.execute(chosen)}


def servers_of(work: UnitOfWork, site: BackupServer) -> Sequence[ManagedServer]:
    """A site's managed servers by name."""
    return work.session.scalars(
        select(ManagedServer)
        .where(ManagedServer.backup_server_id == site.id)
        .order_by(ManagedServer.name)
    ).all()


def delete_managed_server(work: UnitOfWork, server: ManagedServer) -> None:
    """Take a machine out of the infrastructure; its host service is not let in any more.

    Raises:
        InvalidRequestError: it is a cloud gateway, or the manager's own machine.
    """
    if server.local:
        raise InvalidRequestError(
            f"The server {server.name} is the manager's own machine, which stays."
        )
    role = work.session.scalar(
        select(CloudGateway.name).where(CloudGateway.managed_server_id == server.id)
    )
    if role is not None:
        raise InvalidRequestError(
            f"The server {server.name} is in use as the cloud gateway {role}. Take this role away"
            " first."
        )
    record(work, change_to(server, TYPE, DELETED, before={"Name": server.name}))
    work.session.delete(server)
    work.once_it_holds.append(partial(work.hosts.forget, server.id))
    work.once_it_holds.append(partial(work.figures.forget, server.id))
    work.news_for.add(server.id)


def find_by_host_name(work: UnitOfWork, site: BackupServer, host_name: str) -> ManagedServer:
    """The managed server of a site that a ServerHostName means.

    Raises:
        NotFoundError: no machine of that name was added.
        InvalidRequestError: the name fits more than one.
    """
    wanted = _comparable(host_name)
    registered = work.session.scalars(
        select(ManagedServer).where(
            ManagedServer.backup_server_id == site.id, func.lower(ManagedServer.name) == wanted
        )
    ).all()
    if len(registered) == 1:
        return registered[0]
    servers = work.session.scalars(
        select(ManagedServer).where(ManagedServer.backup_server_id == site.id)
    )
    known = list(servers)
    # What a machine says of itself counts where nobody is known by that name.
    found = [server for server in known if wanted in certain_names(server)] or [
        server for server in known if wanted in known_names(server)
    ]
    if not found:
        raise NotFoundError(
            f"The server {host_name!r} is not in the infrastructure of {site.name}: it must be"
            " added there as a managed server first."
        )
    if len(found) > 1:
        named = few(sorted(server.name for server in found))
        raise InvalidRequestError(
            f"ServerHostName {host_name!r} fits more than one managed server: {named}."
            " Give a name that only one of them has."
        )
    return found[0]


def certain_names(server: ManagedServer) -> set[str]:
    """Those that do not depend on the machine's word alone, in comparable form."""
    own = {"localhost", "127.0.0.1", "::1"} if server.local else set()
    return {_comparable(server.name), *_seen(server), *own}


def _seen(server: ManagedServer) -> set[str]:
    return {each for each in read(server.seen_addresses) if not is_loopback(each)}


def known_names(server: ManagedServer) -> set[str]:
    """All names and addresses that mean this machine, in comparable form.

    Loopback addresses, and the name ``localhost``, mean the manager's own machine only.
    """
    names = certain_names(server)
    facts = facts_of(server)
    if facts is not None:
        names |= {_comparable(facts.host_name)}
        names |= {_comparable(a) for a in facts.addresses if server.local or not is_loopback(a)}
    return names


def warnings_of(server: ManagedServer) -> str:
    """What an operator should look at; empty when nothing."""
    said = remarks_of(server) if server.online_since is not None else ()
    return readable(" ".join(text for text in (server.warning, *said) if text))


def list_managed_servers_to_look_at(work: UnitOfWork) -> Sequence[ManagedServer]:
    """All managed servers, by name, of which `warnings_of` may have something to say."""
    return work.session.scalars(
        select(ManagedServer).where(may_have_warnings()).order_by(ManagedServer.name)
    ).all()


def may_have_warnings() -> ColumnElement[bool]:
    """Of managed servers: those of which `warnings_of` may have something to say."""
    remarks = (ManagedServer.facts[each].as_string() != "" for each in ("trouble", "advice"))
    return or_(
        ManagedServer.warning != "", and_(ManagedServer.online_since.is_not(None), or_(*remarks))
    )


def condition_of(server: ManagedServer) -> str:
    """How the machine is, in one word."""
    if server.online_since is not None:
        return "Online"
    return "Expected" if server.facts is None else "Offline"


class LastSeen(Protocol):
    """What is kept of when a managed server was heard of: by a whole one, or of a part of it."""

    @property
    def id(self) -> UUID: ...  # noqa: D102
    @property
    def seen_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def online_since(self) -> datetime | None: ...  # noqa: D102


def last_seen(work: UnitOfWork, server: LastSeen) -> datetime | None:
    """When the host was last heard of; None for never."""
    return work.hosts.presence.last(server.id, work.now, server.seen_at)


def is_online(work: UnitOfWork, server: LastSeen) -> bool:
    """Whether the host has been heard of lately, and hears of changes, as far as is known."""
    return is_heard(work, server) and not work.faults.is_cut_off(server.id)


def is_heard(work: UnitOfWork, server: LastSeen) -> bool:
    """Whether the host has been heard of lately."""
    seen, was_online = last_seen(work, server), server.online_since is not None
    return seen is not None and work.hosts.presence.is_there(seen, work.now, was_online=was_online)


def online_servers(work: UnitOfWork) -> set[UUID]:
    """The managed servers that `is_online` is true of.

    Of a thousand, nothing is read for that but in the first moments of a manager: whom it has not
    heard once hosts have had the time for it, is not there.
    """
    presence, now = work.hosts.presence, work.now
    heard_since = presence.there_since(now, was_online=False)
    there = {each for each, last in presence.all(now).items() if last > heard_since}
    if not presence.has_listened(now):
        lately = (
            and_(
                ManagedServer.online_since.is_not(None) if was_online else true(),
                ManagedServer.seen_at > presence.there_since(now, was_online=was_online),
            )
            for was_online in (True, False)
        )
        there.update(work.session.scalars(select(ManagedServer.id).where(or_(*lately))))
    return there - work.faults.cut_off_servers()


def touch_assignment(work: UnitOfWork, server: ManagedServer) -> None:
    """What is wanted of this machine has changed: give it a new revision, and tell the host."""
    server.assignment_revision = next_revision(server.assignment_revision, work.now)
    work.news_for.add(server.id)


def touch_site(work: UnitOfWork, site: BackupServer) -> None:
    """What all gateways of a site have to know has changed: tell their hosts."""
    site.site_revision = next_revision(site.site_revision, work.now)
    work.news_for.add(site.id)


def _comparable(name: str) -> str:
    return precis.key(name).strip("[]").rstrip(".")
