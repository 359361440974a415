"""How does a test have a part of the product do its background work? As the program would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from cloudgate.background import Background, Job


class Part(Protocol):
    """A part of the product that works in the background."""

    def job(self) -> Job:
        """What is to be run."""


@asynccontextmanager
async def running_job(part: Part) -> AsyncIterator[None]:
    """It is tried again and again meanwhile."""
    work = asyncio.create_task(Background([part.job()]).run())
    try:
        yield
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
