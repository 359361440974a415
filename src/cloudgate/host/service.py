"""Host service: which parts run on a managed server, and how are they put together?"""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from cloudgate.background import Background, Failing, Job
from cloudgate.errors import InvalidRequestError, NotFoundError, UnavailableError
from cloudgate.host.authorization.address_reputation import AddressReputation
from cloudgate.host.authorization.authorizer import SLOT_WAIT_SECONDS, Authorizer
from cloudgate.host.authorization.ext_authz import serve_authorizer
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.envoy.endpoints import LocalEndpoints, local_endpoints
from cloudgate.host.envoy.log_rotation import Rotation
from cloudgate.host.envoy.supervisor import EnvoySupervisor
from cloudgate.host.manager_link.facts import gather_facts
from cloudgate.host.manager_link.host_state import HostState
from cloudgate.host.manager_link.query_handler import QueryHandler
from cloudgate.host.manager_link.reporter import Reporter
from cloudgate.host.manager_link.sync import ManagerSync
from cloudgate.host.monitoring.health import host_health
from cloudgate.host.platform import lock_file
from cloudgate.host.reconciler import Reconciler
from cloudgate.host.saturation import SaturationMonitor
from cloudgate.host.shaping.fair_share import FairShare
from cloudgate.host.shaping.shaper import TrafficShaper
from cloudgate.host.state.disk_reserve import REVIEW_SECONDS, DiskReserve
from cloudgate.host.state.enrolment import load_enrolment
from cloudgate.host.state.files import damaged_files
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.state.withdrawal_journal import WithdrawalJournal
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.connection_limit import CONNECTIONS_PER_ADDRESS, ConnectionLimiter
from cloudgate.host.tunnels.enforcer import TunnelEnforcer
from cloudgate.host.tunnels.restore_only import RestoreOnlyEnforcer
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.monitoring.endpoint import OFF, Monitoring, listen
from cloudgate.monitoring.endpoint import serve as serve_monitoring
from cloudgate.monitoring.systemd import Notifier, keep_informed
from cloudgate.processes.socket_handoff import pass_listener

_log = structlog.get_logger(__name__)


WAIT_VARIABLE = "CLOUDGATE_TUNNEL_WAIT_SECONDS"
"""Environment: how long a tunnel waits for a tenant's other tunnels to end."""
CONNECTIONS_VARIABLE = "CLOUDGATE_CONNECTIONS_PER_ADDRESS"
"""Environment: how many connections to the gateway one IP address may have."""
CAPACITY_VARIABLE = "CLOUDGATE_GATEWAY_MBIT"
"""Environment: what the gateway's line carries, in millions of bits each second, both directions
together; found out by itself where it is not set."""


class Shutdown(asyncio.Event):
    """Set when the host service is to end; `again` when it is to start anew at once."""

    again = False

    def request_restart(self) -> None:
        """End, to be started again; tunnels go on."""
        self.again = True
        self.set()


async def run_host_service(
    state_folder: Path,
    open_doors: Callable[[StatePaths], LocalEndpoints] = local_endpoints,
    until: Callable[[], object] | None = None,
    metrics_listen: str | None = None,
    notifier: Notifier | None = None,
) -> bool:
    """Keep this machine as its manager wants it, until SIGINT or SIGTERM; then Envoy ends too.

    So it does when `until` returns, which may take as long as it likes.

    At SIGHUP it ends alone, and says True: it is to be started again. Killed without a chance to
    clean up, it leaves Envoy running as well; the next run adopts it.

    Args:
        state_folder: where its files are.
        open_doors: how it and Envoy reach each other.
        until: returns when it is to end.
        metrics_listen: at which ``ADDRESS:PORT`` it shows its health and figures; None for nowhere.
        notifier: who is told that it runs; nobody when None.

    Raises:
        CloudgateError: The host has not joined, the folder is in use, or figures cannot be shown
            where they are wanted.
    """
    layout = state_paths(state_folder)
    layout.make_folders()
    _check_membership(layout)
    with _sole_user(layout), _watched_at(metrics_listen) as listener:
        stop = Shutdown()
        if until is not None:
            _stop_after(until, stop)
        watchers = Watchers(listener, notifier or Notifier({}))
        with _on_signals(stop):
            await _run_until(layout, open_doors(layout), stop, watchers)
        return stop.again


@dataclass(frozen=True)
class Watchers:
    """Who looks how the host service is."""

    listener: socket.socket | None
    """Where it shows its health and figures."""
    notifier: Notifier
    """Who started it."""


def _watched_at(where: str | None) -> AbstractContextManager[socket.socket | None]:
    return nullcontext() if where in (None, "", OFF) else listen(where or "")


def _reset(watch: TunnelTracker, closer: TunnelCloser) -> None:
    """End all tunnels so that their programs see that they were cut.

    An Envoy that ends itself says to those in HTTP/1.1 that the target had no more to say.
    """
    try:
        watch.poll()
        closer.terminate(watch.live, "the host service ends")
    except UnavailableError as error:
        _log.warning("tunnels may look finished to their programs", reason=error.message)


async def _adopt(envoy: EnvoySupervisor) -> None:
    try:
        await envoy.adopt()
    except UnavailableError as error:
        _log.error("envoy is not adopted yet", reason=error.message)


def _check_membership(layout: StatePaths) -> None:
    try:
        load_enrolment(layout)
    except NotFoundError as error:
        if not layout.assignment.exists():
            raise
        # The gateway needs nobody for what is on the disk.
        _log.error("the manager cannot be reached; the gateway goes on", reason=error.message)


async def _run_until(
    layout: StatePaths, doors: LocalEndpoints, stop: Shutdown, watchers: Watchers
) -> None:
    journal = WithdrawalJournal(layout.withdrawals, DiskReserve(layout.reserve).release_for)
    known = HostState(
        TenantDirectory(layout.directory, journal),
        SiteStore(layout.site, journal),
        GatewayStatus(),
        journal,
    )
    with Authorizer(
        known.directory,
        known.site,
        known.role,
        TunnelSlots(),
        wait_seconds=_wait_seconds(),
        now=known.clock,
        reputation=AddressReputation(layout.reputation),
    ) as gatekeeper:
        server = await serve_authorizer(gatekeeper, doors)
        try:
            await _work_until(layout, doors, known, gatekeeper, stop=stop, watchers=watchers)
            if stop.again:
                await server.retire()
                pass_listener(server.listener)
        finally:
            await server.stop()


async def _work_until(
    layout: StatePaths,
    doors: LocalEndpoints,
    known: HostState,
    gatekeeper: Authorizer,
    *,
    stop: Shutdown,
    watchers: Watchers,
) -> None:
    news = asyncio.Event()
    admin = AdminClient(doors)
    envoy = EnvoySupervisor(layout, doors, admin, news.set)
    closer = TunnelCloser(envoy.processes)
    watch = TunnelTracker(
        layout,
        envoy.processes,
        known.role,
        places=gatekeeper.places,
        closer=closer,
        now=known.clock,
        troubles=known.troubles,
    )
    enforcer = TunnelEnforcer(
        watch,
        closer,
        known.directory,
        known.role,
        site=known.site,
        places=gatekeeper.places,
        now=known.clock,
    )
    outbox = Reporter(
        lambda: gather_facts(layout, envoy.version, _troubles(known)),
        (known.directory.contribution, enforcer.contribution),
        guesses=gatekeeper.guesses,
    )
    reconciler = Reconciler(
        layout,
        doors,
        envoy,
        admin,
        role=known.role,
        watch=watch,
        closer=closer,
        news=news,
        on_outcome=outbox.observe,
        journal=known.journal,
    )
    fairness = FairShare(_capacity_bytes())
    pacer = TrafficShaper(
        envoy.processes,
        known.directory,
        watch,
        known.allowances,
        fairness=fairness,
        starts=gatekeeper.starts,
    )
    channel = ManagerSync(
        layout,
        known,
        reconciler,
        outbox,
        usage=watch.usage,
        queries=QueryHandler(watch, closer),
        tokens=gatekeeper.tokens,
    )

    def keep_room() -> None:
        envoy.reserve.allocate()
        if known.journal is not None:
            known.journal.keep()

    def note_failing(name: str, failing: Failing | None) -> None:
        known.troubles.set(name, failing.text if failing else "")
        outbox.mark_dirty()

    crowd = ConnectionLimiter(envoy.processes, known.role, watch, limit=_connections_per_address())
    background = Background(
        (
            enforcer.job(),
            watch.job(),
            pacer.job(),
            RestoreOnlyEnforcer(envoy.processes, known.site, watch, closer).job(),
            crowd.job(),
            reconciler.job(),
            *channel.jobs(),
            Rotation(layout.access_log, envoy).job(),
            Job(name="Keeping room", attempt=keep_room, interval_seconds=REVIEW_SECONDS),
            _lasting("Summing up refusals", partial(gatekeeper.refusals.run, admin)),
            _lasting(
                "Looking what is saturated",
                partial(
                    SaturationMonitor(known.troubles, outbox.mark_dirty).run,
                    layout.state,
                    envoy.processes,
                    admin,
                ),
            ),
            _lasting(
                "Remembering who was right before",
                partial(gatekeeper.reputation.run, known.directory.knows),
            ),
        ),
        on_change=note_failing,
    )
    health = host_health(known, admin, background, lambda: outbox.outcome, layout.state)
    monitoring = Monitoring(health, {})
    try:
        await _adopt(envoy)
        async with asyncio.TaskGroup() as group:
            work = [group.create_task(background.run())]
            if watchers.listener is not None:
                work.append(group.create_task(serve_monitoring(monitoring, watchers.listener)))
            telling = keep_informed(watchers.notifier, health, lambda: _described(known))
            work.append(group.create_task(telling))
            await stop.wait()
            health.drain()
            for each in work:
                each.cancel()
        watch.checkpoint()
    except Exception:
        # A fault of this program is no reason to cut a tunnel: the next run adopts Envoy.
        await envoy.release()
        raise
    finally:
        if stop.again:
            await envoy.release()
        elif envoy.is_supervised:
            _reset(watch, closer)
            await envoy.stop()
        await admin.close()


def _described(known: HostState) -> str:
    live = known.role.live_tunnels
    return f"{live} live tunnel{'' if live == 1 else 's'}"


def _lasting(name: str, run: Callable[[], Awaitable[None]]) -> Job:
    return Job(name=name, attempt=run, interval_seconds=1.0, lasts=True)


def _troubles(known: HostState) -> str:
    return " ".join(text for text in (known.troubles.text, damaged_files()) if text)


def _wait_seconds() -> float:
    found = _number(WAIT_VARIABLE, "seconds")
    return SLOT_WAIT_SECONDS if found is None else found


def _connections_per_address() -> int:
    found = _number(CONNECTIONS_VARIABLE, "connections")
    return max(1, int(found)) if found else CONNECTIONS_PER_ADDRESS


def _capacity_bytes() -> int | None:
    found = _number(CAPACITY_VARIABLE, "millions of bits each second")
    return int(found * 1_000_000 / 8) if found else None


def _number(variable: str, unit: str) -> float | None:
    """A setting of the environment; None when it is not set."""
    text = os.environ.get(variable, "")
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        raise InvalidRequestError(
            f"{variable} is {text[:50]!r}; expected a number of {unit}."
        ) from None


def _stop_after(until: Callable[[], object], stop: Shutdown) -> None:
    loop = asyncio.get_running_loop()

    def wait() -> None:
        until()
        with suppress(RuntimeError):  # it has ended for another reason
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="until", daemon=True).start()


@contextmanager
def _sole_user(layout: StatePaths) -> Iterator[None]:
    with layout.lock.open("w") as lock:
        try:
            lock_file(lock)
        except OSError:
            raise UnavailableError(
                f"Another host service uses {layout.state}. Stop it first."
            ) from None
        yield


@contextmanager
def _on_signals(stop: Shutdown) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    if sys.platform == "win32":
        before = [
            signal.signal(each, lambda *_: loop.call_soon_threadsafe(stop.set)) for each in numbers
        ]
        yield
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
        return
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, stop.request_restart)
    try:
        yield
    finally:
        for number in (*numbers, signal.SIGHUP):
            loop.remove_signal_handler(number)
