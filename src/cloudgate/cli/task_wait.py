"""Task wait: how does a change end? Follows its task, also while the manager is away.

Whoever is watching sees a spinner; where nobody is, what changes is a line on standard error.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus

from cloudgate.cli.client import Answer, Api, RefusedError
from cloudgate.cli.output import printable
from cloudgate.errors import CloudgateError, UnavailableError

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
GROWTH = 1.5
PATIENCE_SECONDS = 600.0
"""How long a manager may be away while its task is followed."""


class TaskFailedError(CloudgateError):
    """A task has ended without success; the text is what its Result says."""


def finished(api: Api, accepted: Answer, progress: Callable[[], str] | None = None) -> Answer:
    """The task of a 202 answer, once it is Finished.

    Args:
        api: where the task is.
        accepted: the answer.
        progress: says how far it is.

    Raises:
        TaskFailedError: it did not succeed.
        UnavailableError: the manager has been away for ten minutes; the task goes on.
    """
    task, pause, away_since = accepted, FIRST_PAUSE_SECONDS, None
    with _teller(str(task.body.get("Operation", ""))) as say:
        while task.body.get("State") != "Finished":
            try:
                if progress is not None:
                    say(progress())
                time.sleep(pause)
                task = api.get(str(accepted.body["Href"]))
                away_since = None
            except CloudgateError as problem:
                if not _is_away(problem):
                    raise
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > PATIENCE_SECONDS:
                    raise _away_for_long(problem, task) from None
                say(f"{problem.message} Its task goes on, and is asked for again.")
                time.sleep(pause)
            pause = min(pause * GROWTH, LONGEST_PAUSE_SECONDS)
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


def _is_away(problem: CloudgateError) -> bool:
    """Whether it is the manager that has a problem, and not what it was asked for."""
    if isinstance(problem, RefusedError):
        return problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(problem, UnavailableError)


def _away_for_long(problem: CloudgateError, task: Answer) -> UnavailableError:
    return UnavailableError(
        f"{problem.message} The task goes on without this command; once the manager is back,"
        f" cloudgate task show {task.body.get('TaskId')} tells how it ends."
    )


@contextlib.contextmanager
def _teller(text: str) -> Iterator[Callable[[str], None]]:
    if not sys.stderr.isatty():
        yield _lines()
        return
    from rich.console import Console  # noqa: PLC0415  only where somebody is watching
    from rich.text import Text  # noqa: PLC0415

    with Console(stderr=True).status(text) as status:
        yield lambda said: status.update(Text(printable(said)))


def _lines() -> Callable[[str], None]:
    """Says what is not the same as before, each in a line."""
    before = ""

    def say(text: str) -> None:
        nonlocal before
        if text != before:
            print(printable(text), file=sys.stderr, flush=True)
        before = text

    return say
