"""Envoy supervisor: how is there always one Envoy that listens, and the right one?"""

import asyncio
import json
import time
from collections.abc import Callable, Collection
from contextlib import ExitStack
from functools import cached_property
from uuid import uuid4

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.host.envoy import hot_restart, process
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.hot_restart import ProcessSet
from cloudgate.host.envoy.xds_listener import ListenAddress, listener
from cloudgate.host.envoy.xds_resources import bootstrap, clusters, digest
from cloudgate.host.platform import open_connections
from cloudgate.host.platform.congestion_control import congestion_control
from cloudgate.host.platform.resource_limits import capacity
from cloudgate.host.state.disk_reserve import DiskReserve
from cloudgate.host.state.files import write_private
from cloudgate.host.state.paths import StatePaths

READY_SECONDS = 6.0
"""How long Envoy has to answer after its start."""
STABLE_SECONDS = 30.0
"""An Envoy that lived this long died by accident; a shorter life makes the next wait longer."""
LONGEST_PAUSE_SECONDS = 5.0

_LOOK_AGAIN_SECONDS = 0.02
_FIRST_PAUSE_SECONDS = 0.1
_LAST_WORDS_CHARACTERS = 600

_log = structlog.get_logger(__name__)


class EnvoySupervisor:
    """Supervises the Envoys of this host.

    One listens: adopted or started, started again when it dies, succeeded by one of another
    version, stopped. Those that were succeeded go on until their tunnels have ended.
    """

    def __init__(
        self,
        layout: StatePaths,
        doors: LocalEndpoints,
        admin: AdminClient,
        on_change: Callable[[], None],
    ) -> None:
        """`on_change` is called when Envoy died and when another took its place."""
        self._layout = layout
        self._doors = doors
        self._admin = admin
        self._on_change = on_change
        self.reserve = DiskReserve(layout.reserve)
        """Room on the disk for the start of Envoy."""
        self._roster = hot_restart.read_process_set(layout)
        self._process: process.EnvoyProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._log_start = 0
        self._told_to_wait = False
        self._while_starting = ExitStack()

    @cached_property
    def _program(self) -> process.EnvoyBinary:
        return process.installed_binary(_settings(self._layout, self._doors))

    @property
    def pid(self) -> int | None:
        """Of the Envoy that listens; None when there is none."""
        return self._process.pid if self._process and self._process.is_alive else None

    @property
    def version(self) -> str:
        """Of the Envoy that listens, or else of the one that would be started."""
        current = self._roster.current
        return (current.version if current else "") or self._program.version

    @property
    def is_running(self) -> bool:
        """Whether any Envoy runs here."""
        return bool(self._roster.alive().all)

    @property
    def is_hot_restarting(self) -> bool:
        """Whether one is to take over from another that still listens."""
        return self._roster.alive().predecessor is not None

    @property
    def labels(self) -> set[str]:
        """What the lines of the running Envoys are marked with in the access log."""
        return {each.mark for each in self._roster.alive().all}

    @property
    def draining_labels(self) -> set[str]:
        """The marks of those that listen no more."""
        return {each.mark for each in self._roster.alive().retired}

    @property
    def is_outdated(self) -> bool:
        """Whether the Envoy that listens is another one than this installation would start."""
        current = self._roster.current
        return current is not None and current.program != self._program.identity

    @property
    def is_idle(self) -> bool:
        """Whether no Envoy has a connection with anybody."""
        return not any(_has_connections(each.pid) for each in self._roster.alive().all)

    @property
    def pids(self) -> set[int]:
        """The process ids of all that run."""
        return {each.pid for each in self._roster.alive().all}

    def pid_of(self, mark: str) -> int | None:
        """The process id of the running Envoy with that mark."""
        found = next((each for each in self._roster.all if each.mark == mark), None)
        running = process.running(found)
        return running.pid if running else None

    async def adopt(self) -> bool:
        """Take over the Envoy that an earlier host service left running. Whether there is one.

        Raises:
            UnavailableError: There is one that does not answer, and carries tunnels.
        """
        if self.is_supervised:
            return True
        self._roster = hot_restart.read_process_set(self._layout)
        found = process.running(self._roster.current)
        if found is None:
            return False
        if not await self._is_ready_in_time(found):
            if _has_connections(found.pid):
                raise UnavailableError(
                    f"Envoy, process {found.pid}, does not answer; its tunnels go on. If it stays"
                    " so, drain the gateway, and end that process."
                )
            _log.warning("envoy runs but does not answer; it is ended", pid=found.pid)
            await found.stop()
            self._forget_dead()
            return False
        _log.info("envoy adopted", pid=found.pid, version=found.record.version)
        self._supervise(found)
        self._retire_parent()
        return True

    async def begin_hot_restart(self) -> None:
        """Have the folder of Envoy's files belong to the Envoy that is to listen from now on.

        One that is outdated keeps listening, hears nothing new any more, and is succeeded by the
        next `ensure_running`. Where none can take over from it, it stays as it is.
        """
        if not await self.adopt() or not self.is_outdated or self._roster.current is None:
            return
        before = self._roster.current
        if not await asyncio.to_thread(self._can_be_hot_restarted, before):
            return
        await self.release()
        self._process = None
        hot_restart.detach_xds(self._layout, before)
        self._keep_process_set(ProcessSet(predecessor=before, retired=self._roster.retired))

    async def ensure_running(self) -> None:
        """Have Envoy running and answering.

        Raises:
            UnavailableError: It does not start; the message holds its last words.
        """
        if not await self.adopt():
            self._supervise(await asyncio.to_thread(self.reserve.release_for, self._start))
        await self._until_ready()
        self._while_starting.close()
        self._retire_parent()

    async def stop_drained(self, in_use: Collection[str]) -> None:
        """End those that were succeeded and have no connection left.

        Args:
            in_use: the marks of those that are known to carry tunnels; they need no look.
        """
        for record in self._roster.retired:
            found = process.running(record)
            if found is not None and (record.mark in in_use or _has_connections(found.pid)):
                continue
            if found is not None:
                _log.info("envoy has served its last tunnel", pid=found.pid)
                await found.stop()
        self._forget_dead()

    async def reopen_logs(self) -> None:
        """Have every Envoy write to a new access log, after the file was moved away.

        Raises:
            UnavailableError: it does not answer.
        """
        for record in self._roster.retired:
            found = process.running(record)
            if found is not None:
                found.reopen_logs()
        await self._admin.reopen_logs()

    async def stop(self) -> None:
        """End every Envoy, and with it all tunnels, for good."""
        await self.release()
        if self._process is not None:
            await self._process.stop()
            _log.info("envoy stopped", pid=self._process.pid)
        self._process = None
        for record in self._roster.all:
            found = process.running(record)
            if found is not None:
                await found.stop()
        self._forget_dead()

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

    def _can_be_hot_restarted(self, before: process.ProcessRecord) -> bool:
        try:
            reason = self._why_not_hot_restarted(before)
        except UnavailableError as error:
            reason = error.message  # nobody knows; it is asked again
        if reason and not self._told_to_wait:
            _log.warning(
                "the envoy that runs goes on until it has no tunnel",
                version=before.version,
                installed_version=self._program.version,
                reason=reason,
            )
        self._told_to_wait = bool(reason)
        return not reason

    def _why_not_hot_restarted(self, before: process.ProcessRecord) -> str:
        """Why another Envoy cannot take over from it; empty when one can."""
        if not hot_restart.can_hot_restart(self._program.path, before):
            return "no other can take over from it"
        self._write_bootstrap("")
        return hot_restart.is_valid(self._program.path, self._layout.bootstrap)

    def _start(self) -> process.EnvoyProcess:
        self._forget_dead()
        mark = uuid4().hex
        self._write_bootstrap(mark)
        log = self._layout.envoy_log
        self._log_start = log.stat().st_size if log.exists() else 0
        before = self._roster.predecessor
        place = hot_restart.next_epoch(self._program.path, before)
        options = [*self._doors.command_line(mark), *hot_restart.options(self._layout, place)]
        self._while_starting.close()
        self._while_starting.enter_context(hot_restart.mute_parent(self._layout, before))
        started = process.start(self._layout, self._program, mark, place, options)
        try:
            self._keep_process_set(self._roster.model_copy(update={"current": started.record}))
        except OSError:
            # One that nobody could find again would keep the port.
            started.kill()
            raise
        _log.info("envoy started", pid=started.pid, version=self._program.version)
        return started

    def _write_bootstrap(self, mark: str) -> None:
        settings = bootstrap(self._layout, self._doors.admin_config(mark), capacity())
        write_private(self._layout.bootstrap, json.dumps(settings, indent=1))

    def _supervise(self, running: process.EnvoyProcess) -> None:
        self._process = running
        self._keeper = asyncio.create_task(self._start_again_when_dead(), name="envoy")

    async def _start_again_when_dead(self) -> None:
        pause_seconds = 0.0
        gone = 0
        while self._process is not None:
            born = time.monotonic()
            if self._process.pid != gone:
                await self._process.ended()
                gone = self._process.pid
                _log.error("envoy died", pid=gone, last_words=self._log_tail())
                self._on_change()
            if time.monotonic() - born > STABLE_SECONDS:
                pause_seconds = 0.0
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(max(2 * pause_seconds, _FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            try:
                self._process = await asyncio.to_thread(self.reserve.release_for, self._start)
            except Exception as error:  # noqa: BLE001  whatever it is: it is tried again
                foreseen = isinstance(error, OSError | UnavailableError)
                _log.error(
                    "envoy cannot be started again",
                    reason=str(error),
                    exc_info=None if foreseen else error,
                )
                continue
            await self._ask(self._process)
            self._on_change()

    async def _is_ready_in_time(self, running: process.EnvoyProcess) -> bool:
        deadline = time.monotonic() + READY_SECONDS
        while not await self._is_ready(running):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return True

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while self._process is None or not await self._is_ready(self._process):
            if time.monotonic() > deadline:
                words = self._log_tail() or "it says nothing"
                raise UnavailableError(f"Envoy does not start: {words}")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _is_ready(self, running: process.EnvoyProcess) -> bool:
        await self._ask(running)
        return await self._admin.is_ready()

    async def _ask(self, running: process.EnvoyProcess) -> None:
        await self._admin.ask(running.record.admin_mark)

    def _retire_parent(self) -> None:
        before, current = self._roster.predecessor, self._roster.current
        if before is not None and current is not None:
            _log.info("envoy took over", pid=current.pid, from_pid=before.pid)
            retired = (*self._roster.retired, before)
            self._keep_process_set(ProcessSet(current=current, retired=retired))

    def _forget_dead(self) -> None:
        left = self._roster.alive()
        gone = [each for each in self._roster.all if each not in left.all]
        for each in gone:
            hot_restart.cleanup(self._layout, each, left)
            if each.mark:
                self._doors.cleanup(each.admin_mark)
        if gone:
            self._keep_process_set(left)

    def _keep_process_set(self, roster: ProcessSet) -> None:
        hot_restart.keep_process_set(self._layout, roster)
        self._roster = roster

    def _log_tail(self) -> str:
        try:
            with self._layout.envoy_log.open("rb") as log:
                log.seek(self._log_start)
                text = log.read().decode("utf-8", "replace")
        except OSError:  # ENOENT, EMFILE: it is told that it ended, without its own words
            return ""
        return text[-_LAST_WORDS_CHARACTERS:].strip()


def _settings(layout: StatePaths, doors: LocalEndpoints) -> str:
    """The same for as long as this Cloudgate would tell Envoy the same, wherever it listens.

    Where the authorizer is, an Envoy that runs is told again when that changes.
    """
    example = [ListenAddress("0.0.0.0", 1)]  # noqa: S104
    anywhere = listener(layout, example, congestion_control())
    return digest(
        [
            bootstrap(layout, doors.admin_config(""), capacity()),
            clusters({"address": {}}),
            anywhere,
        ]
    )


def _has_connections(pid: int) -> bool:
    try:
        return open_connections(pid) > 0
    except UnavailableError:
        return True
