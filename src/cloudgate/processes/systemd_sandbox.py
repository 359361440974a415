"""Sandbox of systemd: what may a service of ours do on its machine, and nothing beyond it?

The lines of a unit (systemd.exec(5)). Who takes a service over has what it needs, not the machine.
"""

import errno
import re
from collections.abc import Iterable
from pathlib import Path

_PLAIN_WORD = re.compile(r"[\w./:@%+=,~-]+")
_OF_ALL = """NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
PrivateDevices=yes
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
UMask=0077
"""


def sandbox(
    writable: Iterable[Path], *, capabilities: Iterable[str], calls: Iterable[str] = ()
) -> str:
    """The lines for a service.

    Args:
        writable: folders and files that it writes; all else can be read only.
        capabilities: that it has, and may have (capabilities(7)).
        calls: of the kernel, besides those of an ordinary service.
    """
    capable = " ".join(capabilities)
    written = "".join(f"ReadWritePaths={_path(each)}\n" for each in writable)
    return (
        f"CapabilityBoundingSet={capable}\n"
        f"AmbientCapabilities={capable}\n"
        f"SystemCallFilter={' '.join(('@system-service', *calls))}\n"
        "SystemCallErrorNumber=EPERM\n"
        f"{_OF_ALL}{written}"
    )


def writing_advice(problem: OSError, folder: Path) -> str:
    """What to do where a service may not write into a folder by its unit; empty where it may."""
    if problem.errno != errno.EROFS:
        return ""
    return (
        " Under systemd a service writes only where its unit says so: have the folder belong to the"
        " user of the service, type systemctl edit cloudgate-manager, with the lines [Service] and"
        f" ReadWritePaths={_plain(str(folder))}, and start it anew. Else see whether the disk is"
        " mounted for writing."
    )


def command_line(words: Iterable[str]) -> str:
    """A command line, as units write it (systemd.service(5), "Command lines")."""
    program, *arguments = words
    # No variable may stand for the program: of its name each $ is itself, and two are two.
    return " ".join(
        (
            _quoted(_plain(program), program),
            *(_quoted(_plain(each).replace("$", "$$"), each) for each in arguments),
        )
    )


def setting(text: str) -> str:
    """What a setting says, such as ``Description=``, whatever is in it; on one line."""
    return " ".join(_plain(text).split("\n"))


def _path(path: Path) -> str:
    """Which may not be there when the service starts: ``-``."""
    return _quoted(f"-{_plain(str(path))}", str(path))


def _plain(text: str) -> str:
    """Text that has none of the specifiers of systemd.unit(5)."""
    return text.replace("%", "%%")


def _quoted(escaped: str, text: str) -> str:
    if _PLAIN_WORD.fullmatch(text):
        return escaped
    quoted = escaped.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{quoted}"'
