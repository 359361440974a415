"""Task operations: how does a task begin, end, and get found again?"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import structlog
from sqlalchemy import ColumnElement, func, select, true
from sqlalchemy.orm import defer

from cloudgate import trace_context
from cloudgate.errors import NotFoundError
from cloudgate.manager.audit.log import record_end
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.registries.task_timelines import (
    EndedTask,
    RunningTask,
    Step,
    StepName,
    read_steps,
)
from cloudgate.manager.storage.tables import (
    CloudGateway,
    CloudTenant,
    GatewayPool,
    Task,
    TenantResource,
)
from cloudgate.values.numbers import whole

GATEWAY_DEADLINE = timedelta(seconds=13)
"""How long a host may stay silent about a gateway. Its own attempts end well before."""
DIRECTORY_DEADLINE = timedelta(seconds=10)
"""How long gateways may take to confirm a change of the tenant directory."""
LONGEST_DIRECTORY_WAIT = timedelta(seconds=60)
"""How long a change waits for gateways that are there, and say nothing against it."""
MOST_LISTED = 2000
"""Tasks in one list; queries have all of them, page by page."""
OK = "Ok"
_PREFIX = "task-"
_LARGEST_NUMBER = 2**31 - 1
"""Of a task: PostgreSQL's column has 32 bits, and a larger one cannot even be asked for."""

_log = structlog.get_logger(__name__)


def task_id(task: Task) -> str:
    """The API's name of a task."""
    return f"{_PREFIX}{task.number}"


def start_gateway_task(work: UnitOfWork, operation: str, gateway: CloudGateway) -> Task:
    """A task that ends when the host has reported about its gateway.

    A task about the same gateway that is still running ends here: the later change wins.
    """
    task = Task(
        operation=operation,
        account_id=work.account_id,
        created_at=work.now,
        deadline_at=work.now + GATEWAY_DEADLINE,
        backup_server_id=gateway.backup_server_id,
        gateway_id=gateway.id,
    )
    earlier = running_gateway_task(work, gateway.id)
    begin(work, task, server_id=gateway.managed_server_id)
    if earlier is not None:
        finish(
            work,
            earlier,
            success=False,
            message=f"Replaced by {task_id(task)} ({operation}) before the server had answered.",
        )
    return task


def running_gateway_task(work: UnitOfWork, gateway_id: UUID) -> Task | None:
    """The task whose end depends on what the host says about this gateway."""
    return work.session.scalar(
        select(Task).where(Task.gateway_id == gateway_id, Task.finished_at.is_(None))
    )


def start_directory_task(
    work: UnitOfWork, operation: str, backup_server_id: UUID, revision: int
) -> Task:
    """A task that ends when the site's gateways have taken in a change of the tenant directory."""
    task = Task(
        operation=operation,
        account_id=work.account_id,
        created_at=work.now,
        deadline_at=work.now + DIRECTORY_DEADLINE,
        backup_server_id=backup_server_id,
        directory_revision=revision,
    )
    begin(work, task)
    return task


def finished_task(work: UnitOfWork, operation: str, message: str) -> Task:
    """A task for work that is done already."""
    task = Task(
        operation=operation,
        account_id=work.account_id,
        created_at=work.now,
        deadline_at=work.now,
    )
    begin(work, task)
    finish(work, task, success=True, message=message)
    work.session.flush()
    return task


def begin(work: UnitOfWork, task: Task, *, server_id: UUID | None = None) -> None:
    """Begin a task for the request that is answered right now.

    Args:
        work: under way.
        task: new.
        server_id: the managed server that has to carry it out; None where all of a site have to.
    """
    request = trace_context.current()
    if request is not None:
        task.trace, task.received_at = request.header, request.began_at
    work.session.add(task)
    work.session.flush()
    begun = RunningTask(
        number=task.number,
        trace=task.trace,
        parent_id=request.parent_id if request else "",
        server_id=server_id,
        site_id=task.backup_server_id,
        revision=task.directory_revision,
    )
    steps = [Step(StepName.STARTED, work.now)]
    if task.received_at is not None:
        steps.insert(0, Step(StepName.RECEIVED, task.received_at))
    work.begun_tasks.append((begun, tuple(steps)))
    _log.info("task began", task=task_id(task), operation=task.operation)


def timeline(work: UnitOfWork, task: Task) -> tuple[Step, ...]:
    """What has happened of a task so far, as it came. Empty for one of an earlier release."""
    return work.timelines.steps(task.number) if task.steps is None else read_steps(task.steps)


def finish(work: UnitOfWork, task: Task, *, success: bool, message: str = OK) -> None:
    """End a task."""
    task.finished_at = work.now
    task.success = success
    task.message = message
    before, parent_id = _steps_before_end(work, task)
    steps = (*before, Step(StepName.FINISHED, work.now))
    task.steps = [each.document() for each in steps]
    work.ended_tasks.append(
        EndedTask(task.number, task.operation, success, task.trace, parent_id, steps)
    )
    took_seconds = (work.now - task.created_at).total_seconds()
    labels = (task.operation, "true" if success else "false")
    work.observed.append(("cloudgate_task_seconds", took_seconds, labels))
    record_end(work, task)
    with trace_context.following(trace_context.parse(task.trace)):
        _log.info("task ended", task=task_id(task), success=success, message=message)


def _steps_before_end(work: UnitOfWork, task: Task) -> tuple[tuple[Step, ...], str]:
    for each in work.begun_tasks:
        begun, steps = each
        if begun.number == task.number:
            work.begun_tasks.remove(each)  # it ends in the transaction in which it began
            return steps, begun.parent_id
    return work.timelines.steps(task.number), work.timelines.parent(task.number)


def remark(task: Task, remarks: Iterable[str]) -> None:
    """What is to be said of a task besides its end: what of it is kept, and does nothing here."""
    said = [each for each in (task.message, *remarks) if each]
    task.message = " ".join(said)


def relate_gateway(task: Task, gateway_id: UUID) -> None:
    """Link to the new gateway: published with an empty Name."""
    task.related_type = "CloudGateway"
    task.related_path = f"/cloud/gateways/{gateway_id}?format=Entity"


def relate_tenant(task: Task, tenant: CloudTenant) -> None:
    """Link to a tenant."""
    task.related_type = "CloudTenant"
    task.related_path = f"/cloud/tenants/{tenant.id}?format=Entity"
    task.related_name = tenant.name


def relate_resource(task: Task, tenant: CloudTenant, resource: TenantResource) -> None:
    """Link to a tenant's quota: published with the tenant's Name."""
    task.related_type = "CloudTenantResource"
    task.related_path = f"/cloud/tenants/{tenant.id}/resources/{resource.id}"
    task.related_name = tenant.name


def relate_pool(task: Task, pool: GatewayPool) -> None:
    """Link to a new pool: published with this Type, against the rule, and with an empty Name."""
    task.related_type = "CloudGatewayPools"
    task.related_path = f"/cloud/gatewayPools/{pool.id}?format=Entity"


def relate_pools(task: Task) -> None:
    """Link to what is left after a pool was removed: published without a Name."""
    task.related_type = "CloudGatewayPoolList"
    task.related_path = "/cloud/gatewayPools?format=Entity"


@dataclass(frozen=True)
class TaskScope:
    """The tasks of one account, or of all."""

    account_id: UUID | None = None
    all: bool = False

    @property
    def condition(self) -> ColumnElement[bool]:
        """For a query."""
        return true() if self.all else Task.account_id == self.account_id

    def includes(self, task: Task) -> bool:
        """Whether it is one of these."""
        return self.all or (task.account_id is not None and task.account_id == self.account_id)


ALL_TASKS = TaskScope(all=True)


def list_tasks(work: UnitOfWork, whose: TaskScope = ALL_TASKS) -> list[Task]:
    """The newest `MOST_LISTED` of the tasks that were not removed, oldest first."""
    chosen = select(Task).where(Task.hidden.is_(False), whose.condition)
    newest = chosen.order_by(Task.number.desc()).limit(MOST_LISTED)
    # What else is noted of each is most of it, and a list shows none.
    found = work.session.scalars(newest.options(defer(Task.steps), defer(Task.audit)))
    return list(found)[::-1]


def count_running_tasks(work: UnitOfWork) -> int:
    """How many tasks have not ended."""
    query = select(func.count()).select_from(Task).where(Task.finished_at.is_(None))
    return work.session.scalar(query) or 0


def find_task(work: UnitOfWork, identifier: str, whose: TaskScope = ALL_TASKS) -> Task:
    """A task by its id.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    number = whole(identifier.lower().removeprefix(_PREFIX), 0, _LARGEST_NUMBER)
    task = work.session.get(Task, number) if number is not None else None
    if (
        task is None
        or task.hidden
        or identifier.lower() != task_id(task)
        or not whose.includes(task)
    ):
        raise NotFoundError(f"There is no task {identifier[:100]!r}.")
    return task


def remove_task(work: UnitOfWork, identifier: str, whose: TaskScope = ALL_TASKS) -> None:
    """Forget a task's record. Work that is under way goes on: it cannot be left half done.

    Raises:
        NotFoundError: there is none, or it is somebody else's.
    """
    find_task(work, identifier, whose).hidden = True
