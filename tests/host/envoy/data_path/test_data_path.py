"""Does a gateway have the module for Envoy where it fits, and go on without where it does not?"""

import asyncio
import json
import os
import platform
import shutil
import signal
from pathlib import Path

import pytest

from cloudgate.errors import InvalidRequestError
from cloudgate.host.envoy import launcher, process
from cloudgate.host.envoy.data_path import crash_loop
from cloudgate.host.envoy.data_path.choice import (
    BY_HTTP,
    FOLDER,
    VARIABLE,
    DataPathKind,
    chosen_data_path,
)
from cloudgate.host.platform import started_at
from cloudgate.protocol import GatewayState
from data_path.build import compiler
from tests.host.envoy.renewals import others_coming_in, renewed, several
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler"),
]
REPO = "repo.example:443"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an installation of its own has the module."""
    copy = tmp_path / "module"
    shutil.copytree(FOLDER, copy)
    monkeypatch.setattr(launcher, "chosen_data_path", lambda: chosen_data_path(copy))
    monkeypatch.setenv(VARIABLE, DataPathKind.MODULE)
    return copy


@pytest.fixture
def library(folder: Path) -> Path:
    (found,) = folder.glob("libcloudgate_*.so")
    return found


async def started_anew(machine: Machine, port: int) -> None:
    await machine.leave()
    await machine.start()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)


async def test_no_tunnel_is_cut_or_refused_when_the_module_comes_and_when_it_goes(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    gateway = machine.gateway(port)
    monkeypatch.setenv(VARIABLE, DataPathKind.HTTP)
    await renewed(machine, gateway)
    live = [await client.connect(port, REPO)]
    pids = [machine.envoys.pid]
    async with others_coming_in(client, port) as statuses:
        for way in (DataPathKind.MODULE, DataPathKind.HTTP):
            await several(statuses)
            monkeypatch.setenv(VARIABLE, way)
            await renewed(machine, gateway)
            assert machine.envoy.data_path.way is way
            live.append(await client.connect(port, REPO))
            pids.append(machine.envoys.pid)
        await several(statuses)
    assert len(set(pids)) == 3
    assert all([await each.echoes() for each in live])


async def test_a_module_that_cannot_be_loaded_is_done_without(
    library: Path, machine: Machine, client: Client
) -> None:
    library.write_bytes(b"no library")  # noqa: ASYNC240
    port = free_port()
    await started_anew(machine, port)
    assert await (await client.connect(port, REPO)).echoes()
    assert machine.envoy.data_path.way is DataPathKind.HTTP
    assert "Envoy does not take it" in machine.envoy.data_path.advice
    # It stays so: nothing is tried again and again under live tunnels.
    pid = machine.envoys.pid
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    assert machine.envoys.pid == pid


@pytest.mark.parametrize(
    ("how", "soon_seconds", "said"),
    [
        (signal.SIGKILL, crash_loop.SOON_SECONDS, "Envoy died several times"),
        (signal.SIGSEGV, -1.0, "Envoy crashed 3 times within 6 hours"),
    ],
)
async def test_a_module_with_which_envoy_dies_is_done_without(
    folder: Path,
    machine: Machine,
    client: Client,
    *,
    monkeypatch: pytest.MonkeyPatch,
    how: signal.Signals,
    soon_seconds: float,
    said: str,
) -> None:
    monkeypatch.setattr(crash_loop, "SOON_SECONDS", soon_seconds)
    port = free_port()
    await started_anew(machine, port)
    assert machine.envoy.data_path.way is DataPathKind.MODULE
    ended = None
    async with asyncio.timeout(3 * PATIENCE_SECONDS):
        while machine.envoy.data_path.way is DataPathKind.MODULE:
            pid = machine.envoys.pid
            if pid not in {None, ended} and started_at(pid) and await machine.admin.is_ready():
                os.kill(pid, how)
                ended = pid
            await asyncio.sleep(0.1)
        await machine.found(GatewayState.LISTENING)
        await until_async(lambda: machine.envoys.pid)
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    assert await (await client.connect(port, REPO)).echoes()
    assert said in machine.envoy.data_path.advice


def test_a_module_for_another_envoy_is_not_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert chosen_data_path(folder).way is DataPathKind.MODULE
    monkeypatch.setattr(process, "installed_version", lambda: "1.99.0")
    assert "1.99.0 is installed" in chosen_data_path(folder).reason
    assert chosen_data_path(folder).way is DataPathKind.HTTP


def test_a_module_for_another_machine_is_not_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    described = folder / "module.json"
    described.write_text(described.read_text().replace(platform.machine(), "other"))
    assert "made for Linux on other" in chosen_data_path(folder).reason
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    assert "There is none for Linux on riscv64" in chosen_data_path(folder).reason


def test_tunnels_go_by_the_module_unless_somebody_wants_another_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    assert chosen_data_path(folder).way is DataPathKind.MODULE
    monkeypatch.setenv(VARIABLE, DataPathKind.HTTP)
    assert chosen_data_path(folder) == BY_HTTP
    assert BY_HTTP.advice == ""


def test_where_there_can_be_no_module_nothing_is_said_to_who_asks_for_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(platform, "system", lambda: "Windows")
    assert chosen_data_path(folder) == BY_HTTP


def test_where_it_was_not_built_it_is_said_what_to_do(
    library: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.unlink()
    assert str(library) in chosen_data_path(folder).advice
    (folder / "module.json").unlink()
    monkeypatch.delenv(VARIABLE)
    advice = chosen_data_path(folder).advice
    assert "Install a C compiler" in advice
    assert f"{VARIABLE}={DataPathKind.HTTP}" in advice


def test_another_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "quic")
    with pytest.raises(InvalidRequestError, match="expected module or http"):
        chosen_data_path()


def test_the_module_says_for_which_envoy_it_is(folder: Path) -> None:
    assert json.loads((folder / "module.json").read_text())["envoy"] == process.installed_version()
