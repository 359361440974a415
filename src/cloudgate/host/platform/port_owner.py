"""Port owner: why can the gateway not listen, said so that an operator can act on it?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_BIND = re.compile(r"cannot bind '(?P<address>.+):(?P<port>\d+)': (?P<why>.+)")
_LISTEN = "0A"
_TABLES = ("tcp", "tcp6")


@dataclass(frozen=True)
class Owner:
    """The process that holds a port."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"process {self.name} (id {self.pid})"


def explain(details: str, owner: Owner | None) -> str:
    """The operator's reason for Envoy's `details`; `owner` holds the port, where known."""
    bind = _BIND.search(details)
    if bind is None:
        return f"Envoy rejects the gateway: {details}"
    address, port, why = bind["address"], bind["port"], bind["why"].strip()
    if "in use" in why:
        by = str(owner) if owner else "another process"
        return f"Port {port} at {address} is taken by {by}. Stop it or choose another port."
    if "assign" in why:
        return f"{address} is not an address of this host. Choose one of its own addresses."
    if "denied" in why:
        return f"Port {port} at {address} may not be opened by this user. Choose one above 1023."
    return f"Port {port} at {address} cannot be opened: {why}."


def taken_port(details: str) -> int | None:
    """The port that `details` say is taken, None when they say something else."""
    bind = _BIND.search(details)
    return int(bind["port"]) if bind and "in use" in bind["why"] else None


def find_owner(port: int, proc: Path = Path("/proc")) -> Owner | None:
    """Who listens on the TCP port, as far as this user may see."""
    sockets = {f"socket:[{inode}]" for inode in _listening(port, proc)}
    if not sockets:
        return None
    return next((owner for owner in _owners(sockets, proc)), None)


def listening_inodes(table: str, port: int) -> Iterator[str]:
    """The sockets that listen on `port`, in the text of ``/proc/net/tcp`` or ``tcp6``."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def _listening(port: int, proc: Path) -> Iterator[str]:
    for table in _TABLES:
        try:
            yield from listening_inodes((proc / "net" / table).read_text("ascii"), port)
        except (
            OSError
        ):  # ENOENT, EACCES, EMFILE: then nobody can be named, and the port is taken all the same
            continue


def _owners(sockets: set[str], proc: Path) -> Iterator[Owner]:
    for folder in proc.iterdir():
        if folder.name.isdigit() and _has_one(folder, sockets):
            yield Owner(int(folder.name), _name(folder))


def _has_one(folder: Path, sockets: set[str]) -> bool:
    # Processes end while they are looked at, and those of other users do not show their files.
    try:
        return any(_link(each) in sockets for each in (folder / "fd").iterdir())
    except OSError:  # ENOENT, EACCES, EMFILE: the same
        return False


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:  # ENOENT, EACCES: the same
        return ""


def _name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text("utf-8", "replace").strip()
    except OSError:  # ENOENT, EMFILE: its number is told, which is what counts
        return "unknown"
