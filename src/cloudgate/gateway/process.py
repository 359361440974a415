"""Which operating system process is Envoy, and does it live?

A process is known by its id and its start time, so that an id that was given to another program
later is not taken for Envoy.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

import envoy

from cloudgate.gateway.access_log import FLUSH_MILLISECONDS, PROCESS_VARIABLE
from cloudgate.gateway.files import read_if_there, write_private
from cloudgate.gateway.layout import Layout
from cloudgate.gateway.system import ENVOY

if sys.platform != "win32":
    import resource

DRAIN_SECONDS = 315_360_000
"""Ten years: Envoy cuts the tunnels of a removed listener when this is over."""
TERM_SECONDS = 5.0
"""How long Envoy has to end before it is killed."""
MOST_FILES = 1_048_576
"""Open files that Envoy may have; each tunnel takes two."""

_LOOK_AGAIN_SECONDS = 0.2
_START_TIME_FIELD = 19


@dataclass(frozen=True)
class ProcessRecord:
    """A process, for certain."""

    pid: int
    started: str
    mark: str = ""
    """What its lines in the access log are marked with."""


class EnvoyProcess:
    """A running Envoy, started by this host service or by an earlier one."""

    def __init__(self, record: ProcessRecord, child: "subprocess.Popen[bytes] | None") -> None:
        self.record = record
        self._child = child

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.record.pid

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        if self._child is not None:
            return self._child.poll() is None
        return started_at(self.pid) == self.record.started

    async def ended(self) -> None:
        """Wait until it is gone."""
        if hasattr(os, "pidfd_open") and self.is_alive:
            await self._pidfd_ready()
        # A system without pidfd tells nobody of the end of an adopted process.
        while self.is_alive:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def stop(self) -> None:
        """End it, with all its tunnels: asked first, killed when it does not listen."""
        self._send(signal.SIGTERM)
        try:
            async with asyncio.timeout(TERM_SECONDS):
                await self.ended()
        except TimeoutError:
            self._send(signal.SIGKILL)
            await self.ended()

    def _send(self, number: signal.Signals) -> None:
        if self.is_alive:
            os.kill(self.pid, number)

    async def _pidfd_ready(self) -> None:
        try:
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return
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


def start(layout: Layout) -> EnvoyProcess:
    """Start Envoy in a session of its own, so that it outlives this process, and record it."""
    _allow_many_files()
    mark = uuid4().hex
    with layout.envoy_log.open("ab") as log:
        child = subprocess.Popen(
            _command(layout),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=layout.bootstrap.parent,
            env={**os.environ, PROCESS_VARIABLE: mark},
            start_new_session=True,
        )
    record = ProcessRecord(child.pid, started_at(child.pid) or "", mark)
    write_private(layout.process_record, json.dumps(asdict(record)))
    return EnvoyProcess(record, child)


def find_running(layout: Layout) -> EnvoyProcess | None:
    """The Envoy that an earlier host service started here, if it still runs."""
    text = read_if_there(layout.process_record)
    try:
        record = ProcessRecord(**json.loads(text or "null"))
    except (ValueError, TypeError):
        return None
    process = EnvoyProcess(record, None)
    return process if record.started and process.is_alive else None


def started_at(pid: int) -> str | None:
    """When the process started, in the kernel's ticks; None when it is gone.

    Where there is no /proc, any running process is as good as another.
    """
    if not Path("/proc/self/stat").exists():
        return "unknown" if _exists(pid) else None
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else fields[_START_TIME_FIELD - 1]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _command(layout: Layout) -> list[str]:
    return [
        str(executable()),
        *("--config-path", str(layout.bootstrap)),
        *("--log-level", "warning"),
        *("--drain-time-s", str(DRAIN_SECONDS)),
        *("--file-flush-interval-msec", str(FLUSH_MILLISECONDS)),
        "--disable-hot-restart",
    ]


def _allow_many_files() -> None:
    if sys.platform == "win32":
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
