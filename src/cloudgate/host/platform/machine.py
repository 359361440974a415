"""Machine identity: is this the machine that it was a moment ago, or another one?"""

import contextlib
import hashlib
import uuid
from pathlib import Path


def machine_mark() -> str:
    """The same for as long as this machine runs, and another on any other machine.

    Linux gives each boot an identifier. Several network namespaces of one kernel count as several
    machines, because that is what they are used as. What was found is remembered: with no file
    left this machine would look like another one.
    """
    if not _mark:
        _mark.append(_found_mark())
    return _mark[0]


def _found_mark() -> str:
    namespace = Path("/proc/self/ns/net")
    found = _read(Path("/proc/sys/kernel/random/boot_id")).strip()
    if not found:
        return f"{uuid.getnode():012x}"
    with contextlib.suppress(FileNotFoundError, PermissionError):
        found += str(namespace.readlink())
    return hashlib.sha256(found.encode()).hexdigest()


_mark: list[str] = []


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (FileNotFoundError, PermissionError):
        return ""  # with any other error it is not known which machine this is
