"""Is it said in plain words that Envoy may not watch its files, and blamed on nobody else?"""

import json
import shlex
import sys
from pathlib import Path
from subprocess import run

import pytest
from structlog.testing import capture_logs

from cloudgate.host.envoy import process
from cloudgate.host.envoy.data_path.deaths import MOST_SHORT_LIVES
from cloudgate.host.platform.file_watches import NEEDED
from cloudgate.protocol import GatewayState
from tests.host.support import Machine
from tests.support.few_watches import needs_user_namespaces, within
from tests.support.ports import free_port

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
