"""A tenant's connector as a process of its own."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Connector:
    """One that has said `ready`."""

    process: "subprocess.Popen[str]"
    port: int
    """The local port."""


@contextmanager
def connector(
    words: Sequence[str],
    folder: Path,
    environment: dict[str, str],
    *,
    within: Sequence[str] = (),
) -> Iterator[Connector]:
    """`cloudgate connect` with one local port, typed in a folder.

    What it logs is in ``connector.log`` there. `within` is a command to run it by.
    """
    with (folder / "connector.log").open("ab") as log:
        process = subprocess.Popen(
            [*within, sys.executable, "-m", "cloudgate", "connect", *words],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        try:
            assert process.stdout is not None
            leads = process.stdout.readline()
            assert process.stdout.readline() == "ready\n", (folder / "connector.log").read_text()
            yield Connector(process, int(leads.split()[0].rpartition(":")[2]))
        finally:
            process.terminate()
            process.wait(20)
