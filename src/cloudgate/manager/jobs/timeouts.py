"""Timeouts: what happens by itself, because time has passed or a host has reported?"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select

from cloudgate.manager.certificates import orders
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.gateways.operations import drain_seconds_of, wanted_settings
from cloudgate.manager.host_protocol.gateway_progress import (
    end_lost_drain,
    ends_untried,
    knows_of,
    revert,
    timeout_reason,
)
from cloudgate.manager.servers.facts import (
    TOLD_REVISION,
    directory_revision_of,
    facts_of,
    report_of,
    told_revision,
)
from cloudgate.manager.servers.managed_servers import (
    is_heard,
    is_online,
    online_servers,
)
from cloudgate.manager.storage.tables import CloudGateway, ManagedServer, Task
from cloudgate.manager.tasks import operations as tasks
from cloudgate.protocol import EvictionProgress, GatewayState
from cloudgate.values.enumeration import MOST, few

DRAIN_MARGIN = timedelta(minutes=5)
"""How long after the deadline of a drain its task waits for a host that is away."""


def finish_due_tasks(work: UnitOfWork) -> None:
    """End the tasks whose work is done or whose time is up."""
    open_tasks = work.session.scalars(select(Task).where(Task.finished_at.is_(None))).all()
    # Many tasks are of one site.
    servers, told = cache(partial(_gateway_servers, work)), cache(partial(_told_revisions, work))
    for task in open_tasks:
        is_over = _is_time_over(work, task)
        if task.certificate_order_id is not None:
            orders.end_late_order(work, task)
        elif task.gateway_id is not None:
            if is_over:
                _end_unanswered(work, task)
        elif is_over or not _is_behind(task, told(task.backup_server_id)):
            _settle_directory_task(work, task, servers(task.backup_server_id))


def extend_deadlines(work: UnitOfWork) -> None:
    """The manager was away: no host could answer, and those that can are given the time for it."""
    for task in work.session.scalars(
        select(Task).where(Task.finished_at.is_(None), Task.certificate_order_id.is_(None))
    ):
        task.deadline_at = max(task.deadline_at, work.now + _span_of(task))


def next_deadline(work: UnitOfWork) -> datetime | None:
    """When `finish_due_tasks` has something to do at the latest; None while no task runs."""
    return work.session.scalar(select(func.min(Task.deadline_at)).where(Task.finished_at.is_(None)))


def has_open_tasks(work: UnitOfWork) -> bool:
    """Whether any task is still running."""
    return next_deadline(work) is not None


def _is_time_over(work: UnitOfWork, task: Task) -> bool:
    """Whether who a task waits for has had the time for it.

    What the manager has not listened meanwhile does not count: it has all of its time again.
    """
    span, listening = _span_of(task), work.hosts.listening
    task.deadline_at = min(task.deadline_at, work.now + span)  # later: the clock was put back
    if task.deadline_at > work.now:
        return False
    resumed_at = listening.resumed_at(work.now)
    if resumed_at is None or task.deadline_at - span <= listening.since(span, work.now):
        return True
    task.deadline_at = resumed_at + span
    return False


def _span_of(task: Task) -> timedelta:
    """How long a task waits at a time."""
    if task.certificate_order_id is not None:
        return orders.ORDER_DEADLINE
    return tasks.DIRECTORY_DEADLINE if task.gateway_id is None else tasks.GATEWAY_DEADLINE


def _end_unanswered(work: UnitOfWork, task: Task) -> None:
    gateway = work.session.get(CloudGateway, task.gateway_id)
    if gateway is None:
        tasks.finish(work, task, success=False, message="The gateway is gone.")
        return
    if _drains(gateway):
        # The host has closed the gateway, and does the rest whether it reaches the manager or not.
        if _may_tell_its_end(work, gateway, task):
            task.deadline_at = work.now + tasks.GATEWAY_DEADLINE
        else:
            end_lost_drain(work, gateway, task)
        return
    if ends_untried(work, gateway, task):
        return
    revert(work, gateway, task, timeout_reason(work, gateway.managed_server))


def _drains(gateway: CloudGateway) -> bool:
    """Whether the gateway was last heard to be closed, as it is wanted to be."""
    server = gateway.managed_server
    is_to_close = gateway.removing or not wanted_settings(gateway).enabled
    return is_to_close and server.reported_state == GatewayState.DRAINING


def _may_tell_its_end(work: UnitOfWork, gateway: CloudGateway, task: Task) -> bool:
    """Whether the host of a gateway that drains is still waited for."""
    server = gateway.managed_server
    if server.credential_hash is None:
        return False  # what it says is not heard any more
    if is_heard(work, server) or not work.hosts.presence.has_listened(work.now):
        return True
    drain = timedelta(seconds=drain_seconds_of(gateway)) + DRAIN_MARGIN
    return knows_of(server, task) and work.now < task.created_at + drain


def _settle_directory_task(work: UnitOfWork, task: Task, servers: Sequence[ManagedServer]) -> None:
    """A tenant's change is done when every gateway of its site has it.

    Gateways that are away do not hold it up, and are named. One that is there and cannot take it in
    makes it fail: the change is kept and told again, but it is not in force there.

    Called once none of those that are there is behind, or their time is up. `servers` are those of
    the site that have a gateway.
    """
    behind = [
        server
        for server in servers
        if directory_revision_of(server) < (task.directory_revision or 0)
    ]
    waiting = [server for server in behind if is_online(work, server)]
    refusing = [server for server in waiting if _trouble(server)]
    waits_since = work.hosts.listening.since(tasks.LONGEST_DIRECTORY_WAIT, work.now)
    if waiting and not refusing and waits_since < task.created_at <= work.now:
        # It is slow, or about to be away.
        task.deadline_at = work.now + tasks.DIRECTORY_DEADLINE
        return
    misplaced = _misplaced(task, servers)
    if any(found.tunnels and is_online(work, server) for server, found in misplaced):
        task.deadline_at = work.now + tasks.DIRECTORY_DEADLINE
        return
    remarks = [*filter(None, [task.message]), *_about_misplaced(misplaced)]
    away = sorted(server.name for server in behind if server not in waiting)
    if away:
        remarks.append(f"Not reached yet, and told as soon as they are there: {few(away)}.")
    if waiting:
        message = " ".join([*_about_waiting(waiting), *remarks])
        tasks.finish(work, task, success=False, message=message)
        return
    message = " ".join([f"{tasks.OK}.", *remarks]) if remarks else tasks.OK
    tasks.finish(work, task, success=True, message=message)


def _about_misplaced(misplaced: Sequence[tuple[ManagedServer, EvictionProgress]]) -> Iterator[str]:
    """What became of the tunnels that a change has left without a place."""
    finished = sum(found.finished for _, found in misplaced)
    closed = sum(found.closed for _, found in misplaced)
    if finished or closed:
        yield (
            f"Of the tunnels that had no place any more, {finished} finished by themselves and"
            f" {closed} were closed."
        )
    left = sorted((server.name, found.tunnels) for server, found in misplaced if found.tunnels)
    for name, tunnels in left[:MOST]:
        yield f"{name} is away; it had {tunnels} of them left."
    if more := left[MOST:]:
        yield f"So are {len(more)} more; they had {sum(count for _, count in more)} of them left."


def _about_waiting(waiting: Iterable[ManagedServer]) -> Iterator[str]:
    """Where a change is not in force, by why: a thousand gateways may have one reason."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for server in sorted(waiting, key=lambda each: each.name):
        names[_trouble(server) or "it does not say why."].append(server.name)
    by_reason = list(names.items())
    for reason, named in by_reason[:MOST]:
        told = "is told again until it takes" if len(named) == 1 else "are told until they take"
        yield f"It is kept, and not in force at {few(named)}, which {told} it in: {reason}"
    if more := sum(len(named) for _, named in by_reason[MOST:]):
        yield f"Nor is it at {more} more, for other reasons: see the warnings of these gateways."


def _trouble(server: ManagedServer) -> str:
    """What a host says that keeps it from doing all that it should."""
    facts = facts_of(server)
    return facts.trouble if facts is not None else ""


def _misplaced(
    task: Task, servers: Sequence[ManagedServer]
) -> list[tuple[ManagedServer, EvictionProgress]]:
    """The tunnels that a change has left without a place, by server."""
    if not task.drains:
        return []
    told = [
        (server, found) for server in servers if (found := report_of(server).misplaced) is not None
    ]
    since = task.directory_revision or 0
    return [(server, found) for server, found in told if found.directory_revision >= since]


def _is_behind(task: Task, told: Collection[int]) -> bool:
    """Whether some gateway that is there has not said yet that it has a change."""
    return any(each < (task.directory_revision or 0) for each in told)


def _told_revisions(work: UnitOfWork, site_id: UUID) -> list[int]:
    """What the gateways of a site that are there said last that they have; no more is read."""
    said = select(TOLD_REVISION).where(ManagedServer.id.in_(online_servers(work)))
    return [told_revision(each) or 0 for each in work.session.scalars(_of_gateways(said, site_id))]


def _gateway_servers(work: UnitOfWork, site_id: UUID) -> Sequence[ManagedServer]:
    return work.session.scalars(_of_gateways(select(ManagedServer), site_id)).all()


def _of_gateways(wanted: Select[Any], site_id: UUID) -> Select[Any]:
    """Of managed servers, those of a site that have a gateway."""
    return wanted.join(CloudGateway, CloudGateway.managed_server_id == ManagedServer.id).where(
        ManagedServer.backup_server_id == site_id,
        or_(CloudGateway.removing.is_(False), ManagedServer.live_tunnels > 0),
    )
