"""Unit section: how does the unit of a service of ours begin, for systemd? Pure.

So each is started at the same moment, and started anew however often it ends.
"""

from cloudgate.processes.systemd_sandbox import setting


def unit_section(description: str) -> str:
    """The section ``[Unit]`` of a service that runs for ever (systemd.unit(5)).

    Without the limit systemd gives up on what ends five times within ten seconds, and nobody starts
    it again: after a power cut the database, or an address of the machine, may take longer.
    """
    return f"""[Unit]
Description={setting(description)}
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0
"""
