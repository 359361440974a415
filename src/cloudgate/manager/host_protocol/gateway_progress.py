"""Gateway progress: what does a report, or silence, make of a gateway and of its task?"""

from dataclasses import dataclass, replace
from enum import Enum
from uuid import UUID

from cloudgate.manager.certificates.operations import certificate_for
from cloudgate.manager.certificates.warnings import note_warnings
from cloudgate.manager.core.unit_of_work import UnitOfWork, next_revision
from cloudgate.manager.gateways.operations import (
    dialled_at,
    gateway_of,
    is_wanted,
    settings_in_force,
    wanted_settings,
)
from cloudgate.manager.servers.facts import report_of
from cloudgate.manager.servers.managed_servers import last_seen, touch_assignment, touch_site
from cloudgate.manager.servers.tenant_scope import review_scope, scope_of
from cloudgate.manager.storage.tables import CloudGateway, ManagedServer, Task
from cloudgate.manager.tasks import operations as tasks
from cloudgate.network import hostport
from cloudgate.protocol import GatewayState, Report
from cloudgate.values import timestamps

_NOT_TRIED = (
    "The gateway listens, but its address could not be tried: whether tenants reach it is not known"
    " yet. The manager tries it again by itself within a quarter of an hour, and warns of the"
    " gateway where they do not."
)


class Progress(Enum):
    """What a report means for the change that is under way."""

    DONE = "done"
    UNDER_WAY = "under way"
    FAILED = "failed"


def progress(state: GatewayState, *, removing: bool, enabled: bool) -> Progress:
    """Whether the machine is where it is wanted to be."""
    if state is GatewayState.FAILED:
        return Progress.FAILED
    if removing:
        goal = {GatewayState.ABSENT}
    elif enabled:
        goal = {GatewayState.LISTENING}
    else:
        goal = {GatewayState.CLOSED}
    return Progress.DONE if state in goal else Progress.UNDER_WAY


@dataclass(frozen=True)
class ReachabilityCheck:
    """A gateway that listens, whose advertised address is to be tried."""

    gateway_id: UUID
    address: str
    port: int
    certificate_chain_pem: str
    task_number: int | None = None
    """Of the task that ends with it; None when none waits."""
    is_here: bool = True
    """Whether it may be on the manager's own machine."""

    @property
    def where(self) -> str:
        """As ``host:port``."""
        return hostport.join(self.address, self.port)


def apply_report(
    work: UnitOfWork, server: ManagedServer, report: Report
) -> ReachabilityCheck | None:
    """Act on a report about the newest assignment of a server.

    What is returned is to be tried, and `finish_reachability` to be called with what was found.
    """
    gateway = gateway_of(work, server)
    if gateway is None:
        return None
    task = tasks.running_gateway_task(work, gateway.id)
    found = _progress(work, gateway, report)
    if found is Progress.DONE:
        _confirm(work, gateway)
        if task is not None and is_wanted(gateway):
            task.deadline_at = work.now + tasks.GATEWAY_DEADLINE
            return replace(reachability_check_of(work, gateway), task_number=task.number)
        if task is not None:
            _end(work, gateway, task, drain_summary(report))
    elif found is Progress.FAILED:
        if task is not None:
            revert(work, gateway, task, report.reason)
    elif task is not None:
        task.deadline_at = work.now + tasks.GATEWAY_DEADLINE
    return None


def _progress(work: UnitOfWork, gateway: CloudGateway, report: Report) -> Progress:
    """What a report about the newest assignment means for the change that is under way."""
    enabled = wanted_settings(gateway).enabled
    found = progress(report.state, removing=gateway.removing, enabled=enabled)
    needed = scope_of(gateway.managed_server.scope, work.now).revision
    if found is Progress.DONE and report.directory_revision < needed:
        # It listens, and would refuse tenants that it has not heard of yet.
        return Progress.UNDER_WAY
    return found


def finish_reachability(work: UnitOfWork, reach: ReachabilityCheck, warning: str | None) -> None:
    """The gateway listens, and its advertised address was tried: end the task about it.

    `warning`: why tenants may not reach it, empty where they do; None where it could not be tried.
    It counts while what was dialled is what would be dialled now.
    """
    gateway = work.session.get(CloudGateway, reach.gateway_id)
    if gateway is None:
        return
    if reachability_check_of(work, gateway) != replace(reach, task_number=None):
        warning = None
    if warning is not None:
        keep_finding(gateway, reach, warning)
    task = None if reach.task_number is None else work.session.get(Task, reach.task_number)
    if task is None or task.finished_at is not None:
        return
    if warning is None:
        _end(work, gateway, task, _NOT_TRIED)
        return
    work.timelines.dialled(task.number, work.now)
    message = tasks.OK
    if warning:
        message = f"The gateway listens, but tenants may not reach it. {warning}"
    _end(work, gateway, task, message)


def was_reached(gateway: CloudGateway, reach: ReachabilityCheck) -> bool:
    """Whether a manager has ever reached a gateway where it is dialled now."""
    if gateway.reached_address is None:
        return not gateway.reach_warning
    return gateway.reached_address == reach.where


def keep_finding(gateway: CloudGateway, reach: ReachabilityCheck, warning: str) -> None:
    """Keep why a gateway is not reached; or that it is, and where."""
    if not warning or was_reached(gateway, reach):
        # Of the latter a manager of a release before has said so by there being no warning.
        gateway.reached_address = reach.where
    elif gateway.reached_address != reach.where:
        # Should a manager of a release before reach it, that takes the warning away, and no more.
        gateway.reached_address = None
    gateway.reach_warning = warning


def ends_untried(work: UnitOfWork, gateway: CloudGateway, task: Task) -> bool:
    """End the task about a gateway that listens as wanted, whatever became of dialling it.

    Returns whether it does, as far as its host has said.
    """
    server = gateway.managed_server
    listens = (
        is_wanted(gateway)
        and gateway.confirmed == gateway.wanted
        and server.reported_revision == server.assignment_revision
        and _progress(work, gateway, report_of(server)) is Progress.DONE
    )
    if listens:
        _end(work, gateway, task, _NOT_TRIED)
    return listens


def reachability_check_of(work: UnitOfWork, gateway: CloudGateway) -> ReachabilityCheck:
    """Where tenants are told to find a gateway, and what they are to find there."""
    brought = certificate_for(work, gateway)
    return ReachabilityCheck(
        gateway_id=gateway.id,
        address=dialled_at(gateway),
        port=settings_in_force(gateway).external_port,
        certificate_chain_pem=brought.chain_pem if brought else gateway.certificate_pem,
        is_here=gateway.managed_server.local,
    )


def drain_summary(report: Report) -> str:
    """What to say of the tunnels that were live when a gateway was closed."""
    finished, closed = report.finished_tunnels, report.closed_tunnels
    if not finished and not closed:
        return tasks.OK
    return f"Ok. Of its tunnels, {finished} finished by themselves and {closed} were closed."


def _confirm(work: UnitOfWork, gateway: CloudGateway) -> None:
    if gateway.removing:
        work.session.delete(gateway)
        review_scope(work, gateway.managed_server)
        touch_site(work, gateway.backup_server)
    elif gateway.confirmed != gateway.wanted:
        gateway.confirmed = gateway.wanted
        note_warnings(work, [gateway])
        touch_site(work, gateway.backup_server)


def _end(work: UnitOfWork, gateway: CloudGateway, task: Task, message: str) -> None:
    if task.operation == "CreateCloudGateway":
        tasks.relate_gateway(task, gateway.id)
    if task.message:
        message = f"{message.rstrip('.')}. {task.message}"
    tasks.finish(work, task, success=True, message=message)


def revert(work: UnitOfWork, gateway: CloudGateway, task: Task, reason: str) -> None:
    """The change has failed: leave nothing of it behind, and say why."""
    server = gateway.managed_server
    if gateway.confirmed is None:
        work.session.delete(gateway)
    else:
        gateway.wanted = gateway.confirmed
        gateway.removing = False
        touch_site(work, gateway.backup_server)
    review_scope(work, server)
    touch_assignment(work, server)
    tasks.finish(work, task, success=False, message=reason)


def timeout_reason(work: UnitOfWork, server: ManagedServer) -> str:
    """Why a change ended without a word from the host."""
    last = last_seen(work, server)
    seen = (
        f"was last heard of at {timestamps.readable(last)}" if last else "has never been heard of"
    )
    return (
        f"The server {server.name} did not answer in time; it {seen}. Nothing was changed. See"
        " whether its host service runs and reaches the manager, then try again."
    )


def knows_of(server: ManagedServer, task: Task) -> bool:
    """Whether a server has reported of an assignment that is as new as a task about its gateway."""
    return (server.reported_revision or 0) >= next_revision(0, task.created_at)


def end_lost_drain(work: UnitOfWork, gateway: CloudGateway, task: Task) -> None:
    """Nobody will say how the drain of a gateway ends, or not soon: end the task about it.

    What is wanted stays: the host has closed the gateway, and lets no tenant in.
    """
    server = gateway.managed_server
    name, left = server.name, _left(work, server)
    is_revoked = server.credential_hash is None
    if is_revoked and gateway.removing:
        work.session.delete(gateway)
        review_scope(work, server)
        message = f"Ok. The server {name} was revoked before its tunnels had ended; {left}."
        _end(work, gateway, task, message)
        return
    if is_revoked:
        message = f"The server {name} was revoked while its gateway drained; {left}."
    elif knows_of(server, task):
        message = f"The drain is over by now, and the server {name} has not said how; {left}."
    else:
        message = f"The server {name} is away, and was not told of this; {left}."
    if not is_revoked:
        message += " The change is done once it is heard of again."
    revoke = "" if is_revoked else f"revoke it (cloudgate server revoke {name}), and then "
    message += (
        f" The gateway stays closed. If the machine is lost for good, {revoke}delete the gateway"
        f" (cloudgate gateway delete {gateway.name})."
    )
    tasks.finish(work, task, success=False, message=message)


def _left(work: UnitOfWork, server: ManagedServer) -> str:
    """What was live at a server when it was last heard of, as a sentence about it."""
    count, last = server.live_tunnels, last_seen(work, server)
    tunnels = "1 tunnel" if count == 1 else f"{count} tunnels"
    when = f"was heard of last, at {timestamps.readable(last)}" if last else "was heard of last"
    return f"it had {tunnels} left when it {when}"
