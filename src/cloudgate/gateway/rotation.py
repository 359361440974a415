"""How does the access log stay within bounds?"""

import asyncio
from pathlib import Path

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.gateway.envoy import Envoy

LARGEST_BYTES = 64 * 1024 * 1024
"""At this size a log is moved away and a new one begun."""
KEPT = 5
"""Logs that were moved away, the youngest with the number 1."""
REVIEW_SECONDS = 10.0

_log = structlog.get_logger(__name__)


async def keep_small(path: Path, envoy: Envoy) -> None:
    """Rotate for ever."""
    while True:
        try:
            if rotate(path):
                await envoy.reopen_logs()
        except OSError as error:
            _log.warning("the access log cannot be moved away", reason=str(error))
        except UnavailableError as error:
            # An Envoy that starts later opens the new file by itself.
            _log.warning("the access log was not opened anew", reason=error.message)
        await asyncio.sleep(REVIEW_SECONDS)


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
