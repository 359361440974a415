"""Facts: what does this host say of itself?"""

import platform
import socket

from cloudgate import __version__
from cloudgate.host.platform.addresses import host_addresses
from cloudgate.host.platform.machine import machine_mark
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.state.private_key import public_key_pem
from cloudgate.protocol import HostFacts
from cloudgate.protocol.bounds import LONGEST_NAME, printable, readable, usable_addresses


def gather_facts(
    paths: StatePaths, envoy_version: str, trouble: str = "", advice: str = ""
) -> HostFacts:
    """The facts as they are now, with the version of the Envoy that runs, or would."""
    return HostFacts(
        host_name=printable(socket.gethostname(), LONGEST_NAME) or "?",
        addresses=usable_addresses(host_addresses()),
        platform=printable(platform.system()),
        version=printable(__version__),
        envoy_version=printable(envoy_version),
        public_key_pem=public_key_pem(paths),
        machine=machine_mark(),
        trouble=readable(trouble),
        advice=readable(advice),
    )
