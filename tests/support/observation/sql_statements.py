"""SQL statements: which do calls of the API make? What jobs ask meanwhile is not theirs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from tests.support.running.manager import RunningManager

_OF_CALLS = "/cloudgate/api/"
"""Part of the path of what answers calls; a thread that runs a job has no such frame."""


@contextmanager
def statements(running: RunningManager) -> Iterator[list[str]]:
    """What is read from the database meanwhile, for calls."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        if _is_for_a_call():
            seen.append(str(arguments[2]))

    engine = running.manager.database.reading().get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


def _is_for_a_call() -> bool:
    frame = sys._getframe()
    while frame is not None:
        if _OF_CALLS in frame.f_code.co_filename.replace("\\", "/"):
            return True
        frame = frame.f_back  # type: ignore[assignment]
    return False
