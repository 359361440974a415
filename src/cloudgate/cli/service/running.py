"""Running: how does the command of a service run what it starts, and end when that fails?"""

from collections.abc import Coroutine
from typing import Any, TypeVar

from cloudgate.cli.failures import fail
from cloudgate.errors import CloudgateError

Result = TypeVar("Result")


def run_service(work: Coroutine[Any, Any, Result]) -> Result:
    """What it comes to; a failure that was foreseen is said, and ends with 1."""
    from cloudgate.cli.service.event_loop import run as run_on_loop  # noqa: PLC0415

    try:
        return run_on_loop(work)
    except CloudgateError as problem:
        fail(problem.message)
    except OSError as problem:
        if problem.filename is None:
            raise  # of no file: nobody foresaw it
        fail(f"Cannot use {problem.filename}: {problem.strerror}.")
