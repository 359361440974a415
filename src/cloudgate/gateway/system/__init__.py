"""What does the operating system do its own way? One module for each, with the same names."""

import sys

if sys.platform == "win32":
    from cloudgate.gateway.system.windows import ENVOY, Pacing, cut, install
else:
    from cloudgate.gateway.system.linux import ENVOY, install
    from cloudgate.gateway.system.linux_sockets import Pacing, cut

__all__ = ["ENVOY", "Pacing", "cut", "install"]
