"""Hot restart: how does an Envoy take over from another one without ending a tunnel?

By Envoy's hot restart: the new process gets the listening sockets of the old one, so that no
connection is refused; the old one then listens no more and goes on until its tunnels have ended.

What Envoy 1.40 does beyond that, and what is done about it here (each was seen with 1.39.3 and
1.40.0): a new process has the old one end *its* predecessor, tunnels or not, and the old one aborts
ten seconds later where that one is gone. So that predecessor's address is taken over first, and
what is sent to it is not heard. A process that asks its predecessor for its counters aborts, too,
when that one ends; so it does not ask. And for each address on which it is to listen, it asks for
the predecessor's socket, as long as it lives; ten seconds later it aborts where nobody answers. So
somebody does.
"""

import asyncio
import contextlib
import secrets
import shutil
import socket
from collections.abc import Collection, Iterator
from pathlib import Path

from cloudgate.host.envoy.process import DRAIN_SECONDS, ProcessRecord, RestartEpoch
from cloudgate.host.platform import SUPPORTS_HOT_RESTART
from cloudgate.host.state.paths import StatePaths
from cloudgate.processes.programs import ask
from cloudgate.processes.unix_sockets import bound

ANSWER_SECONDS = 6.0
"""How long an Envoy that is only asked something may take. It needs a tenth of a second, and more
than three where two processors have sixteen others to run. Opening a gateway may take eight."""

_LONGEST_BASE_ID = 99_999_999
_AT_A_TIME = 3
"""Processes of one line that have names of their own; then the names begin anew."""
_LONGEST_MESSAGE = 4096
_GOES_ON = 0x80
"""Of a number's bytes those that are not its last (Protocol Buffers: base 128 varints)."""
_FIRST_FIELD = b"\x0a"
_NO_SOCKET = bytes.fromhex("000000000000000f120d0a0b08ffffffffffffffffff01")
"""Its length, and then: a reply, of the kind that passes a socket, whose number is -1."""
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  where shm_open(3) keeps it


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


@contextlib.contextmanager
def mute_parent(paths: StatePaths, before: ProcessRecord | None) -> Iterator[None]:
    """While a successor of `before` starts: what that one says to its own predecessor is lost."""
    if before is None:
        yield
        return
    line, epoch = before.place.base_id, before.place.epoch
    _forget(paths, line, epoch + 1)
    if not epoch:
        yield
        return
    address = _named(paths, "parent", line, epoch - 1)
    with _taken_over(address):
        try:
            yield
        finally:
            address.unlink(missing_ok=True)


def _taken_over(address: Path) -> socket.socket:
    """A socket of ours at an Envoy's address."""
    return bound(socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, address)


class AbsentParent:
    """Answers for a predecessor that is gone: it has no socket to give, and its child makes one."""

    def __init__(self, paths: StatePaths) -> None:
        self._paths = paths
        self._address: Path | None = None
        self._socket: socket.socket | None = None

    def stand_in(self, current: ProcessRecord | None, alive: Collection[ProcessRecord]) -> None:
        """Answer `current` from now on, if its predecessor is not among those that are alive."""
        address = None
        if current is not None and current.place.base_id and current.place.epoch:
            line, epoch = current.place.base_id, current.place.epoch - 1
            if all((each.place.base_id, each.place.epoch) != (line, epoch) for each in alive):
                address = _named(self._paths, "parent", line, epoch)
        if address == self._address:
            return
        self.leave()
        if address is not None:
            self._socket = _taken_over(address)
            asyncio.get_running_loop().add_reader(self._socket, self._answer, self._socket)
            self._address = address

    def leave(self) -> None:
        """Answer nobody any more."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
        if self._address is not None:
            self._address.unlink(missing_ok=True)
        self._socket = self._address = None

    @staticmethod
    def _answer(heard: socket.socket) -> None:
        # EAGAIN: somebody else has read it; ENOENT, ECONNREFUSED: who asked is gone meanwhile.
        with contextlib.suppress(OSError):
            message, child = heard.recvfrom(_LONGEST_MESSAGE)
            if is_asking_for_a_socket(message):
                heard.sendto(_NO_SOCKET, child)


def is_asking_for_a_socket(message: bytes) -> bool:
    """Whether that is what an Envoy asks its predecessor (Envoy: hot_restart.proto)."""
    request = message[8:]
    if request[:1] != _FIRST_FIELD:
        return False
    length = next((place for place, byte in enumerate(request[1:], 1) if byte < _GOES_ON), 0)
    return request[length + 1 : length + 2] == _FIRST_FIELD


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
    line = gone.place.base_id
    if line and all(each.place.base_id != line for each in left):
        for epoch in range(_AT_A_TIME):
            _forget(paths, line, epoch)
        (_SHARED_MEMORY / f"envoy_shared_memory_{line * 10}").unlink(missing_ok=True)


def _forget(paths: StatePaths, base_id: int, epoch: int) -> None:
    for role in ("parent", "child", "udp_parent", "udp_child"):
        _named(paths, role, base_id, epoch).unlink(missing_ok=True)


def _named(paths: StatePaths, role: str, base_id: int, epoch: int) -> Path:
    prefix = paths.succession_socket
    return prefix.with_name(f"{prefix.name}_{role}_{base_id * 10 + epoch % _AT_A_TIME}")
