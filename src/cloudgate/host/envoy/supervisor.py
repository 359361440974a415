"""Envoy supervisor: how is there always one Envoy that listens, and the right one?"""

import asyncio
import time
from collections.abc import Callable, Collection
from functools import partial

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.host.envoy import hot_restart
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.envoy.data_path.choice import DataPath
from cloudgate.host.envoy.data_path.crash_loop import SOON_SECONDS, CrashLoopDetector
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.launcher import EnvoyLauncher
from cloudgate.host.envoy.process import EnvoyProcess, ProcessRecord, running
from cloudgate.host.envoy.process_set import EnvoyProcesses, ProcessSet, has_connections
from cloudgate.host.state.conditions import said_of
from cloudgate.host.state.disk_reserve import DiskReserve
from cloudgate.host.state.paths import StatePaths
from cloudgate.values.backoff import doubled

READY_SECONDS = 6.0
"""How long Envoy has to answer after its start."""
LONGEST_PAUSE_SECONDS = 5.0

_LOOK_AGAIN_SECONDS = 0.02
_FIRST_PAUSE_SECONDS = 0.1

_SILENT = (
    "Envoy, process {pid}, does not answer; its tunnels go on. If it stays so, drain the gateway,"
    " and end that process."
)

_log = structlog.get_logger(__name__)


class EnvoySupervisor:
    """Supervises the Envoys of this host.

    One listens: adopted or started, started again when it dies, succeeded by one of another
    version, stopped. Those that were succeeded go on until their tunnels have ended.
    """

    def __init__(
        self,
        paths: StatePaths,
        endpoints: LocalEndpoints,
        admin: AdminClient,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called when Envoy died and when another took its place."""
        self._paths = paths
        self._admin = admin
        self._on_change = on_change
        self.reserve = DiskReserve(paths.reserve)
        """Room on the disk for the start of Envoy."""
        self.processes = EnvoyProcesses(paths, endpoints)
        """Who runs here."""
        self._launcher = EnvoyLauncher(paths, endpoints)
        self._deaths = CrashLoopDetector()
        self._died_with = ""
        self._answered: int | None = None
        """The process that was ready last."""
        self._keeper: asyncio.Task[None] | None = None
        self._told_to_wait = False

    @property
    def version(self) -> str:
        """Of the Envoy that listens, or else of the one that would be started."""
        current = self.processes.known.current
        return (current.version if current else "") or self._launcher.binary.version

    @property
    def is_outdated(self) -> bool:
        """Whether the Envoy that listens is another one than this installation would start."""
        current = self.processes.known.current
        return current is not None and current.program != self._launcher.binary.identity

    @property
    def data_path(self) -> DataPath:
        """Which way tunnels go through the Envoy of this installation."""
        return self._launcher.data_path

    def give_up_module(self, reason: str) -> None:
        """Have tunnels go by HTTP alone from now on."""
        self._launcher.give_up_module(reason)

    async def adopt(self) -> bool:
        """Take over the Envoy that an earlier host service left running. Whether there is one.

        Raises:
            UnavailableError: There is one that does not answer, and carries tunnels.
        """
        if self.is_supervised:
            return True
        found = self.processes.look_again()
        if found is None:
            return False
        await self._answer_adopted()
        if not await self._is_ready_in_time(found):
            if has_connections(found.pid):
                raise UnavailableError(_SILENT.format(pid=found.pid))
            _log.warning("envoy runs but does not answer; it is ended", pid=found.pid)
            await found.stop()
            self.processes.forget_dead()
            return False
        _log.info("envoy adopted", pid=found.pid, version=found.record.version)
        self._supervise(found)
        self.processes.retire_parent()
        return True

    async def begin_hot_restart(self) -> None:
        """Have the folder of Envoy's files belong to the Envoy that is to listen from now on.

        One that is outdated keeps listening, hears nothing new any more, and is succeeded by the
        next `ensure_running`. Where none can take over from it, it stays as it is.
        """
        before = self.processes.known.current if await self.adopt() else None
        if before is None or not self.is_outdated:
            return
        if not await asyncio.to_thread(self._can_be_hot_restarted, before):
            return
        await self.release()
        if self.processes.known.current != before or running(before) is None:
            return  # it died: who came, or comes, in its place has nothing to take over
        self.processes.listening = None
        hot_restart.detach_xds(self._paths, before)
        self.processes.update(lambda known: ProcessSet(predecessor=before, retired=known.retired))

    async def ensure_running(self) -> None:
        """Have Envoy running and answering.

        Raises:
            UnavailableError: It does not start, the message holds its last words; or it answered
                once and does not any more.
        """
        if not await self.adopt():
            await self._start_for(self._supervise)
        await self._until_ready()
        self.processes.retire_parent()
        await self._stand_in()

    async def stop_drained(self, in_use: Collection[str]) -> None:
        """End those that were succeeded and have no connection left.

        Args:
            in_use: the marks of those that are known to carry tunnels; they need no look.
        """
        for record in self.processes.known.retired:
            found = running(record)
            if found is not None and (record.mark in in_use or has_connections(found.pid)):
                continue
            if found is not None:
                _log.info("envoy has served its last tunnel", pid=found.pid)
                await found.stop()
        self.processes.forget_dead()
        await self._stand_in()

    async def reopen_logs(self) -> None:
        """Have every Envoy write to a new access log, after the file was moved away.

        Raises:
            UnavailableError: it does not answer.
        """
        known = self.processes.known
        # One whose successor is starting is no longer the one that is asked.
        for record in (known.predecessor, *known.retired):
            found = running(record)
            if found is not None:
                found.reopen_logs()
        await self._admin.reopen_logs()

    async def stop(self) -> None:
        """End every Envoy, written down or not, and with it all tunnels, for good."""
        await self.release()
        envoy, self.processes.listening = self.processes.listening, None
        if envoy is not None:
            await envoy.stop()
            _log.info("envoy stopped", pid=envoy.pid)
        await self._stop_known()
        self.processes.look_again()
        await self._stop_known()

    async def _stop_known(self) -> None:
        for record in self.processes.known.all:
            found = running(record)
            if found is not None:
                await found.stop()
        self.processes.forget_dead()

    async def release(self) -> None:
        """Watch over Envoy no more, and let it run."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])

    @property
    def is_supervised(self) -> bool:
        """Whether Envoy is started again when it dies."""
        return self._keeper is not None and not self._keeper.done()

    async def _answer_adopted(self) -> None:
        """Before it is asked anything: one that waits for a predecessor that is gone says nothing.

        Where nobody can be had who answers it, that is seen and said once it is to be used.
        """
        try:
            await self._stand_in()
        except (OSError, UnavailableError) as error:
            reason = error.message if isinstance(error, UnavailableError) else str(error)
            _log.warning("nobody answers envoy for its predecessor yet", reason=reason)

    async def _stand_in(self) -> None:
        known = self.processes.known.alive()
        alone = [each for each in (known.predecessor,) if each]
        if known.current is not None and not known.has_parent_of(known.current):
            alone.append(known.current)
        # Without it Envoy may abort, with its tunnels: that is worth the room that is kept for it.
        for each in alone:
            stand_in = partial(hot_restart.stand_in_for_parent, self._paths, each)
            await asyncio.to_thread(self.reserve.release_for, stand_in)
        for each in known.retired:
            hot_restart.dismiss_stand_in(self._paths, each)

    def _can_be_hot_restarted(self, before: ProcessRecord) -> bool:
        try:
            reason = self._launcher.why_not_hot_restarted(before)
        except UnavailableError as error:
            reason = error.message  # nobody knows; it is asked again
        if reason and not self._told_to_wait:
            _log.warning(
                "the envoy that runs goes on until it has no tunnel",
                version=before.version,
                installed_version=self._launcher.binary.version,
                reason=reason,
            )
        self._told_to_wait = bool(reason)
        return not reason

    async def _start_for(self, take: Callable[[EnvoyProcess], None]) -> EnvoyProcess:
        """Start one, and have `take` know of it, also where nobody waits for it any more.

        A thread is not cancelled with who waits for it: an Envoy of which nobody knows would
        outlive the host service, and keep the port.
        """
        starting = asyncio.create_task(asyncio.to_thread(self.reserve.release_for, self._start))
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            await asyncio.wait([starting])
            if starting.exception() is None:
                take(starting.result())
            raise
        take(starting.result())
        return starting.result()

    def _start(self) -> EnvoyProcess:
        self.processes.forget_dead()
        started = self._launcher.launch(self.processes.known.predecessor)
        listens = {"current": started.record}
        try:
            self.processes.update(lambda known: known.model_copy(update=listens))
        except OSError:
            # One that nobody could find again would keep the port.
            started.kill()
            raise
        _log.info("envoy started", pid=started.pid, version=started.record.version)
        return started

    def _listen(self, envoy: EnvoyProcess) -> None:
        self.processes.listening = envoy

    def _supervise(self, envoy: EnvoyProcess) -> None:
        self._listen(envoy)
        self._keeper = asyncio.create_task(self._start_again_when_dead(), name="envoy")

    async def _start_again_when_dead(self) -> None:
        tried = gone = 0
        while (envoy := self.processes.listening) is not None:
            born = time.monotonic()
            if envoy.pid != gone:
                await envoy.ended()
                gone = envoy.pid
                self._note_death(gone, time.monotonic() - born)
            if time.monotonic() - born > SOON_SECONDS:
                tried = 0
            pause_seconds = doubled(_FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, tried)
            await asyncio.sleep(pause_seconds if tried else 0)
            tried += 1
            try:
                envoy = await self._start_for(self._listen)
            except Exception as error:  # noqa: BLE001  whatever it is: it is tried again
                foreseen = isinstance(error, OSError | UnavailableError)
                _log.error(
                    "envoy cannot be started again",
                    reason=said_of(error, self._paths.state)
                    if isinstance(error, OSError)
                    else str(error),
                    exc_info=None if foreseen else error,
                )
                continue
            await self._ask(envoy)
            self._on_change()

    def _note_death(self, pid: int, lived_seconds: float) -> None:
        words = self._launcher.last_words()
        self._died_with = words.text or self._died_with
        _log.error("envoy died", pid=pid, last_words=words.text)
        if not words.shortage:  # of which nobody is to blame but the machine
            crashed = words.has_crashed
            reason = self._deaths.blame(lived_seconds, time.monotonic(), crashed=crashed)
            if reason:
                self.give_up_module(reason)
        self._on_change()

    async def _is_ready_in_time(self, envoy: EnvoyProcess) -> bool:
        try:
            await self._ready(lambda: envoy)
        except TimeoutError:
            return False
        return True

    async def _until_ready(self) -> None:
        try:
            envoy = await self._ready(lambda: self.processes.listening)
        except TimeoutError:
            raise UnavailableError(self._why_not_ready(self.processes.listening)) from None
        self._answered = envoy.pid
        self._died_with = ""

    async def _ready(self, candidate: Callable[[], EnvoyProcess | None]) -> EnvoyProcess:
        async with asyncio.timeout(READY_SECONDS):
            while True:
                envoy = candidate()
                if envoy is not None and await self._is_ready(envoy):
                    return envoy
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def _why_not_ready(self, envoy: EnvoyProcess | None) -> str:
        if envoy is not None and envoy.pid == self._answered:
            return _SILENT.format(pid=envoy.pid)
        # One that was started again a moment ago has said nothing yet.
        words = self._launcher.last_words().text or self._died_with or "it says nothing"
        return f"Envoy does not start: {words}"

    async def _is_ready(self, envoy: EnvoyProcess) -> bool:
        await self._ask(envoy)
        return await self._admin.is_ready()

    async def _ask(self, envoy: EnvoyProcess) -> None:
        await self._admin.ask(envoy.record.admin_mark)
