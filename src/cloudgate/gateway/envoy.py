"""How is there always one Envoy while one is wanted?"""

import asyncio
import json
import time
from collections.abc import Callable

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.gateway import process
from cloudgate.gateway.admin import Admin
from cloudgate.gateway.files import write_private
from cloudgate.gateway.layout import Layout
from cloudgate.gateway.resources import bootstrap

READY_SECONDS = 6.0
"""How long Envoy has to answer after its start."""
STABLE_SECONDS = 30.0
"""An Envoy that lived this long died by accident; a shorter life makes the next wait longer."""
LONGEST_PAUSE_SECONDS = 5.0

_LOOK_AGAIN_SECONDS = 0.02
_FIRST_PAUSE_SECONDS = 0.1
_LAST_WORDS_CHARACTERS = 600

_log = structlog.get_logger(__name__)


class Envoy:
    """The one Envoy of this host: adopted or started, started again when it dies, stopped."""

    def __init__(self, layout: Layout, admin: Admin, on_change: Callable[[], None]) -> None:
        """`on_change` is called when Envoy died and when another took its place."""
        self._layout = layout
        self._admin = admin
        self._on_change = on_change
        self._process: process.EnvoyProcess | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """Of the running Envoy; None when there is none."""
        return self._process.pid if self._process and self._process.is_alive else None

    @property
    def marks(self) -> set[str]:
        """What the lines of the running Envoys are marked with in the access log."""
        running = self._running()
        return {running.record.mark} if running else set()

    def pid_of(self, mark: str) -> int | None:
        """The process id of the running Envoy with that mark."""
        running = self._running()
        return running.pid if running and running.record.mark == mark else None

    def _running(self) -> process.EnvoyProcess | None:
        """The running Envoy, also one that is not adopted yet."""
        if self._process is None:
            return process.find_running(self._layout)
        return self._process if self._process.is_alive else None

    async def adopt(self) -> bool:
        """Take over the Envoy that an earlier host service left running. Whether there is one."""
        if self.is_kept:
            return True
        found = process.find_running(self._layout)
        if found is None:
            return False
        if not await self._admin.is_ready():
            _log.warning("envoy runs but does not answer; it is ended", pid=found.pid)
            await found.stop()
            return False
        _log.info("envoy adopted", pid=found.pid)
        self._keep(found)
        return True

    async def ensure_running(self) -> None:
        """Have Envoy running and answering.

        Raises:
            UnavailableError: It does not start; the message holds its last words.
        """
        if not await self.adopt():
            self._keep(self._start())
        await self._until_ready()

    async def stop(self) -> None:
        """End Envoy, and with it all tunnels, for good."""
        await self.leave()
        if self._process is not None:
            await self._process.stop()
            _log.info("envoy stopped", pid=self._process.pid)
        self._process = None
        self._layout.process_record.unlink(missing_ok=True)

    async def leave(self) -> None:
        """Watch over Envoy no more, and let it run."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])

    @property
    def is_kept(self) -> bool:
        """Whether Envoy is started again when it dies."""
        return self._keeper is not None and not self._keeper.done()

    def _start(self) -> process.EnvoyProcess:
        write_private(self._layout.bootstrap, json.dumps(bootstrap(self._layout), indent=1))
        log = self._layout.envoy_log
        self._log_start = log.stat().st_size if log.exists() else 0
        started = process.start(self._layout)
        _log.info("envoy started", pid=started.pid)
        return started

    def _keep(self, running: process.EnvoyProcess) -> None:
        self._process = running
        self._keeper = asyncio.create_task(self._start_again_when_dead(), name="envoy")

    async def _start_again_when_dead(self) -> None:
        pause_seconds = 0.0
        while self._process is not None:
            born = time.monotonic()
            await self._process.ended()
            _log.error("envoy died", pid=self._process.pid, last_words=self._last_words())
            self._on_change()
            if time.monotonic() - born > STABLE_SECONDS:
                pause_seconds = 0.0
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(max(2 * pause_seconds, _FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            self._process = self._start()
            self._on_change()

    async def _until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not await self._admin.is_ready():
            if time.monotonic() > deadline:
                words = self._last_words() or "it says nothing"
                raise UnavailableError(f"Envoy does not start: {words}")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    def _last_words(self) -> str:
        try:
            with self._layout.envoy_log.open("rb") as log:
                log.seek(self._log_start)
                text = log.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return text[-_LAST_WORDS_CHARACTERS:].strip()
