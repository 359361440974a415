"""Envoy processes: which ones run here, and which of them listens?"""

import contextlib
import itertools
import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict

from cloudgate.errors import UnavailableError
from cloudgate.host.access_log.record import PROCESS_VARIABLE
from cloudgate.host.envoy import hot_restart
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.process import EnvoyProcess, ProcessRecord, RestartEpoch, running
from cloudgate.host.platform import (
    ENVOY,
    command_lines_with,
    environment_of,
    open_connections,
    program_of,
    started_at,
)
from cloudgate.host.state.files import read_or_backup, write_with_backup
from cloudgate.host.state.paths import StatePaths

_UNKNOWN_PROGRAM = "unknown"
"""Of an Envoy that was not written down: another than any that is installed."""

_log = structlog.get_logger(__name__)


class ProcessSet(BaseModel):
    """The processes of Envoy on this host, as they are written down for the next host service."""

    model_config = ConfigDict(frozen=True)

    current: ProcessRecord | None = None
    """The one that listens."""
    predecessor: ProcessRecord | None = None
    """The one that listens until the current one does."""
    retired: tuple[ProcessRecord, ...] = ()
    """Those that listen no more and still carry tunnels."""

    @property
    def all(self) -> tuple[ProcessRecord, ...]:
        """Every one of them."""
        return tuple(each for each in (self.current, self.predecessor, *self.retired) if each)

    def has_parent_of(self, record: ProcessRecord) -> bool:
        """Whether the one that `record` took over from, or is to, is among them."""
        line, epoch = record.place.base_id, record.place.epoch - 1
        return any((each.place.base_id, each.place.epoch) == (line, epoch) for each in self.all)

    def alive(self) -> "ProcessSet":
        """The roster without those that are gone."""
        return ProcessSet(
            current=self.current if running(self.current) else None,
            predecessor=self.predecessor if running(self.predecessor) else None,
            retired=tuple(each for each in self.retired if running(each)),
        )


class EnvoyProcesses:
    """The Envoys of this host: who has to know them looks here, their supervisor changes them."""

    def __init__(self, paths: StatePaths, endpoints: LocalEndpoints) -> None:
        self._paths = paths
        self._endpoints = endpoints
        self.known = read_process_set(paths)
        """As it is on disk; some of them may have died since."""
        self.listening: EnvoyProcess | None = None
        """The one that was adopted or started by this host service."""
        # An Envoy is started in a thread, while the event loop forgets those that are gone.
        self._changing = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Of the Envoy that listens; None when there is none."""
        return self.listening.pid if self.listening and self.listening.is_alive else None

    @property
    def is_running(self) -> bool:
        """Whether any Envoy runs here."""
        return bool(self.known.alive().all)

    @property
    def is_hot_restarting(self) -> bool:
        """Whether one is to take over from another that still listens."""
        return self.known.alive().predecessor is not None

    @property
    def labels(self) -> set[str]:
        """What the lines of the running Envoys are marked with in the access log."""
        return {each.mark for each in self.known.alive().all}

    @property
    def draining_labels(self) -> set[str]:
        """The marks of those that listen no more."""
        return {each.mark for each in self.known.alive().retired}

    @property
    def has_retired_with_connections(self) -> bool:
        """Whether one that listens no more is seen to have a connection with anybody."""
        return any(has_connections(each.pid, unseen=False) for each in self.known.alive().retired)

    @property
    def is_idle(self) -> bool:
        """Whether no Envoy has a connection with anybody."""
        return not any(has_connections(each.pid) for each in self.known.alive().all)

    @property
    def pids(self) -> set[int]:
        """The process ids of all that run."""
        return {each.pid for each in self.known.alive().all}

    def pid_of(self, mark: str) -> int | None:
        """The process id of the running Envoy with that mark."""
        found = next((each for each in self.known.all if each.mark == mark), None)
        process = running(found)
        return process.pid if process else None

    def look_again(self) -> EnvoyProcess | None:
        """Read anew who runs here, and forget who ended meanwhile. The one that listens, if any."""
        with self._changing:
            written = _written(self._paths)
            self.known = read_process_set(self._paths)
            if self._clean_up(written, self.known):
                with contextlib.suppress(OSError):  # ENOSPC: it is found gone the next time, too
                    keep_process_set(self._paths, self.known)
            return running(self.known.current)

    def update(self, change: Callable[[ProcessSet], ProcessSet]) -> None:
        """From now on it is what `change` makes of those of now, also for the next host service."""
        with self._changing:
            self._replace(change(self.known))

    def retire_parent(self) -> None:
        """The one that listens has taken over from the one before."""
        with self._changing:
            before, current = self.known.predecessor, self.known.current
            if before is not None and current is not None:
                _log.info("envoy took over", pid=current.pid, from_pid=before.pid)
                self._replace(ProcessSet(current=current, retired=(*self.known.retired, before)))

    def forget_dead(self) -> None:
        """Remove what those that are gone have left."""
        with self._changing:
            left = self.known.alive()
            if self._clean_up(self.known, left):
                self._replace(left)

    def _replace(self, known: ProcessSet) -> None:
        keep_process_set(self._paths, known)
        self.known = known

    def _clean_up(self, before: ProcessSet, left: ProcessSet) -> bool:
        gone = [each for each in before.all if each not in left.all]
        for each in gone:
            hot_restart.cleanup(self._paths, each, left.all)
            if each.mark:
                self._endpoints.cleanup(each.admin_mark)
        return bool(gone)


def has_connections(pid: int, *, unseen: bool = True) -> bool:
    """Whether that process has connections; `unseen` where that cannot be seen: it may have."""
    try:
        return open_connections(pid) > 0
    except UnavailableError:
        return unseen


def read_process_set(paths: StatePaths) -> ProcessSet:
    """Who runs here, by the last that was written down, and those that it does not name.

    Where it was lost, Envoys with live tunnels run on: one that nobody knew would keep the tunnels
    of those who may not be here any more.
    """
    known = _written(paths).alive()
    strays = _strays(paths, {each.pid for each in known.all})
    if not strays:
        return known
    _log.warning("envoys run here that were not written down", pids=[each.pid for each in strays])
    current = known.current
    if current is None:
        *strays, current = strays
    return ProcessSet(
        current=current, predecessor=known.predecessor, retired=(*known.retired, *strays)
    )


def _written(paths: StatePaths) -> ProcessSet:
    return read_or_backup(paths.roster, _process_set) or ProcessSet()


def _strays(paths: StatePaths, known: set[int]) -> list[ProcessRecord]:
    """The Envoys of this folder that are not known, the one that was started last at the end."""
    found = []
    for pid, words in command_lines_with(str(paths.bootstrap)).items():
        if pid in known or Path(words[0]).name != ENVOY or "--mode" in words:
            continue
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended meanwhile
            record = _record(pid, words)
            if record.started:
                found.append(record)
    return sorted(found, key=lambda each: (int(each.started), each.place.epoch))


def _record(pid: int, words: list[str]) -> ProcessRecord:
    said = dict(itertools.pairwise(words))
    base_id, epoch = int(said.get("--base-id", 0)), int(said.get("--restart-epoch", 0))
    place = RestartEpoch(
        base_id, epoch, hot_restart.restart_version(program_of(pid)) if base_id else ""
    )
    return ProcessRecord(
        pid=pid,
        started=started_at(pid) or "",
        mark=environment_of(pid).get(PROCESS_VARIABLE, ""),
        program=_UNKNOWN_PROGRAM,
        place=place,
    )


def _process_set(text: str) -> ProcessSet:
    if '"pid"' in text and '"current"' not in text:
        # That is how releases before this one wrote it down.
        return ProcessSet(current=ProcessRecord.model_validate_json(text))
    return ProcessSet.model_validate_json(text)


def keep_process_set(paths: StatePaths, roster: ProcessSet) -> None:
    """Write down who runs here."""
    if roster.all:
        write_with_backup(paths.roster, roster.model_dump_json())
    else:
        paths.roster.unlink(missing_ok=True)
