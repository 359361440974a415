"""Platform: what does the operating system do its own way? One module for each system."""

import sys

from cloudgate.host.platform.sent_bytes import SentBytes

if sys.platform == "win32":
    from cloudgate.host.platform.windows import (
        ENVOY,
        SUPPORTS_HOT_RESTART,
        Pacing,
        ask_to_end,
        check_installable,
        close_connections,
        command_lines_with,
        connections_by_address,
        end,
        environment_of,
        install,
        is_owned_by_us,
        lock_file,
        memory_bytes,
        most_connections,
        open_connections,
        program_of,
        reopen_logs,
        restrict_to_owner,
        start_detached,
        started_at,
    )
else:
    from cloudgate.host.platform.linux import (
        ENVOY,
        SUPPORTS_HOT_RESTART,
        ask_to_end,
        check_installable,
        command_lines_with,
        end,
        environment_of,
        install,
        is_owned_by_us,
        lock_file,
        memory_bytes,
        program_of,
        reopen_logs,
        restrict_to_owner,
        start_detached,
        started_at,
    )
    from cloudgate.host.platform.linux_sock_diag import connections_by_address, most_connections
    from cloudgate.host.platform.linux_sockets import Pacing, close_connections, open_connections

__all__ = [
    "ENVOY",
    "SUPPORTS_HOT_RESTART",
    "Pacing",
    "SentBytes",
    "ask_to_end",
    "check_installable",
    "close_connections",
    "command_lines_with",
    "connections_by_address",
    "end",
    "environment_of",
    "install",
    "is_owned_by_us",
    "lock_file",
    "memory_bytes",
    "most_connections",
    "open_connections",
    "program_of",
    "reopen_logs",
    "restrict_to_owner",
    "start_detached",
    "started_at",
]
