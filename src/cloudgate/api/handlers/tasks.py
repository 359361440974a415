"""Tasks: which are there, and how did they end?"""

from datetime import timedelta

from cloudgate import trace_context
from cloudgate.api.access import EVERYBODY
from cloudgate.api.handlers.common import document_of
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import DONE, Route, Routes, shows
from cloudgate.manager.servers.managed_servers import names_of_servers
from cloudgate.manager.storage import tables
from cloudgate.manager.tasks import operations
from cloudgate.wire.resources.base import Link
from cloudgate.wire.resources.sessions import Task, TaskResult, Tasks, TaskStep, TaskTimeline

ROUTES = Routes(EVERYBODY)


def task_resource(root: str, task: tables.Task) -> Task:
    """A task; its first link is the task itself, to be removed by."""
    href = f"{root}/tasks/{operations.task_id(task)}"
    links = [Link(rel="Delete", type="Task", href=href)]
    finished = task.finished_at is not None
    if finished and task.success and task.related_path:
        links.append(
            Link(
                rel="Related",
                type=task.related_type,
                href=root + task.related_path,
                name=None if task.related_type.endswith("List") else task.related_name,
            )
        )
    return Task(
        href=href,
        type="Task",
        links=tuple(links),
        task_id=operations.task_id(task),
        state="Finished" if finished else "Running",
        operation=task.operation,
        result=TaskResult(success=task.success, message=task.message or None) if finished else None,
    )


def accepted(call: Call, task: tables.Task) -> Answer:
    """The answer to a change that takes time."""
    return Answer(status=202, resource=task_resource(call.root, task))


TASK_ID = "^task-[0-9]+$"


@ROUTES.add(Route(verb="GET", path="/tasks", answers=shows(Tasks), for_tenants=True))
def get_tasks(call: Call) -> Answer:
    """The own tasks, whichever session they were started in; all of them for administrators."""
    with call.reading() as work:
        found = operations.list_tasks(work, call.sees_tasks)
    return Answer(resource=Tasks(tasks=tuple(task_resource(call.root, task) for task in found)))


@ROUTES.add(
    Route(verb="GET", path="/tasks/{id}", identifier=TASK_ID, answers=shows(Task), for_tenants=True)
)
def get_task(call: Call) -> Answer:
    """One task."""
    with call.reading() as work:
        task = operations.find_task(work, call.path["id"], call.sees_tasks)
    return Answer(resource=task_resource(call.root, task))


@ROUTES.add(
    Route(verb="GET", path="/tasks/{id}/timeline", identifier=TASK_ID, answers=shows(TaskTimeline))
)
def get_task_timeline(call: Call) -> Answer:
    """What happened of a task so far, and when, and what it changes; an extension."""
    with call.reading() as work:
        task = operations.find_task(work, call.path["id"], call.sees_tasks)
        steps = operations.timeline(work, task)
        names = names_of_servers(work, {each.server_id for each in steps if each.server_id})
    request, noted = trace_context.parse(task.trace), task.audit or {}
    shown = tuple(
        TaskStep(
            name=each.name.value,
            managed_server=names.get(each.server_id) if each.server_id else None,
            time=each.at,
            milliseconds=round((each.at - steps[0].at) / timedelta(milliseconds=1)),
        )
        for each in steps
    )
    return Answer(
        resource=TaskTimeline(
            task_id=operations.task_id(task),
            operation=task.operation,
            trace_id=request.trace_id if request else None,
            steps=shown,
            object_name=noted.get("object_name"),
            before=document_of(noted.get("before")),
            after=document_of(noted.get("after")),
        )
    )


@ROUTES.add(
    Route(verb="DELETE", path="/tasks/{id}", identifier=TASK_ID, answers=DONE, for_tenants=True)
)
def delete_task(call: Call) -> Answer:
    """Remove the record of a task."""
    with call.changing() as work:
        operations.remove_task(work, call.path["id"], call.sees_tasks)
    return Answer(status=204)
