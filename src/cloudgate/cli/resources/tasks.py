"""Task commands: what can be done with tasks?"""

from cloudgate.cli.lookup import Kind
from cloudgate.cli.output import at
from cloudgate.cli.resources.common import add_delete, group

KIND = Kind(
    word="task",
    many="tasks",
    type="Task",
    path="/tasks",
    array="Tasks",
    columns={
        "TaskId": at("TaskId"),
        "State": at("State"),
        "Operation": at("Operation"),
        "Success": at("Result", "Success"),
        "Message": at("Result", "Message"),
    },
    named=False,
)
app = group(KIND, "Tasks: the records of changes that take time.")
add_delete(app, KIND, "Remove the record of a task.")
