"""Reachability: do tenants reach a gateway that a host says is there? Seen in the background."""

import asyncio
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool

from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck, finish_reachability
from cloudgate.manager.jobs.reachability_probe import Prober


class Reachability:
    """Looks whether gateways are reached; then their tasks end."""

    def __init__(self, manager: Manager, probe: Prober, after_change: Callable[[], None]) -> None:
        self._manager = manager
        self._probe = probe
        self._after_change = after_change
        self._trying: dict[ReachabilityCheck, asyncio.Task[None]] = {}

    def look(self, reach: ReachabilityCheck) -> None:
        """See in the background whether tenants reach the gateway; then its task ends.

        Once at a time, however often its host reports.
        """
        if reach in self._trying:
            return

        def end(warning: str) -> None:
            with self._manager.changing() as work:
                finish_reachability(work, reach, warning)

        async def probe() -> None:
            warning = await self._probe(reach)
            await run_in_threadpool(end, warning)
            self._after_change()

        # Should this end with the manager, the host's next report brings it up again.
        trying = asyncio.create_task(probe())
        self._trying[reach] = trying
        trying.add_done_callback(lambda _: self._trying.pop(reach))
