"""Task pages: what is under way, what came of it, and what was before and after?"""

import asyncio

from cloudgate.console.api import Json
from cloudgate.console.declarations import Action, Page, Visit, filled, paging, query
from cloudgate.console.operator.audit import differences
from cloudgate.console.operator.common import resources
from cloudgate.console.texts import words as _

ONE = "/tasks/{id}"


async def load(visit: Visit) -> Json:
    """A page of the tasks, the newest first."""
    state = visit.query.get("state", "")
    condition = f"State=={state}" if state in ("Running", "Finished") else ""
    found = await visit.api.get(query("Task", visit, sort="TaskId", down=True, filter_=condition))
    return {"rows": resources(found, "Tasks"), "paging": paging(found), "state": state}


async def load_one(visit: Visit) -> Json:
    """A task, with what happened of it, and what it changes."""
    task, found = await asyncio.gather(
        visit.api.get(filled(ONE, visit.path)),
        visit.api.get_if_there(filled(f"{ONE}/timeline", visit.path)),
    )
    timeline = found or {}
    return {
        "thing": task,
        "steps": list(timeline.get("Steps") or ()),
        "name": timeline.get("ObjectName"),
        "differences": differences(timeline.get("Before"), timeline.get("After")),
    }


PAGES = (
    Page(
        path="tasks",
        title=_("Tasks"),
        template="tasks.html",
        load=load,
        live=True,
        command="task list",
        request="/query?type=Task&sortDesc=TaskId",
    ),
    Page(
        path="tasks/{id}",
        title=_("Task"),
        template="task.html",
        load=load_one,
        live=True,
        command="task show ID",
        request=ONE,
    ),
)
ACTIONS = (
    Action(
        path="tasks/{id}/delete",
        title=_("Delete record"),
        submit=_("Delete"),
        text=_("Only the record is removed; the work goes on."),
        verb="DELETE",
        target=ONE,
        subject=ONE,
        pick=lambda _visit, task: {**task, "Name": task.get("TaskId")},
        command="task delete {Name}",
        back="tasks",
        dangerous=True,
    ),
)
