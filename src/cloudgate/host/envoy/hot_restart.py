"""Hot restart: how does an Envoy take over from another one without ending a tunnel?

By Envoy's hot restart: the new process gets the listening sockets of the old one, so that no
connection is refused; the old one then listens no more and goes on until its tunnels have ended.

What Envoy 1.40 does beyond that, and what is done about it here (each was seen with 1.39.3 and
1.40.0): a new process has the old one end *its* predecessor, tunnels or not, and the old one aborts
ten seconds later where that one is gone. So that predecessor's address is taken over first, and
what is sent to it is not heard. A process that asks its predecessor for its counters aborts, too,
when that one ends; so it does not ask.
"""

import contextlib
import itertools
import secrets
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import structlog
from pydantic import BaseModel, ConfigDict

from cloudgate.host.access_log.record import PROCESS_VARIABLE
from cloudgate.host.envoy.process import (
    DRAIN_SECONDS,
    ProcessRecord,
    RestartEpoch,
    running,
)
from cloudgate.host.platform import (
    ENVOY,
    SUPPORTS_HOT_RESTART,
    command_lines_with,
    environment_of,
    program_of,
    started_at,
)
from cloudgate.host.state.files import read_or_backup, write_with_backup
from cloudgate.host.state.paths import StatePaths
from cloudgate.processes.programs import ask

ANSWER_SECONDS = 3.0
"""How long an Envoy that is only asked something may take; it needs a tenth of a second."""

_LONGEST_BASE_ID = 99_999_999
_AT_A_TIME = 3
"""Processes of one line that have names of their own; then the names begin anew."""
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where shm_open(3) keeps it

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

    def alive(self) -> "ProcessSet":
        """The roster without those that are gone."""
        return ProcessSet(
            current=self.current if running(self.current) else None,
            predecessor=self.predecessor if running(self.predecessor) else None,
            retired=tuple(each for each in self.retired if running(each)),
        )


def read_process_set(layout: StatePaths) -> ProcessSet:
    """Who runs here, by the last that was written down, and those that it does not name.

    Where it was lost, Envoys with live tunnels run on: one that nobody knew would keep the tunnels
    of those who may not be here any more.
    """
    known = (read_or_backup(layout.roster, _process_set) or ProcessSet()).alive()
    strays = _strays(layout, {each.pid for each in known.all})
    if not strays:
        return known
    _log.warning("envoys run here that were not written down", pids=[each.pid for each in strays])
    current = known.current
    if current is None:
        *strays, current = strays
    return ProcessSet(
        current=current, predecessor=known.predecessor, retired=(*known.retired, *strays)
    )


def _strays(layout: StatePaths, known: set[int]) -> list[ProcessRecord]:
    """The Envoys of this folder that are not known, the one that was started last at the end."""
    found = []
    for pid, words in command_lines_with(str(layout.bootstrap)).items():
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
    place = RestartEpoch(base_id, epoch, restart_version(program_of(pid)) if base_id else "")
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


def keep_process_set(layout: StatePaths, roster: ProcessSet) -> None:
    """Write down who runs here."""
    if roster.all:
        write_with_backup(layout.roster, roster.model_dump_json())
    else:
        layout.roster.unlink(missing_ok=True)


def can_hot_restart(executable: Path, before: ProcessRecord) -> bool:
    """Whether an Envoy of `executable` can take over from `before`; both must have said so.

    Raises:
        UnavailableError: it does not say.
    """
    if not SUPPORTS_HOT_RESTART or not before.place.base_id:
        return False
    return restart_version(executable) == before.place.restart_version != ""


def restart_version(executable: Path) -> str:
    """Which Envoys can take over from one another: those that say the same here.

    Raises:
        UnavailableError: it does not say.
    """
    if not SUPPORTS_HOT_RESTART:
        return ""
    said = ask([executable, "--hot-restart-version"], seconds=ANSWER_SECONDS)
    # Envoy says it at the standard error.
    return (said.output or said.errors).strip() if said.is_well else ""


def is_valid(executable: Path, bootstrap: Path) -> str:
    """Why `executable` does not start with `bootstrap`; empty when it does.

    Raises:
        UnavailableError: it does not say.
    """
    words = (executable, "--mode", "validate", "--config-path", bootstrap)
    said = ask(words, seconds=ANSWER_SECONDS)
    return "" if said.is_well else said.complaint


def next_epoch(executable: Path, before: ProcessRecord | None) -> RestartEpoch:
    """The place of the next process: after `before`, or at the beginning of a new line."""
    version = restart_version(executable)
    if not version:
        return RestartEpoch()
    if before is None:
        return RestartEpoch(1 + secrets.randbelow(_LONGEST_BASE_ID), 0, version)
    return RestartEpoch(before.place.base_id, before.place.epoch + 1, version)


def options(layout: StatePaths, place: RestartEpoch) -> list[str]:
    """How Envoy is told of its place (Envoy: command line options)."""
    if not place.base_id:
        return ["--disable-hot-restart"]
    return [
        *("--base-id", str(place.base_id)),
        *("--restart-epoch", str(place.epoch)),
        *("--socket-path", str(layout.succession_socket)),
        *("--socket-mode", "600"),
        *("--parent-shutdown-time-s", str(DRAIN_SECONDS)),
        "--skip-hot-restart-parent-stats",
    ]


@contextlib.contextmanager
def mute_parent(layout: StatePaths, before: ProcessRecord | None) -> Iterator[None]:
    """While a successor of `before` starts: what that one says to its own predecessor is lost."""
    if before is None:
        yield
        return
    line, epoch = before.place.base_id, before.place.epoch
    _forget(layout, line, epoch + 1)
    if not epoch:
        yield
        return
    address = _named(layout, "parent", line, epoch - 1)
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(address))
        try:
            yield
        finally:
            address.unlink(missing_ok=True)


def detach_xds(layout: StatePaths, record: ProcessRecord) -> None:
    """Have `record` see nothing of what its successor is told: its folder is moved away."""
    folder = layout.retired_xds(record.mark)
    if not folder.exists() and layout.xds.exists():
        layout.xds.rename(folder)
    layout.make_folders()


def cleanup(layout: StatePaths, gone: ProcessRecord, left: ProcessSet) -> None:
    """Remove what a process that is gone has left, as far as nobody needs it."""
    if gone.mark:
        shutil.rmtree(layout.retired_xds(gone.mark), ignore_errors=True)
    line = gone.place.base_id
    if line and all(each.place.base_id != line for each in left.all):
        for epoch in range(_AT_A_TIME):
            _forget(layout, line, epoch)
        (_SHARED_MEMORY / f"envoy_shared_memory_{line * 10}").unlink(missing_ok=True)


def _forget(layout: StatePaths, base_id: int, epoch: int) -> None:
    for role in ("parent", "child", "udp_parent", "udp_child"):
        _named(layout, role, base_id, epoch).unlink(missing_ok=True)


def _named(layout: StatePaths, role: str, base_id: int, epoch: int) -> Path:
    prefix = layout.succession_socket
    return prefix.with_name(f"{prefix.name}_{role}_{base_id * 10 + epoch % _AT_A_TIME}")
