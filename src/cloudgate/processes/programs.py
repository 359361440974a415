"""Asked programs: what do they say, in time and never beyond our own end?"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cloudgate.errors import UnavailableError
from cloudgate.processes import asked_program


@dataclass(frozen=True)
class ProgramResult:
    """What a program has said, and how it ended."""

    status: int
    """0 when all was well."""
    output: str
    errors: str

    @property
    def is_well(self) -> bool:
        """Whether it ended as programs do that have nothing to complain of."""
        return self.status == 0

    @property
    def complaint(self) -> str:
        """What it says of its failure; never empty."""
        said = self.errors.strip() or self.output.strip()
        return said or f"it ended with status {self.status}"


def ask(command: Sequence[str | Path], *, seconds: float) -> ProgramResult:
    """Run a program that answers by itself and ends; it has nothing at its standard input.

    It is killed, with all that it has started, when the time is over; on Linux it is also killed
    when the thread that asks ends, whatever ends that.

    Args:
        command: the program's path, or its name where it is sought, and its arguments.
        seconds: how long it may take.

    Raises:
        UnavailableError: it could not be run, or did not end in time: nothing is known then.
    """
    words = [str(each) for each in command]
    name = Path(words[0]).name
    try:
        asked = subprocess.Popen(
            with_parent(words),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        )
    except OSError as problem:
        raise UnavailableError(f"{name} cannot be run: {problem.strerror or problem}.") from None
    with asked:
        try:
            output, errors = asked.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            _kill(asked)
            raise UnavailableError(
                f"{name} did not answer within {seconds:g} seconds, and was ended."
            ) from None
        except BaseException:
            _kill(asked)
            raise
    if asked.returncode == asked_program.NOT_RUN and sys.platform == "linux":
        raise UnavailableError(f"{name} cannot be run: {errors.strip()}.")
    return ProgramResult(asked.returncode, output, errors)


def with_parent(words: Sequence[str]) -> Sequence[str]:
    """The command line of a program that ends with the thread that starts it (Linux)."""
    if sys.platform != "linux":
        return words
    script = str(Path(asked_program.__file__))
    return [sys.executable, "-I", "-S", script, str(os.getpid()), *words]


def _kill(asked: "subprocess.Popen[str]") -> None:
    """End it with all that it has started. It was not waited for, so that its id is its own."""
    if sys.platform == "win32":
        asked.kill()
        return
    with suppress(ProcessLookupError):  # all of its session has ended
        os.killpg(asked.pid, signal.SIGKILL)
