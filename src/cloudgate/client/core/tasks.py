"""Tasks: how does a change end? Its task is followed, also while the manager is away."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from cloudgate.client.core.conversation import Conversation
from cloudgate.client.core.deadlines import DeadlineError, within
from cloudgate.client.core.exchange import Answer, Delay, Steps
from cloudgate.client.core.refusals import RefusedError
from cloudgate.errors import CloudgateError, UnavailableError

FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
GROWTH = 1.5
PATIENCE_SECONDS = 600.0
"""How long a manager may be away while its task is followed."""
LAST_LOOK_SECONDS = 1.0
"""How long the last look may take, after the time that a task is followed for."""


class TaskFailedError(CloudgateError):
    """A task has ended without success; the text is what its Result says."""


class TaskLeftError(UnavailableError):
    """A task goes on, and is not followed any more: it took too long, or the manager is away."""

    def __init__(self, why: str, task_id: str) -> None:
        super().__init__(f"{why} The task {task_id} goes on, and can be asked for later.")
        self.why = why
        self.task_id = task_id


def _nothing() -> None:
    pass


def _nothing_of(_: CloudgateError) -> None:
    pass


@dataclass(frozen=True)
class Watcher:
    """Who hears of a task while it is followed."""

    waits: Callable[[], None] = _nothing
    """Before each pause. What it raises counts as if the task had not been found."""
    is_away: Callable[[CloudgateError], None] = _nothing_of
    """The manager does not answer right now."""


NOBODY = Watcher()


def finished(
    talk: Conversation,
    accepted: Answer,
    watcher: Watcher = NOBODY,
    patience_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Steps[Answer]:
    """The task of a 202 answer, once it is Finished.

    Args:
        talk: with the manager that has it.
        accepted: the answer.
        watcher: who hears of it meanwhile.
        patience_seconds: how long it may take; None for as long as it does. It is looked at
            once more then, within `LAST_LOOK_SECONDS`.
        clock: of a machine, in seconds.

    Raises:
        TaskFailedError: it did not succeed.
        TaskLeftError: it took longer, or the manager has been away for ten minutes.
    """
    task, pause, away_since, began = accepted, FIRST_PAUSE_SECONDS, None, clock()
    task_id = str(accepted.body.get("TaskId"))

    def left() -> float:
        return math.inf if patience_seconds is None else began + patience_seconds - clock()

    while task.body.get("State") != "Finished":
        try:
            watcher.waits()
            task = yield from within(_looked_at(talk, accepted, pause), left)
            away_since = None
        except DeadlineError:
            task = yield from _looked_at_last(talk, accepted, clock)
            if task.body.get("State") != "Finished":
                raise TaskLeftError(
                    f"{accepted.body.get('Operation')} has not ended within {patience_seconds:g}"
                    " seconds.",
                    task_id,
                ) from None
        except CloudgateError as problem:
            if not _is_away(problem):
                raise
            away_since = away_since or clock()
            if clock() - away_since > PATIENCE_SECONDS:
                raise TaskLeftError(problem.message, task_id) from None
            watcher.is_away(problem)
            yield Delay(min(pause, max(left(), 0.0)))
        pause = min(pause * GROWTH, LONGEST_PAUSE_SECONDS)
    result = task.body.get("Result") or {}
    if not result.get("Success"):
        raise TaskFailedError(
            result.get("Message") or f"{task.body.get('Operation')} failed without a reason."
        )
    return task


def _looked_at(talk: Conversation, accepted: Answer, pause: float) -> Steps[Answer]:
    """The task of an answer, as it is after a pause."""
    yield Delay(pause)
    return (yield from talk.get(str(accepted.body["Href"])))


def _looked_at_last(
    talk: Conversation, accepted: Answer, clock: Callable[[], float]
) -> Steps[Answer]:
    """The task of an answer, as it is now: it may have ended in the last pause.

    As it was accepted where the manager is away.
    """
    until = clock() + LAST_LOOK_SECONDS
    try:
        return (yield from within(_looked_at(talk, accepted, 0.0), lambda: until - clock()))
    except CloudgateError as problem:
        if isinstance(problem, DeadlineError) or _is_away(problem):
            return accepted
        raise


def related(task: Answer) -> str | None:
    """The Href of what a task has made."""
    links = task.body.get("Links") or []
    return next((str(link["Href"]) for link in links if link.get("Rel") == "Related"), None)


def _is_away(problem: CloudgateError) -> bool:
    """Whether it is the manager that has a problem, and not what it was asked for."""
    if isinstance(problem, RefusedError):
        return problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return isinstance(problem, UnavailableError)
