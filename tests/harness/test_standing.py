"""Does a process that a test starts say where it stands, should it not end?"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.machine import standing
from tests.support.waiting import until

STUCK = """
import asyncio, signal, threading, uvloop

async def waiting_for_nothing():
    await asyncio.Event().wait()

def locked_out(lock):
    lock.acquire()

async def main():
    lock = threading.Lock()
    lock.acquire()
    threading.Thread(target=locked_out, args=[lock], daemon=True).start()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, print)
    print("ready", flush=True)
    await waiting_for_nothing()

uvloop.run(main())
"""


def test_what_does_not_end_says_where_its_tasks_and_threads_are(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", STUCK],
            env={**os.environ, **standing.environment()},
            stdout=out,
            stderr=out,
        )
    until(lambda: "ready" in log.read_text(), said=log.read_text)
    with pytest.raises(AssertionError) as told:
        standing.end(process, log, within_seconds=0.2)
    assert "in waiting_for_nothing" in str(told.value)
    assert "in locked_out" in str(told.value)
    assert process.returncode is not None


def test_what_has_ended_is_asked_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("done")
    process = subprocess.Popen(["true"])
    process.wait()
    assert standing.end(process, log) == 0
    assert standing.stands(process, log) == "It has ended with 0.\ndone"
