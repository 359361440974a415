"""Unit file: with which systemd unit does a connector run for ever?"""

import sys
from pathlib import Path

from cloudgate.connector.settings import Options
from cloudgate.processes.systemd_sandbox import command_line, sandbox
from cloudgate.processes.unit_section import unit_section


def connector_unit(wanted: Options, config: Path, user: str) -> str:
    """The unit that runs a connector as `user` by its file of settings (systemd.service(5)).

    It reads what its user can read, and writes into the folder of its certificate alone.

    Args:
        wanted: what is in the file.
        config: the file.
        user: whose files it reads.
    """
    command = [sys.executable, "-m", "cloudgate", "connect", "--config", str(config.resolve())]
    file = wanted.certificate_file
    allowed = sandbox(
        [] if file is None else [file.resolve().parent], capabilities=("CAP_NET_BIND_SERVICE",)
    )
    return f"""{unit_section(f"Cloudgate connector of {wanted.tenant}")}
[Service]
User={user}
ExecStart={command_line(command)}
Restart=always
RestartSec=5
LimitNOFILE=65536
{allowed}
[Install]
WantedBy=multi-user.target
"""
