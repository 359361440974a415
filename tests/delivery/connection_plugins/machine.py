"""How does ansible reach the fresh machine of a test? By the command that enters it."""

import json
import os
import subprocess
from pathlib import Path

from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: machine
short_description: the fresh machine of a test
description: Enters it by the command that the environment has as MACHINE.
author: The Cloudgate maintainers
"""


class Connection(ConnectionBase):  # type: ignore[misc]
    transport = "machine"
    has_pipelining = True

    def _connect(self) -> "Connection":
        return self

    def exec_command(
        self, cmd: str, in_data: bytes | None = None, sudoable: bool = True
    ) -> tuple[int, bytes, bytes]:
        entered = [*json.loads(os.environ["MACHINE"]), "sh", "-c", cmd]
        done = subprocess.run(entered, input=in_data or b"", capture_output=True, check=False)
        return done.returncode, done.stdout, done.stderr

    def put_file(self, in_path: str, out_path: str) -> None:
        code, _, said = self.exec_command(f"cat > '{out_path}'", Path(in_path).read_bytes())
        assert code == 0, said

    def fetch_file(self, in_path: str, out_path: str) -> None:
        code, found, said = self.exec_command(f"cat '{in_path}'")
        assert code == 0, said
        Path(out_path).write_bytes(found)

    def close(self) -> None:
        pass
