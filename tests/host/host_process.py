"""The host service as a process: of a host that has joined a manager of the test."""

import asyncio
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cloudgate.host.envoy.process import EnvoyProcess, running
from cloudgate.host.envoy.process_set import read_process_set
from cloudgate.host.state.paths import StatePaths


def find_running(paths: StatePaths) -> EnvoyProcess | None:
    """The Envoy that listens."""
    return running(read_process_set(paths).current)


PROGRAM = (
    "import sys, pathlib, uvloop; from cloudgate.host.service import run_host_service as run; "
    "uvloop.run(run(pathlib.Path(sys.argv[1])))"
)


@asynccontextmanager
async def host_service(paths: StatePaths, **said: str) -> AsyncIterator[Process]:
    """`said`: what its environment says besides."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(paths.state), env={**os.environ, **said}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
