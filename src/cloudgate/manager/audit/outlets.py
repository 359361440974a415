"""Audit outlets: where does the log go besides the database? To a file or to syslog.

Each line is delivered at least once and in order. One that was delivered when the manager was
killed may come again: its ``number`` tells.
"""

import errno
import json
import os
import socket
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from sqlalchemy import select

from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.manager.audit.chain import hash_before, linked_document
from cloudgate.manager.core.unit_of_work import Manager, UnitOfWork
from cloudgate.manager.storage.tables import AuditEvent, Counter
from cloudgate.processes.systemd_sandbox import writing_advice

SYSLOG = "syslog"
"""The name of the outlet that is no file."""
SYSLOG_SOCKET = Path("/dev/log")
DELIVERED = "audit_delivered"
BATCH = 500
ANSWER_SECONDS = 5.0
"""How long syslog may read nothing of what it is sent."""
_FACILITY_SECURITY = 10  # RFC 5424, 6.2.1: security/authorization messages
_SEVERITY = {"Info": 6, "Warning": 4}
_LEFT_OUT = ("before", "after")
"""What a line is shortened by: of a pool it names all tenants."""
_KEPT_CHARACTERS = 1000


@dataclass(frozen=True)
class OutletEntry:
    """An entry as outlets get it."""

    number: int
    severity: str
    line: str
    """As JSON."""


class Outlet(Protocol):
    """A place besides the database that entries of the audit log are delivered to."""

    def write(self, events: Sequence[OutletEntry]) -> None:
        """Take entries, all of them.

        Raises:
            UnavailableError: it cannot, now; it is asked again later.
        """


def open_outlet(where: str) -> Outlet:
    """The outlet of a setting: ``syslog``, or the path of a file.

    Raises:
        InvalidRequestError: the file cannot be written to.
    """
    return SyslogOutlet() if where == SYSLOG else FileOutlet(Path(where))


class FileOutlet:
    """Appends lines to a file that only its owner can read, and flushes them to the disk."""

    def __init__(self, file: Path, called: str = "The audit log") -> None:
        """`called`: what it is, for messages."""
        self._file = file
        self._called = called
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(self._open())
        except OSError as problem:
            raise InvalidRequestError(
                f"{called} {file} cannot be written: {problem.strerror}."
                f"{writing_advice(problem, file.parent)}"
            ) from None

    def write(self, events: Sequence[OutletEntry]) -> None:
        """Append them; opened each time, so that the file may be rotated."""
        text = "".join(f"{each.line}\n" for each in events).encode()
        try:
            handle = self._open()
            try:
                self._end_last_line(handle)
                with os.fdopen(handle, "ab", closefd=False) as file:
                    file.write(text)
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as problem:
            raise UnavailableError(
                f"{self._called} {self._file} cannot be written: {problem.strerror}."
                f"{writing_advice(problem, self._file.parent)}"
            ) from None

    def _end_last_line(self, handle: int) -> None:
        """Have the next line begin where one does.

        What a kill or a full disk has left of an entry is taken away: it comes again as a whole.
        """
        try:
            opened = self._file.open("rb")
        except PermissionError:  # it is for writing alone
            return
        with opened as file:
            if not os.path.samestat(os.fstat(handle), os.fstat(file.fileno())):
                return  # it was rotated in between
            last = _last_line(file)
            if last and _is_cut(last):
                os.ftruncate(handle, file.seek(0, os.SEEK_END) - len(last))
            elif last:
                os.write(handle, b"\n")

    def _open(self) -> int:
        # Opening a pipe would wait until somebody reads it, and none is flushed to a disk.
        how = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
        try:
            handle = os.open(self._file, how, 0o600)
        except OSError as problem:
            if problem.errno == errno.ENXIO:
                raise _no_file() from None
            raise
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return handle
        os.close(handle)
        raise _no_file()


def _no_file() -> OSError:
    return OSError(errno.EINVAL, "it is a pipe, a socket or a device, and no file")


def _last_line(file: BinaryIO) -> bytes:
    """What comes after the last end of a line; mostly nothing, which costs little."""
    found, at, size = b"", file.seek(0, os.SEEK_END), 1
    while at and b"\n" not in found:
        size = min(2 * size, at)
        at = file.seek(at - size)
        found = file.read(size) + found
    return found.rpartition(b"\n")[2]


def _is_cut(line: bytes) -> bool:
    """Whether it is the beginning of an entry, and no more."""
    try:
        json.loads(line)
    except ValueError:
        return line.startswith(b"{")
    return False


class SyslogOutlet:
    """Sends lines to the machine's syslog (RFC 3164 on its Unix socket).

    An entry that is longer than a datagram may be comes without what was before and after.
    """

    def __init__(self, path: Path = SYSLOG_SOCKET) -> None:
        self._path = path

    def write(self, events: Sequence[OutletEntry]) -> None:
        """Send them, one datagram for each."""
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
                syslog.settimeout(ANSWER_SECONDS)
                syslog.connect(str(self._path))
                for each in events:
                    priority = _FACILITY_SECURITY * 8 + _SEVERITY.get(each.severity, 6)
                    _send(syslog, f"<{priority}>cloudgate: ", each.line)
        except TimeoutError:
            raise UnavailableError(
                f"Syslog at {self._path} does not take the audit log: it has not read what it was"
                f" sent for {ANSWER_SECONDS:g} seconds. Restart it."
            ) from None
        except OSError as problem:
            raise UnavailableError(
                f"Syslog at {self._path} does not take the audit log: {problem.strerror}."
            ) from None


def _send(syslog: socket.socket, head: str, line: str) -> None:
    try:
        syslog.send(f"{head}{line}".encode())
    except OSError as problem:
        if problem.errno != errno.EMSGSIZE:  # else: longer than the kernel takes, and ever so
            raise
        syslog.send(f"{head}{_shortened(line)}".encode())


def _shortened(line: str) -> str:
    """An entry for who takes no line as long: else all that comes after it would wait for ever."""
    document = {
        name: said[:_KEPT_CHARACTERS] if isinstance(said, str) else said
        for name, said in json.loads(line).items()
        if name not in _LEFT_OUT
    }
    return _json({**document, "left_out": _LEFT_OUT})


def line_of(event: AuditEvent, previous: str) -> str:
    """An entry as one line of JSON; `previous` is the hash of the one before it."""
    return _json(linked_document(event, previous))


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def deliver(manager: Manager, outlet: Outlet, is_over: Callable[[], bool] = lambda: False) -> int:
    """Give the outlet the next `BATCH` that it has not had yet. Returns how many events that were.

    Args:
        manager: whose log it is.
        outlet: who takes it.
        is_over: whether the manager has ended while it was taken: then nothing is noted, as the
            data may be another manager's by now, and the same comes again.

    Raises:
        UnavailableError: the outlet does not take them now.
    """
    batch = _pending(manager)
    if not batch:
        return 0
    outlet.write(batch)
    if is_over():
        return 0
    _note_delivered(manager, batch[-1].number)
    return len(batch)


def _pending(manager: Manager) -> Sequence[OutletEntry]:
    with manager.reading() as work:
        return entries_after(work, delivered_until(work))


def entries_after(work: UnitOfWork, number: int) -> Sequence[OutletEntry]:
    """The next entries after that one: `BATCH` at the most."""
    wanted = select(AuditEvent).where(AuditEvent.number > number)
    events = work.session.scalars(wanted.order_by(AuditEvent.number).limit(BATCH)).all()
    if not events:
        return ()
    previous = hash_before(work.session, events[0].number)
    found = []
    for event in events:
        found.append(OutletEntry(event.number, event.severity, line_of(event, previous)))
        previous = event.hash
    return found


def delivered_until(work: UnitOfWork) -> int:
    """The number of the last entry that the outlet has."""
    counter = work.session.get(Counter, DELIVERED)
    return counter.value if counter else 0


def _note_delivered(manager: Manager, number: int) -> None:
    with manager.changing() as work:
        work.session.merge(Counter(name=DELIVERED, value=number))
