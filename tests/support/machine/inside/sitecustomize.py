"""Standing: where does this process stand? It says so on SIGUSR2, to standard error, and goes on.

Python imports this at the start of each process that a test of the product starts.
"""

import asyncio
import faulthandler
import signal
import sys
from types import FrameType

END = "all tasks have said where they stand"


def _say_where(_number: int, _frame: FrameType | None) -> None:
    """Each task with the line that it waits in, the innermost last; threads were told before."""
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:  # no event loop runs
        tasks = set()
    for task in tasks:
        sys.stderr.write(f"Task {task.get_name()}:\n")
        waiting: object = task.get_coro()
        while waiting is not None:
            frame = getattr(waiting, "cr_frame", None) or getattr(waiting, "gi_frame", None)
            if frame is None:
                sys.stderr.write(f"  {waiting!r}\n")
                break
            code = frame.f_code
            sys.stderr.write(
                f'  File "{code.co_filename}", line {frame.f_lineno} in {code.co_name}\n'
            )
            waiting = getattr(waiting, "cr_await", None) or getattr(waiting, "gi_yieldfrom", None)
    sys.stderr.write(f"{END}\n")
    sys.stderr.flush()


if __name__ == "sitecustomize":  # and not where a test reads what is said here
    signal.signal(signal.SIGUSR2, _say_where)
    # Written by the system's handler itself, also where the interpreter is stuck.
    faulthandler.register(signal.SIGUSR2, all_threads=True, chain=True)
