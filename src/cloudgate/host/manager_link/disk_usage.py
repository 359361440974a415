"""Disk usage: how much is in the directories that the manager asks about? One at a time."""

import asyncio
import sys
from collections import deque
from pathlib import Path

import structlog
from pydantic import ValidationError

from cloudgate.host.manager_link import disk_usage_walk
from cloudgate.host.platform.machine import machine_mark
from cloudgate.processes.programs import with_parent
from cloudgate.protocol import Answer, DirectoryProbe, DirectorySize, Question

MOST_WAITING = 100
"""How many questions may wait; the manager asks those again that nobody answers."""

_log = structlog.get_logger(__name__)


class DiskUsageWorker:
    """Takes questions while something is measured, and has their answers when they are there."""

    def __init__(self) -> None:
        self._waiting: deque[Question] = deque(maxlen=MOST_WAITING)
        self._came = asyncio.Event()
        self._answer: Answer | None = None

    def ask(self, question: Question) -> None:
        """A question has come."""
        self._waiting.append(question)
        self._came.set()

    async def due(self) -> Answer:
        """Wait for the next answer; the same until it was `delivered`."""
        if self._answer is None:
            while not self._waiting:
                self._came.clear()
                await self._came.wait()
            question = self._waiting.popleft()
            measured = await _measured(question.measure) if question.measure else DirectorySize()
            self._answer = Answer(
                machine=machine_mark(), question=question.question, measured=measured
            )
        return self._answer

    def delivered(self) -> None:
        """The manager has the answer."""
        self._answer = None


async def _measured(directory: DirectoryProbe) -> DirectorySize:
    if sys.platform == "win32":
        return DirectorySize(reason="Directories are measured on Linux only.")
    child = await asyncio.create_subprocess_exec(
        *with_parent([sys.executable, "-I", "-S", str(Path(disk_usage_walk.__file__))]),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, complaint = await asyncio.wait_for(
            child.communicate(directory.model_dump_json().encode()), directory.limit_seconds
        )
        return DirectorySize.model_validate_json(said)
    except TimeoutError:
        return DirectorySize(
            reason=f"Measuring it took longer than {directory.limit_seconds:g} seconds; it was"
            " given up. Let IntervalMinutes be longer, and see whether the disk is in order."
        )
    except ValidationError:
        _log.error("a directory could not be measured", complaint=complaint.decode()[-500:])
        return DirectorySize(reason="The host service failed to measure it; its log says why.")
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()  # or its pipes stay open, and it a zombie
