"""Task commands: what can be done with tasks?"""

from typing import Annotated

import typer

from cloudgate.cli.commands import Call
from cloudgate.cli.lookup import find
from cloudgate.cli.output import Columns, at
from cloudgate.cli.resources.common import Thing, add_delete, group
from cloudgate.client.core import kinds

KIND = kinds.TASK
COLUMNS: Columns = {
    "TaskId": at("TaskId"),
    "State": at("State"),
    "Operation": at("Operation"),
    "Success": at("Result", "Success"),
    "Message": at("Result", "Message"),
}
STEPS = {
    "Step": at("Name"),
    "ManagedServer": at("ManagedServer"),
    "Time": at("Time"),
    "Milliseconds": at("Milliseconds"),
}


def show(
    call: Call,
    name: Thing,
    timeline: Annotated[
        bool, typer.Option("--timeline", help="Show what happened when, and where.")
    ] = False,
) -> None:
    """Show a task."""
    found = find(call.api, KIND, name)
    if not timeline:
        call.show(found.entity)
        return
    answer = call.api.get(f"{found.path}/timeline")
    call.screen.listing(answer, answer.body.get("Steps") or [], STEPS)


app = group(KIND, COLUMNS, "Tasks: the records of changes that take time.", show)
add_delete(app, KIND, "Remove the record of a task.")
