"""Does every tunnel go on, and the gateway answer, whoever is killed while Envoy is succeeded?"""

import asyncio
import errno
import json
import os
import signal
import socket
import struct
from dataclasses import replace
from pathlib import Path

import pytest

from cloudgate.host.envoy import hot_restart, supervisor, xds_files
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.envoy.process import ProcessRecord, RestartEpoch
from cloudgate.host.envoy.process_set import read_process_set
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.platform import command_lines_with
from cloudgate.host.state.paths import StatePaths
from cloudgate.processes.unix_sockets import bound
from cloudgate.protocol import Gateway, GatewayState
from tests.host.envoy.renewals import Installation, renewed, served
from tests.host.host_process import host_service
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = pytest.mark.anyio

REPO = "repo.example:443"
ABORTS_SOON = "hot restart sendmsg() failed"
"""Envoy says so when nobody hears it, and aborts ten seconds later."""


def forget_envoys(paths: StatePaths) -> None:
    """Have the next host service take those that run for ones of another release."""
    for file in paths.roster.parent.glob("*process.json*"):
        file.write_text("")


def epochs(paths: StatePaths) -> list[int]:
    """Of the Envoys that run."""
    lines = command_lines_with(str(paths.bootstrap)).values()
    found = [each for each in lines if "--restart-epoch" in each and each[0].endswith("envoy")]
    return sorted(int(each[each.index("--restart-epoch") + 1]) for each in found)


def current(paths: StatePaths) -> ProcessRecord:
    found = read_process_set(paths).current
    assert found is not None
    return found


def stand_ins(paths: StatePaths, pid: int) -> list[int]:
    """The processes that answer an Envoy for its predecessor."""
    return list(command_lines_with(str(paths.run / f"h_stand_in_{pid}")))


async def ready(paths: StatePaths, epoch: int) -> None:
    """Wait until the Envoy of that epoch says that it is, and nobody else has to."""
    admin = AdminClient(UnixEndpoints(paths))
    try:
        await until_async(lambda: epochs(paths)[-1:] == [epoch])
        await admin.ask(current(paths).admin_mark)
        await until_async(admin.is_ready)
    finally:
        await admin.close()


async def test_a_host_service_that_is_killed_while_envoy_is_succeeded_cuts_no_tunnel(
    machine: Machine, client: Client
) -> None:
    gateway = machine.gateway(free_port())
    await machine.bring(gateway, GatewayState.LISTENING)
    live = [await client.connect(gateway.port, REPO)]
    forget_envoys(machine.paths)
    await renewed(machine, gateway)
    live.append(await client.connect(gateway.port, REPO))
    await machine.leave()
    forget_envoys(machine.paths)
    async with host_service(machine.paths) as host:
        await until_async(lambda: epochs(machine.paths) == [0, 1, 2], 2 * PATIENCE_SECONDS)
        host.kill()
        await host.wait()
    await ready(machine.paths, 2)
    assert ABORTS_SOON not in machine.paths.envoy_log.read_text()
    assert all([await each.echoes() for each in live])
    await machine.start()
    await machine.bring(gateway, GatewayState.LISTENING)
    assert epochs(machine.paths) == [0, 1, 2]
    assert all([await each.echoes() for each in live])
    assert await (await client.connect(gateway.port, REPO)).echoes()


async def test_a_successor_that_was_killed_as_it_started_is_succeeded_by_the_next(
    machine: Machine, client: Client, install: Installation
) -> None:
    gateway = machine.gateway(free_port())
    await machine.bring(gateway, GatewayState.LISTENING)
    live = await client.connect(gateway.port, REPO)
    place = current(machine.paths).place
    await machine.leave()
    with (Path("/dev/shm") / f"envoy_shared_memory_{place.base_id * 10}").open("r+b") as shared:
        # Whoever starts says so there, and takes it back when it is ready.
        shared.seek(-8, os.SEEK_END)
        assert shared.read() == bytes(8)
        shared.seek(-8, os.SEEK_END)
        shared.write(b"\x01")
    install.settings("next")
    await machine.start()
    await machine.bring(gateway, GatewayState.LISTENING)
    assert epochs(machine.paths) == [0, 1]
    assert await live.echoes()
    assert await (await client.connect(gateway.port, REPO)).echoes()


@pytest.mark.parametrize("place", [0, 8, 16])
async def test_what_does_not_look_as_envoy_lays_it_out_is_left_alone(
    tmp_path: Path, place: int
) -> None:
    where = RestartEpoch(base_id=1, epoch=1, restart_version="11.104")
    shared = tmp_path / "envoy_shared_memory_10"
    hot_restart.clear_initializing(where, tmp_path)
    assert not shared.exists()
    text = struct.pack("=QQ80xQ", 104, 11, 1)
    shared.write_bytes(text)
    hot_restart.clear_initializing(replace(where, restart_version="11.120"), tmp_path)
    assert shared.read_bytes() == text
    hot_restart.clear_initializing(where, tmp_path)
    assert shared.read_bytes() == struct.pack("=QQ80xQ", 104, 11, 0)
    other = (text[:place] + b"\x07" + text[place + 1 :]) if place < 16 else text + bytes(8)
    shared.write_bytes(other)
    hot_restart.clear_initializing(where, tmp_path)
    assert shared.read_bytes() == other


async def succeeded(machine: Machine, install: Installation) -> Gateway:
    """A gateway of an Envoy that has taken over from one that is gone."""
    gateway = machine.gateway(free_port())
    await machine.bring(gateway, GatewayState.LISTENING)
    install.settings("next")
    await renewed(machine, gateway)
    await served(machine)
    return gateway


async def test_an_envoy_that_waits_for_an_answer_gets_it_from_the_next_host_service(
    machine: Machine, client: Client, install: Installation
) -> None:
    gateway = await succeeded(machine, install)
    live = await client.connect(gateway.port, REPO)
    envoy = current(machine.paths)
    await machine.leave()
    for pid in stand_ins(machine.paths, envoy.pid):
        os.kill(pid, signal.SIGKILL)
    address = machine.paths.run / f"h_parent_{envoy.place.base_id * 10}"
    with bound(socket.SOCK_DGRAM, address) as mute:
        mute.settimeout(0)
        (before,) = xds_files.listeners(machine.paths.xds)
        moved = json.loads(json.dumps(before).replace(str(gateway.port), str(free_port())))
        more = [before, moved | {"name": "gateway-moved"}]
        xds_files.write(machine.paths.xds, xds_files.LISTENERS, more)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.get_running_loop().sock_recv(mute, 4096)
    await machine.start()
    await machine.bring(gateway, GatewayState.LISTENING)
    assert current(machine.paths) == envoy
    assert await live.echoes()


async def test_one_that_is_answered_is_answered_on_when_who_answers_is_killed_and_its_host_service(
    machine: Machine, client: Client, install: Installation
) -> None:
    gateway = await succeeded(machine, install)
    envoy = current(machine.paths)
    (first,) = stand_ins(machine.paths, envoy.pid)
    await machine.leave()
    await machine.start()
    await machine.bring(gateway, GatewayState.LISTENING)
    assert stand_ins(machine.paths, envoy.pid) == [first]
    os.kill(first, signal.SIGKILL)
    await until_async(lambda: not stand_ins(machine.paths, envoy.pid))
    await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
    assert len(stand_ins(machine.paths, envoy.pid)) == 1
    await machine.bring(None, GatewayState.ABSENT)
    await until_async(lambda: not stand_ins(machine.paths, envoy.pid))
    assert not list(machine.paths.run.glob("h_*"))


async def test_where_nobody_can_answer_it_yet_it_is_adopted_and_answered_once_somebody_can(
    machine: Machine,
    client: Client,
    install: Installation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = await succeeded(machine, install)
    live = await client.connect(gateway.port, REPO)
    envoy = current(machine.paths)
    await machine.leave()
    for pid in stand_ins(machine.paths, envoy.pid):
        os.kill(pid, signal.SIGKILL)

    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as once:
        once.setattr(hot_restart, "stand_in_for_parent", fail)
        await machine.start()
        assert await machine.envoy.adopt()
        assert current(machine.paths) == envoy
        assert not stand_ins(machine.paths, envoy.pid)
    await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
    assert len(stand_ins(machine.paths, envoy.pid)) == 1
    assert await live.echoes()


async def test_one_that_does_not_answer_and_carries_nothing_is_ended(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = machine.gateway(free_port())
    await machine.bring(gateway, GatewayState.LISTENING)
    envoy = current(machine.paths)
    await machine.leave()
    os.kill(envoy.pid, signal.SIGSTOP)
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.2)
    await machine.start()
    assert not await machine.envoy.adopt()
    await machine.bring(gateway, GatewayState.LISTENING)
    assert current(machine.paths).pid != envoy.pid
    assert (await client.connect(gateway.port, REPO)).status == 200
