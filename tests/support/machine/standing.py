"""Standing: where is a process of the product that does not end, or get ready? It is asked.

Each that a test starts with `environment` says on SIGUSR2 where its threads and tasks are.
"""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.machine.inside.sitecustomize import END
from tests.support.waiting import until

INSIDE = Path(__file__).parent / "inside"
END_SECONDS = 30.0
_SAY_SECONDS = 10.0
_SHOWN = 20_000
"""Characters of a log."""


def environment() -> dict[str, str]:
    """In which a process listens to SIGUSR2."""
    before = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": f"{INSIDE}{os.pathsep}{before}" if before else str(INSIDE)}


def stands(process: "subprocess.Popen[Any]", log: Path) -> str:
    """The end of a log, to which the process has added where it is, if it can."""
    if process.poll() is not None:
        return f"It has ended with {process.returncode}.\n{_end_of(log)}"
    before = _end_of(log).count(END)
    process.send_signal(signal.SIGCONT)
    process.send_signal(signal.SIGUSR2)
    with suppress(AssertionError):  # the threads have said so all the same
        until(lambda: _end_of(log).count(END) > before or process.poll() is not None, _SAY_SECONDS)
    return _end_of(log)


def end(
    process: "subprocess.Popen[Any]",
    log: Path,
    how: signal.Signals = signal.SIGTERM,
    within_seconds: float = END_SECONDS,
) -> int:
    """End a process as systemd does, also one that stands still. Returns its status.

    Raises:
        AssertionError: it does not end; it is killed, once it has said where it stood.
    """
    if process.poll() is None:
        process.send_signal(how)
        process.send_signal(signal.SIGCONT)
    try:
        return process.wait(within_seconds)
    except subprocess.TimeoutExpired:
        where = stands(process, log)
        process.kill()
        process.wait()
        raise AssertionError(
            f"It did not end within {within_seconds:g} seconds.\n{where}"
        ) from None


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-_SHOWN:]
