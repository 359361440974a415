"""How does a change end? Follows its task, with a spinner for whoever is watching."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

from cloudgate.cli.client import Answer, Api
from cloudgate.errors import CloudgateError

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
GROWTH = 1.5


class TaskFailedError(CloudgateError):
    """A task has ended without success; the text is what its Result says."""


def finished(api: Api, accepted: Answer, progress: Callable[[], str] | None = None) -> Answer:
    """The task of a 202 answer, once it is Finished.

    Args:
        api: where the task is.
        accepted: the answer.
        progress: says how far it is, for whoever is watching.

    Raises:
        TaskFailedError: it did not succeed.
    """
    task, pause = accepted, FIRST_PAUSE_SECONDS
    with _spinner(str(task.body.get("Operation", ""))) as say:
        while task.body.get("State") != "Finished":
            if progress is not None and say is not None:
                say(progress())
            time.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE_SECONDS)
            task = api.get(str(accepted.body["Href"]))
    result = task.body.get("Result") or {}
    if not result.get("Success"):
        raise TaskFailedError(
            result.get("Message") or f"{task.body.get('Operation')} failed without a reason."
        )
    return task


def related(task: Answer) -> str | None:
    """The Href of what a task has made."""
    links = task.body.get("Links") or []
    return next((str(link["Href"]) for link in links if link.get("Rel") == "Related"), None)


@contextlib.contextmanager
def _spinner(text: str) -> Iterator[Callable[[str], None] | None]:
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415  only where somebody is watching

    with Console(stderr=True).status(text) as status:
        yield status.update
