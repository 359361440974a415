"""Is a process that is Envoy told, waited for and ended, whatever it does?"""

import asyncio
import os
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cloudgate.host.envoy import listener_rollout, process
from cloudgate.host.envoy.hot_restart import cleanup, stand_in_for_parent
from cloudgate.host.envoy.predecessor.stand_in import LEAVE, is_asking_for_a_socket
from cloudgate.host.envoy.process import EnvoyProcess, ProcessRecord, RestartEpoch
from cloudgate.host.platform import command_lines_with, started_at
from cloudgate.host.state.conditions import said_of
from cloudgate.host.state.disk_reserve import DiskReserve
from cloudgate.host.state.paths import state_paths
from cloudgate.protocol import GatewayState
from tests.support.machine.disks import needs_mounts, small_disk, take_inodes
from tests.support.machine.open_files import no_file_left
from tests.support.ports import closes, free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = pytest.mark.anyio
REPO = "repo.example:443"
STUBBORN = "trap '' TERM; trap 'echo reopened' USR1; echo there; while :; do read line || :; done"


@asynccontextmanager
async def running(script: str = STUBBORN) -> AsyncIterator[tuple[EnvoyProcess, Process]]:
    """A process in Envoy's place, which ends by being killed alone."""
    started = await asyncio.create_subprocess_exec(
        *("sh", "-c", script), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert started.stdout is not None
    assert await started.stdout.readline() == b"there\n"
    record = ProcessRecord(pid=started.pid, started=started_at(started.pid) or "")
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield EnvoyProcess(record), started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def test_one_that_does_not_listen_to_its_end_is_killed_and_before_that_told_of_its_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "TERM_SECONDS", 0.05)
    async with running() as (envoy, started):
        envoy.reopen_logs()
        assert started.stdout is not None
        assert await started.stdout.readline() == b"reopened\n"
        await envoy.stop()
        assert not envoy.is_alive
        assert await started.wait() == -signal.SIGKILL
        envoy.reopen_logs()  # its id may be another's by now, which is told nothing


async def test_its_end_is_waited_for_also_where_no_file_can_be_opened_for_that() -> None:
    async with running() as (envoy, started):
        with no_file_left():
            ended = asyncio.create_task(envoy.ended())
            await asyncio.sleep(0)  # to where it has no handle of the process
        assert not ended.done()
        started.kill()
        await ended
        assert not envoy.is_alive


async def test_what_envoy_does_not_do_in_time_is_said_and_the_gateway_stays_as_it_was(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    port, moved = free_port(), free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    monkeypatch.setattr(listener_rollout, "APPLY_SECONDS", -1.0)
    for wanted, words in (
        (machine.gateway(port), "Envoy does not take the gateway's certificate."),
        (machine.gateway(moved), "Envoy does not close the gateway's port."),
    ):
        assert (await machine.bring(wanted, GatewayState.FAILED)).reason == words
        assert (await client.connect(port, REPO)).status == 200
    monkeypatch.undo()
    await machine.bring(machine.gateway(moved), GatewayState.LISTENING)
    await closes(port)
    assert await tunnel.echoes()


async def test_who_cannot_answer_for_an_envoy_that_is_gone_says_so(tmp_path: Path) -> None:
    paths = state_paths(tmp_path / "absent")
    current = ProcessRecord(pid=1, started="1", place=RestartEpoch(base_id=1, epoch=1))
    with pytest.raises(FileNotFoundError) as problem:
        stand_in_for_parent(paths, current)
    said = said_of(problem.value, tmp_path)
    assert said == (
        f"The host service cannot use {paths.succession_socket}_parent_10: No such file or"
        " directory. Mend that. It is tried again by itself."
    )


@needs_mounts
async def test_on_a_full_disk_who_answers_takes_the_room_that_is_kept_or_says_what_to_do(
    tmp_path: Path,
) -> None:
    place = RestartEpoch(base_id=1, epoch=1)
    current = ProcessRecord(pid=os.getpid(), started="1", place=place)
    with small_disk(tmp_path / "state") as state:
        paths = replace(state_paths(state), run=state / "run")
        paths.make_folders()
        reserve = DiskReserve(paths.reserve)
        reserve.allocate()
        paths.envoy_log.touch()  # where there is an Envoy, it is there
        take_inodes(state)
        with pytest.raises(OSError, match="No space") as problem:
            stand_in_for_parent(paths, current)
        said = said_of(problem.value, state)
        assert said.startswith(
            f"The host service cannot use {paths.run}/h_parent_10: No space left"
        )
        assert "Make room on its disk, for bytes and for files." in said
        reserve.release_for(lambda: stand_in_for_parent(paths, current))
        # There was no room for its mark, by which it is dismissed otherwise.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
            ours.sendto(LEAVE, str(paths.run / "h_parent_10"))
        mark = str(paths.run / f"h_stand_in_{current.pid}")
        await until_async(lambda: not command_lines_with(mark))


async def test_what_is_no_question_of_an_envoy_is_not_answered() -> None:
    assert not is_asking_for_a_socket(b"")
    assert not is_asking_for_a_socket(bytes(8) + b"\x12\x02\x0a\x00")


async def test_an_envoy_of_an_earlier_release_leaves_nothing_that_is_to_be_removed(
    tmp_path: Path,
) -> None:
    paths = state_paths(tmp_path / "state")
    paths.make_folders()
    there = sorted(paths.state.rglob("*"))
    cleanup(paths, ProcessRecord(pid=1, started="1"), [])
    assert sorted(paths.state.rglob("*")) == there
