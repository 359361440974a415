"""What does Linux do its own way? Its service manager, and the name of Envoy's executable."""

import getpass
import subprocess
import sys
from pathlib import Path

from cloudgate.errors import UnavailableError

UNIT = Path("/etc/systemd/system/cloudgate-host.service")
"""Where `install` puts the unit of the host service."""
ENVOY = "envoy"
"""File name of Envoy's executable in its package."""


def unit(python: str, data: Path, user: str) -> str:
    """The systemd unit of a host service (systemd.service(5)).

    Only the host service itself is told to end: Envoy is its business, and outlives its restart.
    """
    return f"""[Unit]
Description=Cloudgate host service
Wants=network-online.target
After=network-online.target

[Service]
User={user}
ExecStart={python} -m cloudgate host run --data {data}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
KillMode=process
TimeoutStopSec=30
LimitNOFILE=1048576
AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_SYS_PTRACE
NoNewPrivileges=yes
ProtectSystem=full

[Install]
WantedBy=multi-user.target
"""


def install(data: Path) -> str:
    """Have systemd run the host service of `data` from now on; what an operator should know.

    Raises:
        UnavailableError: systemd is not there, or does not take it.
    """
    owner = data.owner() if data.exists() else getpass.getuser()
    try:
        UNIT.write_text(unit(sys.executable, data, owner))
    except OSError as error:
        raise UnavailableError(
            f"Cannot write {UNIT}: {error.strerror}. Run `cloudgate host install` as root."
        ) from None
    for command in (["daemon-reload"], ["enable", "--now", UNIT.name]):
        try:
            done = subprocess.run(
                ["systemctl", *command],  # noqa: S607  wherever the system has it
                check=False,
                capture_output=True,
                text=True,
            )
        except OSError:
            raise UnavailableError(
                f"{UNIT} is written, but systemctl is not there. Start `cloudgate host run` with"
                " what this system has instead."
            ) from None
        if done.returncode != 0:
            raise UnavailableError(
                f"systemctl {' '.join(command)} failed: {done.stderr.strip()}. {UNIT} is written."
            )
    return (
        f"The host service runs. `systemctl reload {UNIT.stem}` starts it anew without ending a"
        f" tunnel; `systemctl stop {UNIT.stem}` ends them all."
    )
