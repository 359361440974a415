"""Task wait: what does whoever types a command see while its task goes on, and if it is left?

Whoever is watching sees a spinner; where nobody is, what changes is a line on standard error.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator

from cloudgate.client.api import Api
from cloudgate.client.core import tasks
from cloudgate.client.core.exchange import Answer
from cloudgate.client.core.tasks import TaskLeftError, Watcher
from cloudgate.errors import UnavailableError
from cloudgate.values.shown_texts import printable


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
    with _teller(str(accepted.body.get("Operation", ""))) as say:
        watcher = Watcher(
            waits=lambda: say(progress()) if progress is not None else None,
            is_away=lambda problem: say(
                f"{problem.message} Its task goes on, and is asked for again."
            ),
        )
        try:
            return api.run(tasks.finished(api.talk, accepted, watcher))
        except TaskLeftError as problem:
            raise UnavailableError(
                f"{problem.why} The task goes on without this command; once the manager is back,"
                f" cloudgate task show {problem.task_id} tells how it ends."
            ) from None


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
