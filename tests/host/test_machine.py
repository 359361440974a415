"""Does the machine come to what is wanted, and do live tunnels survive it?"""

import asyncio
import errno
import json
import os
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cloudgate.host.envoy import launcher, listener_rollout, process, process_set, supervisor
from cloudgate.host.envoy.launcher import EnvoyLauncher
from cloudgate.host.envoy.process import EnvoyProcess, ProcessRecord
from cloudgate.host.envoy.xds_listener import listener
from cloudgate.host.platform import started_at
from cloudgate.host.state import files
from cloudgate.host.state.files import damaged_files as damage_found
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.protocol import Assignment, GatewayState
from tests.support.certificates.authority import Authority
from tests.support.certificates.certificate_roles import public_pem
from tests.support.certificates.client_certificates import key_pem
from tests.support.ports import closes, free_port, refuses
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until, until_async

pytestmark = pytest.mark.anyio

REPO = "repo.example:443"


async def test_a_gateway_listens_on_all_addresses_when_none_is_given(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port, addresses=()), GatewayState.LISTENING)
    assert await (await client.connect(port, REPO)).echoes()


async def test_a_gateway_listens_on_each_given_address(machine: Machine, client: Client) -> None:
    port = free_port()
    both = ("127.0.0.1", "127.0.0.2")
    await machine.bring(machine.gateway(port, addresses=both), GatewayState.LISTENING)
    for host in both:
        answer = await client.ask(port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", host)
        assert answer.status == 404


async def test_a_taken_port_is_named_with_its_owner(machine: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        failed = await machine.bring(machine.gateway(port), GatewayState.FAILED)
    assert failed.reason.startswith(f"Port {port} at 127.0.0.1 is taken by process ")
    assert await refuses(port)


async def test_a_port_of_another_envoy_is_taken_even_when_that_one_would_share(
    machine: Machine,
) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as other:
        port = other.getsockname()[1]
        failed = await machine.bring(machine.gateway(port), GatewayState.FAILED)
    assert "is taken by" in failed.reason


async def test_an_envoy_of_another_state_folder_keeps_its_port(
    machine: Machine, tmp_path: Path, authority: Authority
) -> None:
    port = free_port()
    async with running_machine(tmp_path / "other", authority) as other:
        await other.bring(other.gateway(port), GatewayState.LISTENING)
        failed = await machine.bring(machine.gateway(port), GatewayState.FAILED)
        assert f"(id {other.envoys.pid})" in failed.reason


async def test_an_address_of_another_host_is_named(machine: Machine) -> None:
    gateway = machine.gateway(free_port(), addresses=("203.0.113.9",))
    failed = await machine.bring(gateway, GatewayState.FAILED)
    assert failed.reason.startswith("203.0.113.9 is not an address of this host.")


async def test_a_certificate_for_another_key_is_refused(
    machine: Machine, tmp_path: Path, authority: Authority
) -> None:
    async with running_machine(tmp_path / "other", authority) as other:
        gateway = other.gateway(free_port())
    failed = await machine.bring(gateway, GatewayState.FAILED)
    assert failed.reason == "The gateway's certificate is not for this host's key."


async def test_a_failed_edit_leaves_the_old_gateway_in_force(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    old = machine.gateway(port)
    await machine.bring(old, GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        await machine.bring(machine.gateway(taken), GatewayState.FAILED)
        assert await (await client.connect(port, REPO)).echoes()
        await machine.bring(old, GatewayState.LISTENING)
    assert await tunnel.echoes()


async def test_an_edit_moves_the_port_while_a_tunnel_goes_on(
    machine: Machine, client: Client
) -> None:
    old, new = free_port(), free_port()
    await machine.bring(machine.gateway(old), GatewayState.LISTENING)
    tunnel = await client.connect(old, REPO)
    await machine.bring(machine.gateway(new), GatewayState.LISTENING)
    await closes(old)
    assert await tunnel.echoes()
    assert await (await client.connect(new, REPO)).echoes()


async def test_an_edit_of_the_addresses_keeps_port_and_tunnel(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port, addresses=()), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    assert await tunnel.echoes()
    assert await (await client.connect(port, REPO)).echoes()


async def test_a_certificate_that_comes_with_its_key_is_shown_while_a_tunnel_goes_on(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    key = ec.generate_private_key(ec.SECP256R1())
    brought = {
        "certificate_chain_pem": machine.authority.certificate(public_pem(key)),
        "private_key_pem": key_pem(key),
    }
    await machine.bring(gateway.model_copy(update=brought), GatewayState.LISTENING)
    later = await client.connect(port, REPO)
    assert later.certificate != tunnel.certificate
    assert await tunnel.echoes()
    assert "PRIVATE" not in repr(machine.reconciler)
    files = [file for file in machine.paths.state.rglob("*") if file.is_file()]
    keys = [file for file in files if b"PRIVATE KEY" in file.read_bytes()]
    assert len(keys) == 4  # the host's own and its copy, the assignment, and what Envoy reads
    assert all(file.stat().st_mode & 0o077 == 0 for file in keys)


async def test_a_new_certificate_is_shown_while_a_tunnel_goes_on(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    later = await client.connect(port, REPO)
    assert later.certificate != tunnel.certificate
    assert await tunnel.echoes()


async def test_the_same_again_changes_nothing(machine: Machine, client: Client) -> None:
    port = free_port()
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    before = machine.envoys.pid
    await machine.bring(gateway, GatewayState.LISTENING)
    assert machine.envoys.pid == before
    assert await tunnel.echoes()


@pytest.mark.alone
async def test_a_killed_envoy_listens_again_within_two_seconds(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    machine.kill_envoy()
    began = time.monotonic()
    await machine.found(GatewayState.LISTENING)
    assert time.monotonic() - began < 2
    assert await (await client.connect(port, REPO)).echoes()


async def test_a_later_host_service_adopts_envoy_and_its_tunnels(
    machine: Machine, client: Client, tmp_path: Path, authority: Authority
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    before = machine.envoys.pid
    await machine.leave()
    async with running_machine(machine.paths.state, authority) as later:
        found = await later.found(GatewayState.LISTENING)
        assert found.live_tunnels == 1
        assert later.envoys.pid == before
        assert await tunnel.echoes()
        assert await (await client.connect(port, REPO)).echoes()


async def test_a_closed_gateway_drains_and_counts(machine: Machine, client: Client) -> None:
    port = free_port()
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    first, second = await client.connect(port, REPO), await client.connect(port, REPO)
    closed = gateway.model_copy(update={"accepting": False})
    assert (await machine.bring(closed, GatewayState.DRAINING)).live_tunnels == 2
    await closes(port)
    first.close()
    while (await machine.found(GatewayState.DRAINING)).live_tunnels != 1:
        pass
    assert await second.echoes()
    second.close()
    ended = await machine.found(GatewayState.CLOSED)
    assert (ended.finished_tunnels, ended.closed_tunnels) == (2, 0)
    await machine.bring(gateway, GatewayState.LISTENING)
    assert await (await client.connect(port, REPO)).echoes()


async def test_at_the_deadline_what_is_left_is_cut(machine: Machine, client: Client) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    finishing, *staying = [await client.connect(port, REPO) for _ in range(4)]
    await machine.bring(None, GatewayState.DRAINING, drain_seconds=1.5)
    finishing.close()
    ended = await machine.found(GatewayState.ABSENT)
    assert (ended.finished_tunnels, ended.closed_tunnels) == (1, 3)
    for tunnel in staying:
        assert await tunnel.is_cut()
    assert machine.envoys.pid is None


async def test_a_deadline_of_nothing_cuts_at_once(machine: Machine, client: Client) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    ended = await machine.bring(None, GatewayState.ABSENT, drain_seconds=0)
    assert (ended.finished_tunnels, ended.closed_tunnels) == (0, 1)
    assert await tunnel.is_cut()


async def test_a_gateway_that_has_no_tunnels_is_absent_at_once(machine: Machine) -> None:
    await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
    assert (await machine.bring(None, GatewayState.ABSENT)).live_tunnels == 0
    await machine.bring(None, GatewayState.ABSENT)


async def test_an_established_gateway_comes_back_when_its_port_is_free_again(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudgate.host.reconciler.REVIEW_SECONDS", 0.2)
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    await machine.leave()
    running = machine.envoy
    await running.stop()
    with socket.create_server(("127.0.0.1", port)):
        await machine.start()
        assert "is taken by" in (await machine.found(GatewayState.FAILED)).reason
    await machine.found(GatewayState.LISTENING)
    assert await (await client.connect(port, REPO)).echoes()


async def test_an_envoy_that_does_not_start_is_blamed_in_its_own_words(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "envoy"
    broken.write_text("#!/bin/sh\necho 'cannot do this' >&2\nexit 1\n")
    broken.chmod(0o700)
    monkeypatch.setattr(process, "executable", lambda: broken)
    port = free_port()
    failed = await machine.bring(machine.gateway(port), GatewayState.FAILED)
    assert "cannot do this" in failed.reason
    assert await refuses(port)


async def test_settings_that_envoy_rejects_are_told_in_its_own_words(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = listener

    def bad(*arguments: Any, **more: Any) -> dict[str, Any]:
        settings: dict[str, Any] = good(*arguments, **more)
        return {**settings, "filter_chains": settings["filter_chains"] * 2}

    monkeypatch.setattr(listener_rollout, "listener", bad)
    port = free_port()
    failed = await machine.bring(machine.gateway(port), GatewayState.FAILED)
    assert "error adding listener" in failed.reason
    assert await refuses(port)


async def test_an_envoy_that_cannot_be_written_down_is_not_left_behind(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    full = OSError(errno.ENOSPC, "No space left on device")
    started: list[int] = []
    thrice = threading.Event()
    is_full = True

    def record(path: Path, content: str) -> None:
        if is_full:
            started.append(int(json.loads(content)["current"]["pid"]))
            if len(started) == 3:
                thrice.set()
            raise full
        files.write_with_backup(path, content)

    monkeypatch.setattr(process_set, "write_with_backup", record)
    machine.kill_envoy()
    assert await asyncio.to_thread(thrice.wait, 10)
    is_full = False
    await machine.found(GatewayState.LISTENING)
    assert await (await client.connect(port, REPO)).echoes()
    assert [pid for pid in started if started_at(pid)] == []


DAMAGES = (b"", b"\xff\xfe\x00", b'{"half": ')


async def test_a_gateway_opens_again_from_a_disk_that_has_damaged_each_of_its_files(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    gateway = machine.gateway(port)
    for _ in range(2):
        await machine.bring(gateway, GatewayState.LISTENING)
        machine.know(*machine.directory._tenants.by_id.values())
    paths = machine.paths
    files = (
        paths.assignment,
        paths.directory,
        paths.site,
        paths.usage,
        paths.drain,
        paths.roster,
        paths.private_key,
        paths.bootstrap,
        *paths.xds.iterdir(),
    )
    for damage in DAMAGES:
        await machine.stop()
        for file in files:
            file.write_bytes(damage)
        machine.directory = TenantDirectory(paths.directory)
        await machine.start()
        await machine.found(GatewayState.LISTENING)
        assert await (await client.connect(port, REPO)).echoes()
        # What was damaged is whole again, or the copy beside it still is.
        await machine.bring(gateway, GatewayState.LISTENING)
        assert "gateway-key" in damage_found()


async def test_an_envoy_that_does_not_answer_for_a_while_keeps_its_tunnels(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    assert await tunnel.echoes()
    before = machine.envoys.pid
    assert before is not None
    await machine.leave()
    os.kill(before, signal.SIGSTOP)
    try:
        await machine.start()
        await machine.found(GatewayState.FAILED)
    finally:
        os.kill(before, signal.SIGCONT)
    await machine.found(GatewayState.LISTENING)
    assert machine.envoys.pid == before
    assert await tunnel.echoes()


async def test_an_envoy_that_answers_no_more_is_not_said_not_to_start(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
    monkeypatch.setattr(supervisor, "READY_SECONDS", 0.1)
    silent = machine.envoys.pid
    assert silent is not None
    os.kill(silent, signal.SIGSTOP)
    try:
        failed = await machine.found(GatewayState.FAILED)
    finally:
        os.kill(silent, signal.SIGCONT)
    assert failed.reason.startswith(f"Envoy, process {silent}, does not answer; its tunnels go on.")


@dataclass
class SlowStart:
    """Starts of Envoy that somebody can hold up."""

    begun: threading.Event = field(default_factory=threading.Event)
    may_go_on: threading.Event = field(default_factory=threading.Event)
    started: list[EnvoyProcess] = field(default_factory=list)


@pytest.fixture
def slow_start(monkeypatch: pytest.MonkeyPatch) -> SlowStart:
    """Starts are as fast as ever until somebody holds them up."""
    found, launch = SlowStart(), EnvoyLauncher.launch
    found.may_go_on.set()

    def slowly(self: EnvoyLauncher, before: ProcessRecord | None) -> EnvoyProcess:
        found.begun.set()
        assert found.may_go_on.wait(PATIENCE_SECONDS)
        found.started.append(launch(self, before))
        return found.started[-1]

    monkeypatch.setattr(EnvoyLauncher, "launch", slowly)
    return found


async def test_an_envoy_that_is_being_started_is_known_when_the_host_service_ends(
    machine: Machine, slow_start: SlowStart
) -> None:
    slow_start.may_go_on.clear()
    wanted = Assignment(revision=1, gateway=machine.gateway(free_port()), drain_seconds=60)
    machine.reconciler.set_desired(wanted)
    assert await asyncio.to_thread(slow_start.begun.wait, PATIENCE_SECONDS)
    ending = asyncio.create_task(machine.end_work())
    await asyncio.sleep(0)
    slow_start.may_go_on.set()
    await ending
    assert machine.envoy.is_supervised
    await machine.stop()
    assert [each.is_alive for each in slow_start.started] == [False]


async def test_an_envoy_that_is_being_started_again_ends_with_the_host_service(
    machine: Machine, slow_start: SlowStart
) -> None:
    await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
    slow_start.begun.clear()
    slow_start.may_go_on.clear()
    pid = machine.envoys.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert await asyncio.to_thread(slow_start.begun.wait, PATIENCE_SECONDS)
    ending = asyncio.create_task(machine.stop())
    await until_async(lambda: not machine.envoy.is_supervised)  # it waits for who starts it
    slow_start.may_go_on.set()
    await ending
    await asyncio.to_thread(until, lambda: len(slow_start.started) == 2)
    assert [each.is_alive for each in slow_start.started] == [False, False]


async def test_an_envoy_that_dies_while_it_is_to_be_succeeded_leaves_none_that_nobody_knows(
    machine: Machine, slow_start: SlowStart, monkeypatch: pytest.MonkeyPatch
) -> None:
    await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
    await machine.end_work()
    look = EnvoyLauncher.why_not_hot_restarted

    def dies_meanwhile(self: EnvoyLauncher, before: ProcessRecord) -> str:
        os.kill(before.pid, signal.SIGKILL)
        until(lambda: machine.envoys.known.current not in {None, before})
        return look(self, before)

    monkeypatch.setattr(EnvoyLauncher, "why_not_hot_restarted", dies_meanwhile)
    monkeypatch.setattr(launcher, "_settings", lambda *_: "those of another release")
    machine.envoy._launcher.__dict__.pop("binary", None)
    await machine.envoy.begin_hot_restart()
    assert [each.is_alive for each in slow_start.started] == [False, True]
    assert machine.envoys.known.current == slow_start.started[-1].record
    await machine.stop()
    assert [each.is_alive for each in slow_start.started] == [False, False]


async def test_an_envoy_that_was_not_written_down_ends_with_the_host_service(
    machine: Machine, slow_start: SlowStart
) -> None:
    await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
    await machine.end_work()
    await machine.envoy.release()
    machine.envoys.listening = None
    machine.envoys.update(lambda _: process_set.ProcessSet())
    await machine.stop()
    assert [each.is_alive for each in slow_start.started] == [False]
