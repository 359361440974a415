"""Platform: what does the operating system do its own way? One module for each system."""

import sys

from cloudgate.host.platform.sent_bytes import Sent

if sys.platform == "win32":
    from cloudgate.host.platform.windows import (
        CAN_TAKE_OVER,
        ENVOY,
        Pacing,
        ask_to_end,
        callers_at,
        command_lines_with,
        cut,
        end,
        environment_of,
        hold,
        install,
        is_own,
        keep_to_owner,
        memory_bytes,
        open_connections,
        program_of,
        reopen_logs,
        start_detached,
        started_at,
    )
else:
    from cloudgate.host.platform.linux import (
        CAN_TAKE_OVER,
        ENVOY,
        ask_to_end,
        command_lines_with,
        end,
        environment_of,
        hold,
        install,
        is_own,
        keep_to_owner,
        memory_bytes,
        program_of,
        reopen_logs,
        start_detached,
        started_at,
    )
    from cloudgate.host.platform.linux_sock_diag import callers_at
    from cloudgate.host.platform.linux_sockets import Pacing, cut, open_connections

__all__ = [
    "CAN_TAKE_OVER",
    "ENVOY",
    "Pacing",
    "Sent",
    "ask_to_end",
    "callers_at",
    "command_lines_with",
    "cut",
    "end",
    "environment_of",
    "hold",
    "install",
    "is_own",
    "keep_to_owner",
    "memory_bytes",
    "open_connections",
    "program_of",
    "reopen_logs",
    "start_detached",
    "started_at",
]
