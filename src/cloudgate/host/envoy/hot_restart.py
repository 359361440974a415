"""Hot restart: how does an Envoy take over from another one without ending a tunnel?

By Envoy's hot restart: the new process gets the listening sockets of the old one, so that no
connection is refused; the old one then listens no more and goes on until its tunnels have ended.

What Envoy 1.40 does beyond that, and what is done about it here (each was seen with 1.39.3 and
1.40.0): a new process has the old one end *its* predecessor, tunnels or not, and the old one aborts
ten seconds later where that one is gone. So that predecessor's address is taken over first, and
what is sent to it is not heard. A process that asks its predecessor for its counters aborts, too,
when that one ends; so it does not ask. And for each address on which it is to listen, it asks for
the predecessor's socket, as long as it lives; ten seconds later it aborts where nobody answers. So
somebody does: a process of its own (`stand_in`), because the host service may be killed meanwhile.
"""

import contextlib
import os
import secrets
import shutil
import socket
import struct
import sys
from collections.abc import Collection
from pathlib import Path

from cloudgate.host.envoy.predecessor import stand_in
from cloudgate.host.envoy.process import DRAIN_SECONDS, ProcessRecord, RestartEpoch
from cloudgate.host.platform import SUPPORTS_HOT_RESTART, command_lines_with, start_detached
from cloudgate.host.state.paths import StatePaths
from cloudgate.processes.programs import ask
from cloudgate.processes.unix_sockets import bound

ANSWER_SECONDS = 6.0
"""How long an Envoy that is only asked something may take. It needs a tenth of a second, and more
than three where two processors have sixteen others to run. Opening a gateway may take eight."""

_LONGEST_BASE_ID = 99_999_999
_AT_A_TIME = 3
"""Processes of one line that have names of their own; then the names begin anew."""
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where shm_open(3) keeps it
_SHARED_VERSION = 11
"""Of the layout that is known here: `SharedMemory` in Envoy's source/server/hot_restart_impl.h. It
begins with its size and its version and ends with its flags, eight bytes each."""
_IS_INITIALIZING = 1


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


def validation_error(executable: Path, bootstrap: Path) -> str:
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


def options(paths: StatePaths, place: RestartEpoch) -> list[str]:
    """How Envoy is told of its place (Envoy: command line options)."""
    if not place.base_id:
        return ["--disable-hot-restart"]
    return [
        *("--base-id", str(place.base_id)),
        *("--restart-epoch", str(place.epoch)),
        *("--socket-path", str(paths.succession_socket)),
        *("--socket-mode", "600"),
        *("--parent-shutdown-time-s", str(DRAIN_SECONDS)),
        "--skip-hot-restart-parent-stats",
    ]


def make_way(paths: StatePaths, before: ProcessRecord) -> None:
    """See to what a successor of `before` needs to start, while there is none.

    Whoever was to be one and died has left files, and the word that it is still starting, which
    would keep out every other one.
    """
    _forget(paths, before.place.base_id, before.place.epoch + 1)
    clear_initializing(before.place, _SHARED_MEMORY)


def clear_initializing(place: RestartEpoch, folder: Path) -> None:
    """Take back the word of an Envoy of this line that has died that it is still starting.

    What does not look as Envoy lays it out is left alone.

    Args:
        place: of an Envoy of that line; which one does not matter.
        folder: where the system keeps shared memory.
    """
    with contextlib.suppress(FileNotFoundError), _shared(place, folder).open("r+b") as file:
        size, version = struct.unpack("=QQ", file.read(16).ljust(16, b"\0"))
        file.seek(0, os.SEEK_END)
        # Envoy says both, as --hot-restart-version.
        said = f"{_SHARED_VERSION}.{file.tell()}"
        if f"{version}.{size}" != said or said != place.restart_version:
            return
        file.seek(size - 8)
        if file.read(8) == struct.pack("=Q", _IS_INITIALIZING):
            file.seek(size - 8)
            file.write(bytes(8))


def stand_in_for_parent(paths: StatePaths, child: ProcessRecord) -> None:
    """Have a process answer `child` in the place of its predecessor, if none does yet.

    It goes on until `child` ends or it is dismissed, whatever becomes of this process. The
    predecessor itself hears nothing more, should it still be there.

    Raises:
        OSError: the disk or the system does not take what that needs; the error names the path.
        UnavailableError: it cannot be started.
    """
    if not child.place.base_id or not child.place.epoch or _is_stood_in_for(paths, child.pid):
        return
    line, epoch = child.place.base_id, child.place.epoch
    address, mark = _named(paths, "parent", line, epoch - 1), _stand_in_mark(paths, child.pid)
    with bound(socket.SOCK_DGRAM, address) as heard:
        heard.settimeout(0)
        mark.unlink(missing_ok=True)
        # Another name of the same socket, which says whose it is.
        with contextlib.suppress(OSError):  # ENOSPC: then it is found among the processes
            mark.hardlink_to(address)
        passed = heard.fileno()
        words = ["-I", "-S", stand_in.__file__, str(child.pid), str(passed), str(mark)]
        with paths.envoy_log.open("ab") as log:
            start_detached([sys.executable, *words], log, paths.run, os.environ, passed=[passed])
        # It may wait for the answer of one that has died. One answer too many is as good as the
        # next one: they are all the same, and Envoy reads them only when it has asked.
        # ENOENT, ECONNREFUSED: it is gone meanwhile; EAGAIN: it has more answers than it reads.
        with contextlib.suppress(OSError):
            heard.sendto(stand_in.NO_SOCKET, str(_named(paths, "child", line, epoch)))


def dismiss_stand_in(paths: StatePaths, child: ProcessRecord) -> None:
    """Nobody needs to answer `child` any more: another one has taken over from it."""
    # ENOENT, ECONNREFUSED: there is none; EMFILE, EAGAIN: it ends with its Envoy.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.settimeout(0)
        ours.sendto(stand_in.LEAVE, str(_stand_in_mark(paths, child.pid)))


def _is_stood_in_for(paths: StatePaths, pid: int) -> bool:
    mark = str(_stand_in_mark(paths, pid))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        try:
            ours.connect(mark)
        except (FileNotFoundError, ConnectionRefusedError):
            return bool(command_lines_with(mark))
    return True


def _stand_in_mark(paths: StatePaths, pid: int) -> Path:
    prefix = paths.succession_socket
    return prefix.with_name(f"{prefix.name}_stand_in_{pid}")


def _shared(place: RestartEpoch, folder: Path) -> Path:
    return folder / f"envoy_shared_memory_{place.base_id * 10}"


def detach_xds(paths: StatePaths, record: ProcessRecord) -> None:
    """Have `record` see nothing of what its successor is told: its folder is moved away."""
    folder = paths.retired_xds(record.mark)
    if not folder.exists() and paths.xds.exists():
        paths.xds.rename(folder)
    paths.make_folders()


def cleanup(paths: StatePaths, gone: ProcessRecord, left: Collection[ProcessRecord]) -> None:
    """Remove what a process that is gone has left, as far as nobody needs it."""
    if gone.mark:
        shutil.rmtree(paths.retired_xds(gone.mark), ignore_errors=True)
    _stand_in_mark(paths, gone.pid).unlink(missing_ok=True)
    line = gone.place.base_id
    if line and all(each.place.base_id != line for each in left):
        for epoch in range(_AT_A_TIME):
            _forget(paths, line, epoch)
        _shared(gone.place, _SHARED_MEMORY).unlink(missing_ok=True)


def _forget(paths: StatePaths, base_id: int, epoch: int) -> None:
    for role in ("parent", "child", "udp_parent", "udp_child"):
        _named(paths, role, base_id, epoch).unlink(missing_ok=True)


def _named(paths: StatePaths, role: str, base_id: int, epoch: int) -> Path:
    prefix = paths.succession_socket
    return prefix.with_name(f"{prefix.name}_{role}_{base_id * 10 + epoch % _AT_A_TIME}")
