"""Is it said in plain words that Envoy may not watch its files, and blamed on nobody else?"""

import ctypes
import json
import os
import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from subprocess import run

import pytest
from structlog.testing import capture_logs

from cloudgate.diagnosis import machine as machine_checks
from cloudgate.diagnosis.findings import Verdict
from cloudgate.host.envoy import process
from cloudgate.host.envoy.data_path.crash_loop import MOST_SHORT_LIVES
from cloudgate.host.platform.file_watches import NEEDED
from cloudgate.protocol import GatewayState
from tests.support.machine.few_watches import needs_user_namespaces, within
from tests.support.ports import free_port
from tests.support.running.machine import Machine

ANOTHER_USER = 54321
begin_watching = ctypes.CDLL(None).inotify_init1
pytestmark = [pytest.mark.anyio, needs_user_namespaces]


async def test_an_envoy_that_gets_none_says_what_to_type_and_its_module_stays(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = machine.envoy.data_path
    command = shlex.join(within(0, [str(process.executable())]))
    limited = tmp_path / "envoy"
    limited.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    limited.chmod(0o700)
    monkeypatch.setattr(process, "executable", lambda: limited)
    with capture_logs() as logs:
        failed = await machine.bring(machine.gateway(free_port()), GatewayState.FAILED)
    assert failed.reason.startswith("Envoy does not start: Envoy watches its files by 5 inotify")
    assert "As root: sysctl -w fs.inotify.max_user_instances=" in failed.reason
    assert len([each for each in logs if each["event"] == "envoy died"]) >= MOST_SHORT_LIVES
    assert machine.envoy.data_path == before


@pytest.mark.parametrize(("most", "is_short"), [(0, True), (4, True), (5, False)])
def test_whether_one_more_may_watch_its_files_is_seen(*, most: int, is_short: bool) -> None:
    script = "from cloudgate.host.platform.file_watches import shortage; print(shortage())"
    said = run(within(most, [sys.executable, "-c", script]), check=True, capture_output=True)
    told = f"have all {most} that they may have together (user.max_inotify_instances)"
    assert (told in said.stdout.decode()) is is_short
    assert bool(said.stdout.strip()) is is_short


def opened_by(pid: int | None) -> list[str]:
    return [str(each.readlink()) for each in Path(f"/proc/{pid}/fd").iterdir()]


async def test_so_many_are_enough(machine: Machine) -> None:
    await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
    assert opened_by(machine.envoys.pid).count("anon_inode:inotify") == NEEDED


def test_the_doctor_says_it_before(tmp_path: Path) -> None:
    (tmp_path / "host").mkdir(mode=0o700)
    doctor = [sys.executable, "-m", "cloudgate", "doctor", "--data", str(tmp_path), "-o", "json"]
    said = run(within(4, doctor), check=False, capture_output=True)
    found = {each["Check"]: each for each in json.loads(said.stdout)}
    assert found["file watches"]["Verdict"] == "problem"
    assert found["file watches"]["Advice"].startswith("As root: sysctl -w user.max_inotify")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become another user")
def test_the_doctor_looks_for_the_user_as_whom_envoy_runs_and_says_where_it_cannot(
    tmp_path: Path,
) -> None:
    assert machine_checks._watches(tmp_path).verdict is Verdict.OK
    os.chown(tmp_path, ANOTHER_USER, -1)
    assert machine_checks._watches(tmp_path).verdict is Verdict.OK
    with ExitStack() as taken:
        os.seteuid(ANOTHER_USER)
        try:
            while (descriptor := begin_watching(0)) >= 0:
                taken.callback(os.close, descriptor)
        finally:
            os.seteuid(0)
        found = machine_checks._watches(tmp_path)
        assert found.verdict is Verdict.PROBLEM
        assert f"programs of user {ANOTHER_USER} have all" in found.text
    look = (
        "import sys, pathlib; from cloudgate.diagnosis.machine import _watches as look;"
        " print(look(pathlib.Path(sys.argv[1])))"
    )
    command = within(NEEDED, [sys.executable, "-c", look, str(tmp_path)])
    unseen = run(command, check=True, capture_output=True).stdout.decode()
    assert "UNKNOWN" in unseen
    assert "only it and root can see" in unseen
