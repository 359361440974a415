"""Disk usage: how much is in the directories that the manager asks about? One at a time."""

import asyncio
import json
import sys
from collections import deque
from pathlib import Path

import structlog
from pydantic import ValidationError

from cloudgate.host.manager_link import disk_usage_walk
from cloudgate.host.platform.machine import machine_mark
from cloudgate.processes.programs import with_parent
from cloudgate.protocol import Answer, DirectoryProbe, DirectorySize, Question
from cloudgate.protocol.bounds import MOST_BYTES, bounded, readable

MOST_WAITING = 100
"""How many questions may wait; the manager asks those again that nobody answers."""

_log = structlog.get_logger(__name__)


class DiskUsageWorker:
    """Takes questions while something is measured, and has their answers when they are there."""

    def __init__(self) -> None:
        self._waiting: deque[Question] = deque(maxlen=MOST_WAITING)
        self._came = asyncio.Event()
        self._in_hand: Question | None = None
        """The one whose answer is delivered next."""
        self._measuring: asyncio.Task[Answer] | None = None

    def ask(self, question: Question) -> None:
        """A question has come."""
        self._waiting.append(question)
        self._came.set()

    async def due(self) -> Answer:
        """Wait for the next answer; the same until it was `delivered`.

        Who waits may be cancelled, as it is when the host goes to another manager: what is measured
        goes on, and is there for the next one who waits.
        """
        while self._in_hand is None:
            if self._waiting:
                self._in_hand = self._waiting.popleft()
            else:
                self._came.clear()
                await self._came.wait()
        if self._measuring is None or _has_failed(self._measuring):
            self._measuring = asyncio.create_task(_answer_to(self._in_hand))
        return await asyncio.shield(self._measuring)

    def delivered(self) -> None:
        """The manager has the answer, or wants none."""
        self._in_hand = self._measuring = None


def _has_failed(measuring: "asyncio.Task[Answer]") -> bool:
    return measuring.done() and (measuring.cancelled() or measuring.exception() is not None)


async def _answer_to(question: Question) -> Answer:
    measured = await _measured(question.measure) if question.measure else DirectorySize()
    return Answer(machine=machine_mark(), question=question.question, measured=measured)


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
        return _size(json.loads(said))
    except TimeoutError:
        return DirectorySize(
            reason=f"Measuring it took longer than {directory.limit_seconds:g} seconds; it was"
            " given up. Let IntervalMinutes be longer, and see whether the disk is in order."
        )
    except (json.JSONDecodeError, ValidationError):
        _log.error("a directory could not be measured", complaint=complaint.decode()[-500:])
        return DirectorySize(reason="The host service failed to measure it; its log says why.")
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()  # or its pipes stay open, and it a zombie


def _size(said: dict[str, int | str | None]) -> DirectorySize:
    """What that program has said, within the bounds of what a manager hears."""
    told = {
        name: bounded(each, MOST_BYTES) if isinstance(each, int) else each and readable(each)
        for name, each in said.items()
    }
    return DirectorySize.model_validate(told)
