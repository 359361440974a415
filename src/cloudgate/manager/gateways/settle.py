"""What does a host's report, or its silence, make of a gateway and of the task about it?"""

from enum import Enum

from cloudgate.assignment import GatewayState
from cloudgate.manager.gateways.operations import gateway_of, wanted_settings
from cloudgate.manager.servers.managed_servers import touch_assignment
from cloudgate.manager.storage.tables import CloudGateway, ManagedServer, Task
from cloudgate.manager.tasks import operations as tasks
from cloudgate.manager.work import Work


class Outcome(Enum):
    """What a report means for the change that is under way."""

    DONE = "done"
    UNDER_WAY = "under way"
    FAILED = "failed"


def outcome(state: GatewayState, *, removing: bool, enabled: bool) -> Outcome:
    """Whether the machine is where it is wanted to be."""
    if state is GatewayState.FAILED:
        return Outcome.FAILED
    if removing:
        goal = {GatewayState.ABSENT}
    elif enabled:
        goal = {GatewayState.LISTENING}
    else:
        goal = {GatewayState.CLOSED}
    return Outcome.DONE if state in goal else Outcome.UNDER_WAY


def settle_report(work: Work, server: ManagedServer, state: GatewayState, reason: str) -> None:
    """Act on a report about the newest assignment of a server."""
    gateway = gateway_of(work, server)
    if gateway is None:
        return
    task = tasks.running_gateway_task(work, gateway.id)
    found = outcome(state, removing=gateway.removing, enabled=wanted_settings(gateway).enabled)
    if found is Outcome.DONE:
        _confirm(work, gateway, task)
    elif found is Outcome.FAILED:
        if task is not None:
            revert(work, gateway, task, reason)
    elif task is not None:
        task.deadline_at = work.now + tasks.GATEWAY_DEADLINE


def _confirm(work: Work, gateway: CloudGateway, task: Task | None) -> None:
    if gateway.removing:
        work.session.delete(gateway)
    else:
        gateway.confirmed = gateway.wanted
    if task is None:
        return
    if task.operation == "CreateCloudGateway":
        tasks.relate_gateway(task, gateway.id)
    tasks.finish(work, task, success=True)


def revert(work: Work, gateway: CloudGateway, task: Task, reason: str) -> None:
    """The change has failed: leave nothing of it behind, and say why."""
    server = gateway.managed_server
    if gateway.confirmed is None:
        work.session.delete(gateway)
    else:
        gateway.wanted = gateway.confirmed
        gateway.removing = False
    work.session.flush()
    touch_assignment(work, server)
    tasks.finish(work, task, success=False, message=reason)


def silence(server: ManagedServer) -> str:
    """Why a change ended without a word from the host."""
    seen = (
        f"was last heard of at {server.seen_at:%Y-%m-%d %H:%M:%S} UTC"
        if server.seen_at
        else ("has never been heard of")
    )
    return (
        f"The server {server.name} did not answer in time; it {seen}. Nothing was changed. See"
        " whether its host service runs and reaches the manager, then try again."
    )
