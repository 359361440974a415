"""Is each Envoy that runs here known, whoever else comes and goes at the same moment?"""

import os
import subprocess
import threading
from pathlib import Path

import pytest

from cloudgate.host.envoy.process import ProcessRecord
from cloudgate.host.envoy.process_set import EnvoyProcesses, ProcessSet, read_process_set
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.platform import started_at
from cloudgate.host.state.paths import StatePaths, state_paths

TIMES = 300


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    made = state_paths(tmp_path / "state")
    made.make_folders()
    return made


def record(pid: int, mark: str) -> ProcessRecord:
    return ProcessRecord(pid=pid, started=started_at(pid) or "1", mark=mark)


def ended() -> int:
    """The id of a process that is gone."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_one_that_is_started_while_others_are_forgotten_is_known(paths: StatePaths) -> None:
    processes = EnvoyProcesses(paths, UnixEndpoints(paths))
    gone, lost = record(ended(), "gone"), []
    is_over = threading.Event()

    def start() -> None:
        for number in range(TIMES):
            started = {"current": record(os.getpid(), f"started {number}")}
            processes.update(lambda known: known.model_copy(update=started))  # noqa: B023
            if processes.known.current != started["current"]:
                lost.append(number)
        is_over.set()

    starting = threading.Thread(target=start)
    starting.start()
    while not is_over.is_set():
        processes.update(lambda known: known.model_copy(update={"retired": (gone,)}))
        processes.forget_dead()
    starting.join()
    assert lost == []
    assert processes.labels == {f"started {TIMES - 1}"}
    assert read_process_set(paths) == ProcessSet(current=processes.known.current)
