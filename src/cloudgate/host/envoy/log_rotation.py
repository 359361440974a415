"""Log rotation: how does the access log stay within bounds?"""

from pathlib import Path

from cloudgate.background import Job
from cloudgate.host.envoy.supervisor import EnvoySupervisor

LARGEST_BYTES = 64 * 1024 * 1024
"""At this size a log is moved away and a new one begun."""
KEPT = 5
"""Logs that were moved away, the youngest with the number 1."""
REVIEW_SECONDS = 10.0


class Rotation:
    """Keeps one log of Envoy within a number of bytes, without losing a line."""

    def __init__(self, path: Path, envoy: EnvoySupervisor) -> None:
        self._path = path
        self._envoy = envoy
        self._moved = False
        """Whether Envoy may still write to a file that was moved away."""

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Keeping the access log small",
            attempt=self._attempt,
            interval_seconds=REVIEW_SECONDS,
            longest_pause_seconds=REVIEW_SECONDS,
        )

    async def _attempt(self) -> None:
        # Where somebody has taken it away, Envoy goes on to write to what nobody reads any more.
        self._moved = rotate(self._path) or self._moved or not self._path.exists()
        if self._moved and self._envoy.processes.is_running:
            # An Envoy that starts later opens the new file by itself.
            await self._envoy.reopen_logs()
        self._moved = False


def rotate(path: Path, largest_bytes: int = LARGEST_BYTES) -> bool:
    """Move the log away if it is large. Whether it was."""
    if not path.exists() or path.stat().st_size < largest_bytes:
        return False
    # First of all: where it cannot be moved, the older ones stay as they are.
    aside = _numbered(path, 0)
    if not aside.exists():
        path.replace(aside)
    for number in range(KEPT - 1, -1, -1):
        older = _numbered(path, number)
        if older.exists():
            older.replace(_numbered(path, number + 1))
    return True


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")
