"""How does ansible reach a host of a test that can be lost? As this machine, by a file."""

from pathlib import Path

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: frail
short_description: this machine, as long as a file is there
description: Whoever runs on it loses the connection by removing the file.
author: The Cloudgate maintainers
extends_documentation_fragment: [connection_pipelining]
options:
  line:
    description: the file
    vars: [{name: frail_line}]
"""


class Connection(Local):  # type: ignore[misc]
    transport = "frail"

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        self._see_the_line()
        done: tuple[int, bytes, bytes] = super().exec_command(cmd, in_data, sudoable)
        self._see_the_line()
        return done

    def _see_the_line(self) -> None:
        if not Path(self.get_option("line")).exists():
            raise AnsibleConnectionFailure("The line is cut.")
