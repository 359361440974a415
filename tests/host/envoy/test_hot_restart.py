"""Does a new Envoy take over from an old one without ending a tunnel or refusing one?"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from cloudgate.host.envoy import hot_restart, process, process_set
from cloudgate.host.envoy.log_rotation import Rotation
from cloudgate.host.envoy.process import EnvoyProcess, running
from cloudgate.host.envoy.process_set import ProcessSet, read_process_set
from cloudgate.host.platform import started_at
from cloudgate.host.state.paths import StatePaths
from cloudgate.protocol import GatewayState
from tests.host.envoy.renewals import REPO, Installation, others_coming_in, renewed, served, several
from tests.support.ports import closes, free_port, refuses
from tests.support.running.machine import Machine
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = pytest.mark.anyio

BEFORE = Path(sys.prefix) / "envoy-before" / "envoy" / "_bin" / "envoy"
NOW = process.executable()


async def seen(machine: Machine, tunnels: int) -> None:
    """Wait until the host service knows of so many tunnels."""
    await until_async(lambda: len(machine.tracker.live) == tunnels)


async def test_a_newer_envoy_takes_over_and_no_tunnel_is_cut_or_refused(
    machine: Machine, client: Client, port: int, install: Installation
) -> None:
    install.envoy(BEFORE, "1.39.3")
    gateway = machine.gateway(port)
    await machine.leave()
    await machine.start()
    await machine.bring(gateway, GatewayState.LISTENING)
    assert machine.envoy.version == "1.39.3"
    live = [await client.connect(port, REPO) for _ in range(3)]
    old = machine.envoys.pid
    async with others_coming_in(client, port) as statuses:
        await several(statuses)
        install.envoy(NOW, "1.40.0")
        await renewed(machine, gateway)
        await several(statuses)
    assert machine.envoy.version == "1.40.0"
    assert machine.envoys.pid != old
    assert all([await each.echoes() for each in live])
    for each in live:
        each.close()
    await served(machine)
    assert not started_at(old or 0)
    assert await (await client.connect(port, REPO)).echoes()


async def test_the_tunnels_of_both_are_counted_and_can_be_ended(
    machine: Machine, client: Client, port: int, install: Installation
) -> None:
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    old = await client.connect(port, REPO)
    install.settings("other settings")
    await renewed(machine, gateway)
    new = await client.connect(port, REPO)
    await seen(machine, 2)
    closed = await machine.bring(None, GatewayState.DRAINING)
    assert closed.live_tunnels == 2
    await closes(port)
    assert await old.echoes()
    assert await new.echoes()
    gone = await machine.bring(None, GatewayState.ABSENT, drain_seconds=0)
    assert gone.closed_tunnels == 2
    assert await old.is_cut()
    assert await new.is_cut()
    assert not machine.envoys.is_running


async def test_one_that_took_over_hands_over_too_and_all_of_their_tunnels_go_on(
    machine: Machine, client: Client, port: int, install: Installation
) -> None:
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    live = [await client.connect(port, REPO)]
    for release in ("second", "third", "fourth", "fifth"):
        install.settings(release)
        await renewed(machine, gateway)
        live.append(await client.connect(port, REPO))
    assert all([await each.echoes() for each in live])
    assert len(machine.envoys.draining_labels) == 4
    assert "hot restart sendmsg" not in machine.paths.envoy_log.read_text()


async def test_an_old_one_that_dies_takes_only_its_own_tunnels_along(
    machine: Machine, client: Client, port: int, install: Installation
) -> None:
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    first = await client.connect(port, REPO)
    first_pid = machine.envoys.pid
    install.settings("second")
    await renewed(machine, gateway)
    second = await client.connect(port, REPO)
    os.kill(first_pid or 0, signal.SIGKILL)
    assert await first.is_cut()
    install.settings("third")
    await renewed(machine, gateway)
    third = await client.connect(port, REPO)
    assert await second.echoes()
    assert await third.echoes()
    # It would abort ten seconds after the first of these lines.
    assert "hot restart sendmsg" not in machine.paths.envoy_log.read_text()


async def test_a_host_service_that_dies_in_between_finishes_when_it_is_back(
    machine: Machine, client: Client, port: int, install: Installation
) -> None:
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    live = await client.connect(port, REPO)
    await machine.leave()
    install.settings("other settings")
    current = read_process_set(machine.paths).current
    assert current is not None
    hot_restart.detach_xds(machine.paths, current)
    process_set.keep_process_set(machine.paths, ProcessSet(predecessor=current))
    assert not await refuses(port)
    await machine.start()
    await machine.bring(gateway, GatewayState.LISTENING)
    assert await live.echoes()
    assert await (await client.connect(port, REPO)).echoes()
    assert len(machine.envoys.draining_labels) == 1


async def test_a_log_that_is_moved_away_while_another_takes_over_is_left_by_both(
    machine: Machine, client: Client, port: int, install: Installation
) -> None:
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    old = await client.connect(port, REPO)
    install.settings("other settings")
    await renewed(machine, gateway)
    new = await client.connect(port, REPO)
    await seen(machine, 2)
    marks = {each.envoy for each in machine.tracker.live}
    log = machine.paths.access_log
    log.rename(log.with_name(f"{log.name}.1"))
    # As it is from the moment at which the new one answers, until it is seen to be ready.
    machine.envoys.update(
        lambda known: ProcessSet(current=known.current, predecessor=known.retired[0])
    )
    await Rotation(log, machine.envoy)._attempt()
    for tunnel in (old, new):
        assert await tunnel.echoes()
        tunnel.close()
    await until_async(lambda: log.exists() and all(each in log.read_text() for each in marks))
    await seen(machine, 0)


async def test_one_that_cannot_hand_over_goes_on_until_it_has_no_tunnel(
    machine: Machine,
    client: Client,
    port: int,
    install: Installation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(hot_restart, "SUPPORTS_HOT_RESTART", False)
        gateway = machine.gateway(port)
        await machine.bring(gateway, GatewayState.LISTENING)
    old = machine.envoys.pid
    live = await client.connect(port, REPO)
    install.settings("other settings")
    await renewed(machine, gateway)
    assert machine.envoys.pid == old
    assert await live.echoes()
    assert await (await client.connect(port, REPO)).echoes()
    for each in client.opened:
        each.close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while machine.envoy.is_outdated:
            await machine.found(GatewayState.LISTENING)
    assert machine.envoys.pid != old
    assert await (await client.connect(port, REPO)).echoes()


async def test_an_installation_that_is_broken_leaves_the_old_one_in_place(
    machine: Machine, client: Client, port: int, install: Installation, tmp_path: Path
) -> None:
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    old = machine.envoys.pid
    live = await client.connect(port, REPO)
    broken = tmp_path / "envoy"
    broken.write_text(f'#!/bin/sh\n[ "$1" = --hot-restart-version ] && exec {NOW} "$@"\nexit 1\n')
    broken.chmod(0o700)
    install.envoy(broken, "1.41.0")
    await renewed(machine, gateway)
    assert machine.envoys.pid == old
    assert await live.echoes()
    assert await (await client.connect(port, REPO)).echoes()


async def test_what_a_release_without_succession_wrote_down_is_understood(
    machine: Machine, client: Client, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(hot_restart, "SUPPORTS_HOT_RESTART", False)
        earlier.setattr(StatePaths, "admin_socket", lambda paths, _: paths.run / "admin.sock")
        gateway = machine.gateway(port)
        await machine.bring(gateway, GatewayState.LISTENING)
    live = await client.connect(port, REPO)
    current = read_process_set(machine.paths).current
    assert current is not None
    await machine.leave()
    before = current.model_dump_json(include={"pid", "started", "mark"})
    machine.paths.roster.write_text(before)
    await machine.start()
    await machine.bring(gateway, GatewayState.LISTENING)
    assert await live.echoes()
    assert running(current)
    assert machine.envoys.pid == current.pid


async def test_nothing_is_left_of_those_that_are_gone(
    machine: Machine, client: Client, port: int, install: Installation
) -> None:
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    current = read_process_set(machine.paths).current
    assert current is not None
    shared = f"envoy_shared_memory_{current.place.base_id * 10}"
    assert shared in _names(Path("/dev/shm"))
    install.settings("other settings")
    await renewed(machine, gateway)
    await served(machine)
    folders = _names(machine.paths.xds.parent)
    assert not [each for each in folders if each.startswith("retired-")]
    await machine.bring(None, GatewayState.ABSENT)
    assert shared not in _names(Path("/dev/shm"))
    assert not [each for each in _names(machine.paths.run) if each.startswith("h_")]


async def test_nothing_is_left_of_those_that_ended_while_no_host_service_ran(
    machine: Machine, client: Client, port: int, install: Installation
) -> None:
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    await client.connect(port, REPO)
    install.settings("other settings")
    await renewed(machine, gateway)
    ended = read_process_set(machine.paths).all
    assert len(ended) == 2
    await machine.leave()
    for each in ended:
        os.kill(each.pid, signal.SIGKILL)
        await EnvoyProcess(each).ended()
    await machine.start()
    await machine.bring(gateway, GatewayState.LISTENING)
    assert not list(machine.paths.xds.parent.glob("retired-*"))
    marks = {each.name for each in machine.paths.run.glob("admin-*")}
    current = read_process_set(machine.paths).current
    assert current is not None
    assert marks == {machine.paths.admin_socket(current.admin_mark).name}
    line = ended[0].place.base_id
    assert f"envoy_shared_memory_{line * 10}" not in _names(Path("/dev/shm"))
    assert not list(machine.paths.run.glob(f"h_*_{line}?"))


def _names(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


@pytest.mark.parametrize("renewals", [0, 1])
async def test_an_envoy_that_no_file_names_any_more_is_found_and_keeps_nobody_who_must_go(
    machine: Machine, install: Installation, client: Client, port: int, renewals: int
) -> None:
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    tunnels = [await client.connect(port, REPO)]
    for number in range(renewals):
        install.settings(f"next {number}")
        await renewed(machine, gateway)
        tunnels.append(await client.connect(port, REPO))
    before = read_process_set(machine.paths)
    await machine.leave()
    for file in machine.paths.roster.parent.glob("*process.json*"):
        file.unlink()
    assert {each.mark for each in read_process_set(machine.paths).all} == {
        each.mark for each in before.all
    }
    await machine.start()
    await machine.found(GatewayState.LISTENING)
    for each in tunnels:
        assert await each.echoes()
    tunnels.append(await client.connect(port, REPO))
    await seen(machine, len(tunnels))
    machine.know()
    for each in tunnels:
        assert await each.is_cut()


async def test_one_whose_predecessor_is_gone_opens_another_port_and_no_tunnel_is_cut(
    machine: Machine, client: Client, port: int, install: Installation
) -> None:
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    install.settings("next")
    await renewed(machine, machine.gateway(port))
    await served(machine)
    live, envoy = await client.connect(port, REPO), machine.envoys.pid
    other = free_port()
    await machine.bring(machine.gateway(other), GatewayState.LISTENING)
    assert machine.envoys.pid == envoy
    assert await (await client.connect(other, REPO)).echoes()
    assert await live.echoes()


@pytest.fixture
def port() -> int:
    return free_port()
