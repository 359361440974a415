"""Recent pages: what did the figures say in the last minutes, before somebody came to look?"""

import gzip
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime

from cloudgate.background import Job
from cloudgate.monitoring.compression import compressed
from cloudgate.monitoring.endpoint import Document
from cloudgate.monitoring.exposition import TEXT
from cloudgate.monitoring.page_threads import in_page_thread

INTERVAL_SECONDS = 60.0
FIRST_AFTER_SECONDS = 10.0
"""A page costs half as much as a whole start, and at the start there is little to see."""
MOST_PAGES = 5
_MEDIA_TYPE = "text/plain; charset=utf-8"


def _now() -> datetime:
    return datetime.now(UTC)


class RecentPages:
    """Keeps a process' pages of metrics, compressed, in memory alone."""

    def __init__(self, now: Callable[[], datetime] = _now) -> None:
        self._now = now
        self._pages: deque[tuple[datetime, bytes]] = deque(maxlen=MOST_PAGES)
        self.source: Document | None = None
        """The page that is kept; none is as long as there is none."""

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Keeping the figures of the last minutes",
            attempt=self.keep,
            interval_seconds=INTERVAL_SECONDS,
            first_after_seconds=FIRST_AFTER_SECONDS,
        )

    async def keep(self) -> None:
        """Keep the page as it is now, in place of the oldest."""
        if self.source is not None:
            pieces, _ = await self.source(TEXT)
            self._pages.append((self._now(), await compressed(pieces)))

    async def document(self, accept: str) -> tuple[list[bytes], str]:
        """All of them, the oldest first, each with its time; not for a scrape."""
        del accept
        kept = tuple(self._pages)
        return await in_page_thread(_pages, kept), _MEDIA_TYPE


def _pages(kept: tuple[tuple[datetime, bytes], ...]) -> list[bytes]:
    pieces = ((f"# {at.isoformat()}\n".encode(), gzip.decompress(page)) for at, page in kept)
    return [b"".join(some) for some in pieces]
