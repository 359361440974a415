"""What does the operating system do its own way? One module for each, with the same names."""

import sys

if sys.platform == "win32":
    from cloudgate.gateway.system.windows import ENVOY, cut, install
else:
    from cloudgate.gateway.system.linux import ENVOY, cut, install

__all__ = ["ENVOY", "cut", "install"]
