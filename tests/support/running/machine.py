"""How does a test run a managed server? Without a manager: the test says what is wanted."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from uuid import UUID

from cloudgate.background import Background, JobRecord
from cloudgate.host.authorization.address_reputation import AddressReputation
from cloudgate.host.authorization.admissions import Admissions
from cloudgate.host.authorization.authorizer import Authorizer
from cloudgate.host.authorization.ext_authz import serve_authorizer
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.gateway import GatewayParts
from cloudgate.host.host_state import HostState
from cloudgate.host.platform import Pacing
from cloudgate.host.reconciler import ReconcileResult
from cloudgate.host.settings import HostSettings
from cloudgate.host.shaping.rate_allocations import RateAllocations
from cloudgate.host.state.disk_reserve import DiskReserve
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.host.state.private_key import public_key_pem
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.state.withdrawal_journal import WithdrawalJournal
from cloudgate.host.tunnels.connection_limit import CONNECTIONS_PER_ADDRESS
from cloudgate.network.connection_names import has_both_ends
from cloudgate.protocol import Assignment, DirectoryChange, Gateway, GatewayState, Tenant
from tests.support.certificates.authority import Authority
from tests.support.waiting import PATIENCE_SECONDS, until_async

GATEWAY_ID = UUID(int=6)
LATE = ("The gateway was not ready within", "did not answer within")
"""In what a machine says that has too much to do."""
SILENT = "does not answer; its tunnels go on"
"""Said then, too, but also where Envoy stands still."""


class Machine:
    """A managed server without a manager: the test says what is wanted and sees what is found."""

    def __init__(
        self, paths: StatePaths, authority: Authority, endpoints: LocalEndpoints | None = None
    ) -> None:
        self.paths = paths
        self.authority = authority
        self.endpoints = endpoints or UnixEndpoints(paths)
        reserve = DiskReserve(paths.reserve)
        reserve.allocate()
        self.journal = WithdrawalJournal(paths.withdrawals, reserve.release_for)
        self.directory = TenantDirectory(paths.directory, self.journal)
        self.site = SiteStore(paths.site, self.journal)
        self.wait_seconds = 5.0
        # Whatever else keeps this machine busy, its gateway is not full unless a test says so.
        self.capacity_bytes: int | None = 10**12
        self.connections_per_address = CONNECTIONS_PER_ADDRESS
        self.allowances = RateAllocations()
        self.outcomes: asyncio.Queue[ReconcileResult] = asyncio.Queue()
        self._stack = AsyncExitStack()
        self._revision = 0

    async def start(self) -> None:
        """Start what a host service consists of, without its channel."""
        known = HostState(
            self.directory, self.site, GatewayStatus(), self.journal, allowances=self.allowances
        )
        settings = HostSettings(
            capacity_bytes=self.capacity_bytes,
            connections_per_address=self.connections_per_address,
        )
        self.admissions = Admissions()
        parts = GatewayParts(self.paths, self.endpoints, known, self.admissions, settings=settings)
        authorizer = self._stack.enter_context(
            Authorizer(
                self.directory,
                self.site,
                known.gateway_status,
                self.admissions,
                parts,
                wait_seconds=self.wait_seconds,
                reputation=AddressReputation(self.paths.reputation),
            )
        )
        self.server = server = await serve_authorizer(authorizer, self.endpoints)
        self.authorizer = authorizer
        self.guesses = authorizer.guesses
        self.tokens = authorizer.tokens
        self._stack.push_async_callback(server.stop)
        self._stack.push_async_callback(parts.admin.close)
        self.admin, self.envoy, self.envoys = parts.admin, parts.envoy, parts.envoy.processes
        self.tracker, self.enforcer = parts.tracker, parts.enforcer
        self.shaper, self.restore_only = parts.shaper, parts.restore_only
        self.reconciler = parts.reconciler
        self.reconciler.on_outcome = self.outcomes.put_nowait
        self._background = Background(parts.jobs())
        self._revision = self.reconciler.revision or 0
        self._work = asyncio.create_task(self._background.run())

    async def hears_of(self, tunnels: int) -> None:
        """Wait until the access log has told the host service of so many live tunnels."""
        await until_async(lambda: len(self.tracker.live) >= tunnels)

    def found_by_both_ends(self) -> set[str]:
        """Those of the live tunnels' connections, of which each has two, that Envoy has."""
        assert self.envoys.pid is not None
        names = {name for each in self.tracker.live for name in each.connections}
        return set(Pacing(self.envoys.pid).carried(set(filter(has_both_ends, names))))

    async def works_meanwhile(self) -> None:
        """Wait until each job has been tried once, from its beginning to its end."""
        for each in self._background.records:
            for _ in range(2):  # the first one may have begun before
                more = each.runs + 1
                self._background.wake(each.name)
                self.reconciler._news.set()  # its attempts wait for that, too
                await until_async(partial(_has_run, each, more), said=partial(str, each))

    async def leave(self) -> None:
        """End as a host service does that was killed: Envoy goes on."""
        await self.end_work()
        self.tracker.checkpoint()
        await self.envoy.release()
        await self._stack.aclose()

    async def end_work(self) -> None:
        """What a host service ends first: all that goes on in the background."""
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)

    async def stop(self) -> None:
        """End with everything that was started."""
        await self.leave()
        await self.envoy.stop()

    def gateway(self, port: int, **changes: object) -> Gateway:
        """A gateway on loopback with a new certificate."""
        usual = {
            "gateway_id": GATEWAY_ID,
            "addresses": ("127.0.0.1",),
            "port": port,
            "certificate_chain_pem": self.authority.certificate(public_key_pem(self.paths)),
        }
        return Gateway.model_validate({**usual, **changes})

    async def bring(
        self, gateway: Gateway | None, state: GatewayState, drain_seconds: float = 3600.0
    ) -> ReconcileResult:
        """Want `gateway` and wait until the machine is in `state` about it."""
        self._revision += 1
        self.reconciler.set_desired(
            Assignment(revision=self._revision, gateway=gateway, drain_seconds=drain_seconds)
        )
        return await self.found(state)

    async def found(self, state: GatewayState) -> ReconcileResult:
        """Wait until the machine is in `state` about the latest assignment.

        Where much else runs, Envoy may not be ready or say its version in time. A gateway that is
        new is given up then, and wanted again as by whoever asked for it.
        """
        late = LATE if state is GatewayState.FAILED else (*LATE, SILENT)
        async with asyncio.timeout(4 * PATIENCE_SECONDS):
            while True:
                outcome = await self.outcomes.get()
                if outcome.revision != self._revision:
                    continue
                wanted = self.reconciler.kept.current
                if wanted and any(each in outcome.reason for each in late):
                    self._revision += 1
                    again = wanted.model_copy(update={"revision": self._revision})
                    self.reconciler.set_desired(again)
                elif outcome.state is state:
                    return outcome

    def know(self, *tenants: Tenant) -> None:
        """Have the directory hold exactly `tenants`."""
        revision = self.directory.revision + 1
        self.directory.apply(DirectoryChange(from_revision=0, revision=revision, tenants=tenants))

    def kill_envoy(self) -> None:
        """Kill Envoy the hard way."""
        assert self.envoys.pid is not None
        os.kill(self.envoys.pid, signal.SIGKILL)


@asynccontextmanager
async def running_machine(
    state: Path,
    authority: Authority,
    open_endpoints: Callable[[StatePaths], LocalEndpoints] = UnixEndpoints,
) -> AsyncIterator[Machine]:
    """A machine for one test."""
    paths = state_paths(state)
    paths.make_folders()
    machine = Machine(paths, authority, open_endpoints(paths))
    await machine.start()
    try:
        yield machine
    finally:
        await machine.stop()


def _has_run(record: JobRecord, times: int) -> bool:
    return record.runs >= times
