"""Host service: which parts run on a managed server, and how are they put together?"""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from cloudgate.background import Background, FailingJob
from cloudgate.errors import NotFoundError, UnavailableError
from cloudgate.host.authorization.address_reputation import AddressReputation
from cloudgate.host.authorization.admissions import Admissions
from cloudgate.host.authorization.authorizer import Authorizer
from cloudgate.host.authorization.ext_authz import serve_authorizer
from cloudgate.host.envoy.endpoints import LocalEndpoints, local_endpoints
from cloudgate.host.envoy.supervisor import EnvoySupervisor
from cloudgate.host.gateway import GatewayParts
from cloudgate.host.host_state import HostState
from cloudgate.host.manager_link.facts import gather_facts
from cloudgate.host.manager_link.query_handler import QueryHandler
from cloudgate.host.manager_link.reporter import Reporter
from cloudgate.host.manager_link.sync import ManagerSync
from cloudgate.host.monitoring.envoy_counters import EnvoyCounters
from cloudgate.host.monitoring.figures import HostFigures
from cloudgate.host.monitoring.health import host_health
from cloudgate.host.monitoring.metrics import HostMetrics
from cloudgate.host.platform import congestion_control, lock_file
from cloudgate.host.settings import HostSettings
from cloudgate.host.state.disk_reserve import DiskReserve
from cloudgate.host.state.enrolment import load_enrolment
from cloudgate.host.state.files import damaged_files
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.state.withdrawal_journal import WithdrawalJournal
from cloudgate.host.tunnels.drain import JITTER_SECONDS
from cloudgate.monitoring.endpoint import METRICS, OFF, RECENT, Monitoring, listen
from cloudgate.monitoring.endpoint import serve as serve_monitoring
from cloudgate.monitoring.recent_pages import RecentPages
from cloudgate.monitoring.systemd import Notifier, keep_informed
from cloudgate.processes.signals import come_later, hold, on_end
from cloudgate.processes.socket_handoff import pass_listener

DRAIN_END_SECONDS = JITTER_SECONDS + 5.0
"""How long after the time of its tunnels a host service has closed those that are left."""

_log = structlog.get_logger(__name__)


class Shutdown(asyncio.Event):
    """Set when the host service is to end; `again` when it is to start anew at once.

    Who is told to end ends, whatever else is asked: two signals may come in either order.
    """

    again = False

    def __init__(self) -> None:
        super().__init__()
        self._is_told_to_end = self._is_decided = False
        self.at_once = asyncio.Event()
        """Set when it is to wait for nothing more."""

    def request(self) -> None:
        """End; asked a second time, do not wait for tunnels."""
        if self._is_decided and self.again:
            come_later(signal.SIGTERM)
            return
        self.again, self._is_told_to_end = False, True
        if self.is_set():
            self.at_once.set()
        self.set()

    def request_restart(self) -> None:
        """End, to be started again; tunnels go on."""
        if self._is_decided:
            if self.again:
                come_later(signal.Signals["SIGHUP"])  # Windows has none
            return
        if self._is_told_to_end:
            return
        self.again = True
        self.at_once.set()
        self.set()

    def decide(self) -> bool:
        """Whether it starts anew, from now on for certain: what comes later is for who starts."""
        self._is_decided = True
        if self.again:
            hold()
        return self.again


async def run_host_service(
    state_folder: Path,
    open_endpoints: Callable[[StatePaths], LocalEndpoints] = local_endpoints,
    until: Callable[[], object] | None = None,
    metrics_listen: str | None = None,
    notifier: Notifier | None = None,
) -> bool:
    """Keep this machine as its manager wants it, until SIGINT or SIGTERM; then Envoy ends too.

    So it does when `until` returns, which may take as long as it likes. Where tunnels have a time
    for that (`HostSettings.drain_seconds`) they may go on for so long, or until a second signal.

    At SIGHUP it ends alone, and says True: it is to be started again. Killed without a chance to
    clean up, it leaves Envoy running as well; the next run adopts it.

    Args:
        state_folder: where its files are.
        open_endpoints: how it and Envoy reach each other.
        until: returns when it is to end.
        metrics_listen: at which ``ADDRESS:PORT`` it shows its health and figures; None for nowhere.
        notifier: who is told that it runs; nobody when None.

    Raises:
        CloudgateError: The host has not joined, the folder is in use, or figures cannot be shown
            where they are wanted.
    """
    paths = state_paths(state_folder)
    paths.make_folders()
    _check_membership(paths)
    stop = Shutdown()
    # Signals first: who sees it listen may send one.
    told = on_end(stop.request, hangup=stop.request_restart)
    with _sole_user(paths), told, _watched_at(metrics_listen) as listener:
        if until is not None:
            _stop_after(until, stop)
        watchers = Monitors(listener, notifier or Notifier({}))
        await _run_until(paths, open_endpoints(paths), stop, watchers)
    return stop.again


@dataclass(frozen=True)
class Monitors:
    """Who looks how the host service is."""

    listener: socket.socket | None
    """Where it shows its health and figures."""
    notifier: Notifier
    """Who started it."""


def _watched_at(where: str | None) -> AbstractContextManager[socket.socket | None]:
    return nullcontext() if where in (None, "", OFF) else listen(where or "")


def _check_membership(paths: StatePaths) -> None:
    try:
        load_enrolment(paths)
    except (NotFoundError, UnavailableError) as error:
        if not paths.assignment.exists():
            raise
        # The gateway needs nobody for what is on the disk.
        _log.error("the manager cannot be reached; the gateway goes on", reason=error.message)


async def _run_until(
    paths: StatePaths, endpoints: LocalEndpoints, stop: Shutdown, watchers: Monitors
) -> None:
    settings = HostSettings.from_environment()
    journal = WithdrawalJournal(paths.withdrawals, DiskReserve(paths.reserve).release_for)
    known = HostState(
        TenantDirectory(paths.directory, journal),
        SiteStore(paths.site, journal),
        GatewayStatus(),
        journal,
    )
    admissions = Admissions()
    gateway = GatewayParts(paths, endpoints, known, admissions, settings=settings)
    with Authorizer(
        known.directory,
        known.site,
        known.gateway_status,
        admissions,
        gateway,
        wait_seconds=settings.slot_wait_seconds,
        now=known.clock,
        reputation=AddressReputation(paths.reputation),
    ) as authorizer:
        server = await serve_authorizer(authorizer, endpoints)
        try:
            parts = _compose(paths, known, authorizer, gateway)
            await _work_until(gateway, parts, stop, watchers, settings.drain_seconds)
            if stop.again:
                await server.retire()
                pass_listener(server.listener)
        finally:
            await server.stop()


@dataclass(frozen=True)
class _Parts:
    """What runs, and what is shown of it."""

    background: Background
    monitoring: Monitoring
    describe: Callable[[], str]
    """In a few words, for who started it."""


def _compose(
    paths: StatePaths, known: HostState, authorizer: Authorizer, gateway: GatewayParts
) -> _Parts:
    """Put the gateway in touch with its manager, and with who watches over both."""
    reporter = Reporter(
        lambda: gather_facts(
            paths, gateway.envoy.version, _conditions(known), _advice(gateway.envoy)
        ),
        (known.directory.contribution, gateway.enforcer.contribution),
        gathered={
            "guesses": authorizer.guesses,
            "outsiders": authorizer.outsiders,
            "old_passwords": authorizer.old_passwords,
        },
    )
    gateway.reconciler.on_outcome = reporter.observe
    sync = ManagerSync(
        paths,
        known,
        gateway.reconciler,
        reporter,
        usage=gateway.tracker.usage,
        queries=QueryHandler(gateway.tracker, gateway.closer),
        tokens=authorizer.tokens,
    )
    authorizer.own.ask = sync.hand_on

    def note_failing(name: str, failing: FailingJob | None) -> None:
        known.conditions.set(name, failing.text if failing else "")
        reporter.mark_dirty()

    counters = EnvoyCounters(gateway.admin)
    figures = reporter.figures = HostFigures(
        gateway.tracker,
        authorizer.meter,
        gateway.shaper.held_back,
        counters,
        full=lambda: gateway.full,
        clock=known.clock,
        state=paths.state,
        envoys=lambda: gateway.envoy.processes.pids,
    )
    recent = RecentPages()
    background = Background(
        (
            *gateway.jobs(),
            *sync.jobs(),
            *gateway.housekeeping(reporter.mark_dirty),
            *authorizer.jobs(gateway.admin),
            counters.job(),
            recent.job(),
        ),
        on_change=note_failing,
    )
    health = host_health(known, gateway.admin, background, lambda: reporter.outcome, paths.state)
    metrics = HostMetrics(figures, background, health)
    recent.source = metrics.document
    monitoring = Monitoring(health, {METRICS: metrics.document, RECENT: recent.document})
    return _Parts(background, monitoring, lambda: _described(gateway.live_tunnels))


async def _work_until(
    gateway: GatewayParts,
    parts: _Parts,
    stop: Shutdown,
    watchers: Monitors,
    drain_seconds: float,
) -> None:
    health = parts.monitoring.health
    tunnels_go_on = False
    try:
        await gateway.adopt()
        async with asyncio.TaskGroup() as group:
            work = [
                group.create_task(parts.background.run()),
                group.create_task(
                    keep_informed(watchers.notifier, health, parts.describe, lambda: stop.again)
                ),
            ]
            if watchers.listener is not None:
                serving = serve_monitoring(parts.monitoring, watchers.listener)
                work.append(group.create_task(serving))
            await stop.wait()
            health.drain()
            if drain_seconds and not stop.again:
                await _drained(gateway, stop, watchers.notifier, drain_seconds)
            for each in work:
                each.cancel()
        gateway.tracker.checkpoint()
        tunnels_go_on = stop.decide()
    except Exception:
        # A fault of this program is no reason to cut a tunnel: the next run adopts Envoy.
        tunnels_go_on = True
        raise
    finally:
        await gateway.close(tunnels_go_on=tunnels_go_on)


async def _drained(
    gateway: GatewayParts, stop: Shutdown, notifier: Notifier, seconds: float
) -> None:
    """Let no more tunnels in, and wait for those that there are; not for longer than they may."""
    longest_seconds = seconds + DRAIN_END_SECONDS
    notifier.notify("STOPPING=1", f"EXTEND_TIMEOUT_USEC={int((longest_seconds + 30) * 1_000_000)}")
    _log.info("the host service ends after its tunnels", longest_seconds=seconds)
    gateway.reconciler.leave(seconds)
    waiting = [
        asyncio.create_task(each.wait()) for each in (gateway.reconciler.has_left, stop.at_once)
    ]
    await asyncio.wait(waiting, timeout=longest_seconds, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()


def _described(live: int) -> str:
    return f"{live} live tunnel{'' if live == 1 else 's'}"


def _advice(envoy: EnvoySupervisor) -> str:
    return " ".join(text for text in (congestion_control.advice(), envoy.data_path.advice) if text)


def _conditions(known: HostState) -> str:
    return " ".join(text for text in (known.conditions.text, damaged_files()) if text)


def _stop_after(until: Callable[[], object], stop: Shutdown) -> None:
    loop = asyncio.get_running_loop()

    def wait() -> None:
        until()
        with suppress(RuntimeError):  # it has ended for another reason
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="until", daemon=True).start()


@contextmanager
def _sole_user(paths: StatePaths) -> Iterator[None]:
    with paths.lock.open("w") as lock:
        try:
            lock_file(lock)
        except BlockingIOError:
            raise UnavailableError(
                f"Another host service uses {paths.state}. Stop it first."
            ) from None
        except OSError as problem:
            raise UnavailableError(
                f"Cannot lock {paths.lock}, which keeps other host services out:"
                f" {problem.strerror}. Have the folder on a file system that locks files."
            ) from None
        yield
