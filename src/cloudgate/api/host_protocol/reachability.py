"""Reachability: do tenants reach a gateway that a host says is there? Seen in the background."""

import asyncio
from collections.abc import Callable

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from cloudgate.errors import UnavailableError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck, finish_reachability
from cloudgate.manager.jobs.reachability_probe import Prober
from cloudgate.manager.storage.failures import reason as database_reason

log = structlog.get_logger(__name__)

WRITTEN_AGAIN_AFTER_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""When what was found, and could not be written down, is again; then the task's time is over."""


class Reachability:
    """Looks whether gateways are reached; then their tasks end."""

    def __init__(self, manager: Manager, probe: Prober, after_change: Callable[[], None]) -> None:
        self._manager = manager
        self._probe = probe
        self._after_change = after_change
        self._trying: dict[ReachabilityCheck, asyncio.Task[None]] = {}

    def check(self, reach: ReachabilityCheck) -> None:
        """See in the background whether tenants reach the gateway; then its task ends.

        Once at a time, however often its host reports.
        """
        if reach in self._trying:
            return

        async def probe() -> None:
            await self._write_down(reach, await self._dial(reach))
            self._after_change()

        # Should this end with the manager, the host's next report brings it up again.
        trying = asyncio.create_task(probe())
        self._trying[reach] = trying
        trying.add_done_callback(lambda _: self._trying.pop(reach))

    async def _dial(self, reach: ReachabilityCheck) -> str | None:
        """Why tenants do not reach the gateway, empty where they do; None where nobody knows."""
        try:
            return await self._probe(reach)
        except Exception:  # whatever it is, the gateway listens all the same
            log.exception("a gateway was not dialled", address=reach.address, port=reach.port)
            return None

    async def _write_down(self, reach: ReachabilityCheck, warning: str | None) -> None:
        """End the task with what was found; a database that is away is waited for a while."""

        def end() -> None:
            with self._manager.changing() as work:
                finish_reachability(work, reach, warning)

        for pause_seconds in (0.0, *WRITTEN_AGAIN_AFTER_SECONDS):
            await asyncio.sleep(pause_seconds)
            try:
                await run_in_threadpool(end)
            except SQLAlchemyError as problem:
                reason = database_reason(problem) or type(problem).__name__
                log.warning("what dialling a gateway found is not written down", reason=reason)
            except UnavailableError:
                return  # another manager leads, and looks itself
            else:
                return
