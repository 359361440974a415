"""What does the operating system do its own way? One module for each, with the same names."""

import sys

if sys.platform == "win32":
    from cloudgate.gateway.system.windows import (
        CAN_TAKE_OVER,
        ENVOY,
        Pacing,
        callers_at,
        cut,
        install,
        memory_bytes,
        open_connections,
        start_detached,
    )
else:
    from cloudgate.gateway.system.linux import (
        CAN_TAKE_OVER,
        ENVOY,
        install,
        memory_bytes,
        start_detached,
    )
    from cloudgate.gateway.system.linux_sockets import Pacing, cut, open_connections
    from cloudgate.gateway.system.linux_table import callers_at

__all__ = [
    "CAN_TAKE_OVER",
    "ENVOY",
    "Pacing",
    "callers_at",
    "cut",
    "install",
    "memory_bytes",
    "open_connections",
    "start_detached",
]
