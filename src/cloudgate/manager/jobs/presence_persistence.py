"""Presence persistence: what is written down of which hosts are there?

It is looked at every few seconds, so it is rows that are read, of a few columns: three thousand
servers as objects, with all that they have said, would take a tenth of a second each time.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import select, update

from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.host_protocol.enrolment import JoinedServer, refused_poll_warning
from cloudgate.manager.registries.hosts.presence import NOTED_EVERY, ONLINE_FOR
from cloudgate.manager.servers.managed_servers import is_online, last_seen
from cloudgate.manager.storage.tables import ManagedServer

_READ = (
    ManagedServer.id,
    ManagedServer.name,
    ManagedServer.local,
    ManagedServer.seen_at,
    ManagedServer.online_since,
    ManagedServer.seen_addresses,
    ManagedServer.warning,
)


class _Noted(JoinedServer):
    """What is kept of a server that has joined."""

    warning: str


def persist_presence(work: UnitOfWork) -> None:
    """Write down who was heard of, who came, who went, and whom nothing is to be said of now."""
    changes = []
    for server in _joined(work):
        changed = dict(_each_change(work, server))
        if changed:
            changes.append({"id": server.id, **changed})
    if changes:
        work.session.execute(update(ManagedServer), changes)


def presence_changed(work: UnitOfWork, known_since: datetime) -> bool:
    """Whether `persist_presence` has something to write: who went, what is too old or over."""
    heard = work.hosts.presence.all(work.now)
    if known_since > work.now:  # the clock was put back: what is written down is yet to come
        return True
    if work.now - known_since >= NOTED_EVERY and any(m > known_since for m in heard.values()):
        return True
    lately = work.hosts.listening.since(ONLINE_FOR, work.now)
    return any(
        _has_news(work, server)
        for server in _joined(work)
        if heard.get(server.id, lately) <= lately or server.warning or work.faults.about(server.id)
    )


def _joined(work: UnitOfWork) -> Sequence[_Noted]:
    """In the order in which others lock them, too."""
    rows = work.session.execute(
        select(*_READ).where(ManagedServer.credential_hash.is_not(None)).order_by(ManagedServer.id)
    )
    return cast("Sequence[_Noted]", rows.all())


def _has_gone(work: UnitOfWork, server: _Noted) -> bool:
    """Whether a host that was there is not any more. One is waited for after a manager's start."""
    if server.online_since is None or is_online(work, server):
        return False
    return work.faults.is_cut_off(server.id) or work.hosts.presence.has_listened(work.now)


def _has_news(work: UnitOfWork, server: _Noted) -> bool:
    if _has_gone(work, server):
        return True
    fault = work.faults.about(server.id) or refused_poll_warning(work, server)
    if fault:
        return fault != server.warning
    is_over = server.online_since is not None and work.hosts.refusals.are_over(server.id, work.now)
    return bool(server.warning) and is_over


def _each_change(work: UnitOfWork, server: _Noted) -> Iterator[tuple[str, Any]]:
    """The columns that are to be something else, and what."""
    seen = last_seen(work, server)
    if seen != server.seen_at:
        yield "seen_at", seen
    if _has_gone(work, server):
        yield "online_since", None
    fault = work.faults.about(server.id) or refused_poll_warning(work, server)
    if fault and fault != server.warning:
        yield "warning", fault
    elif not fault and server.warning and work.hosts.refusals.are_over(server.id, work.now):
        yield "warning", ""
