"""Congestion control: which one may this process ask for, and what would it take to have BBR?

On lines that lose packets BBR is many times faster than what systems use by themselves. A process
asks for it socket by socket (TCP_CONGESTION, tcp(7)); nothing of the machine is changed by that.
"""

import socket
import sys
from functools import cache
from pathlib import Path

BBR = "bbr"
TCP_CONGESTION = 13
"""Of Linux; others have no such option."""
_SETTINGS = Path("/proc/sys/net/ipv4")


@cache
def congestion_control() -> str:
    """What the gateway's connections use: BBR, or else empty for what the system uses by itself.

    The same for as long as this process lives, so that a listener never changes by itself.
    """
    return BBR if sys.platform == "linux" and _may_have(BBR) else ""


def system_congestion_control() -> str:
    """What connections have that nobody asks anything for; empty where that cannot be seen."""
    return _setting("tcp_congestion_control").strip() if sys.platform == "linux" else ""


def advice() -> str:
    """What to type so that BBR can be had; empty where it is had, or cannot be on this system."""
    if sys.platform != "linux" or congestion_control():
        return ""
    usual = system_congestion_control() or "another"
    return (
        f"Its connections use {usual}: over long lines that lose packets BBR is many times faster."
        f" As root: {_commands(_setting('tcp_available_congestion_control').split())}, then start"
        " the host service anew."
    )


def _commands(available: list[str]) -> str:
    """What lets programs have BBR, in a shell. Pure."""
    allow = 'sysctl -w net.ipv4.tcp_allowed_congestion_control="reno cubic bbr"'
    return allow if BBR in available else f"modprobe tcp_bbr && {allow}"


def _may_have(name: str) -> bool:
    """Whether a socket of this process can have it."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, name.encode())
    except OSError:  # ENOENT: the kernel has none. EPERM: programs may not. Others: not risked
        return False
    return True


def _setting(name: str) -> str:
    try:
        return (_SETTINGS / name).read_text("ascii", "replace")
    except OSError:  # ENOENT, EACCES: it is not shown here, as in some containers
        return ""
