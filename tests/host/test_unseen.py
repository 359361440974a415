"""What cannot be seen is unknown, and never taken for what is not there."""

import asyncio
import contextlib
import errno
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from cloudgate.errors import UnavailableError
from cloudgate.host.access_log.record import AccessRecord, RecordType
from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata
from cloudgate.host.authorization import peer_health
from cloudgate.host.envoy.process import EnvoyProcess, ProcessRecord, running
from cloudgate.host.envoy.process_set import has_connections
from cloudgate.host.platform import (
    Pacing,
    close_connections,
    command_lines_with,
    machine,
    open_connections,
    started_at,
)
from cloudgate.host.platform.addresses import host_addresses, host_has_ipv6
from cloudgate.host.platform.linux_sock_diag import connections_by_address
from cloudgate.host.platform.resource_limits import capacity
from cloudgate.host.shaping.congestion import CongestionMonitor
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.protocol import GatewayState, Peer
from tests.support.machine.open_files import no_file_left
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS

REPO = "repo.example:443"


@pytest.fixture
def other() -> Iterator[tuple[int, str]]:
    """Another process with one connection, and the connection's other end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        script = (
            "import socket, sys, time;"
            f"s = socket.create_connection(({host!r}, {port})); print('there', flush=True);"
            "sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid, f"{host}:{port}"
            process.communicate()


def test_a_process_without_files_takes_nothing_of_its_machine_for_gone() -> None:
    load = CongestionMonitor(lambda: [os.getpid()])
    load.worker_is_busy = load.line_is_full = True
    addresses, known = host_addresses(), capacity()
    with no_file_left():
        assert host_addresses() == addresses
        for ask in (capacity, host_has_ipv6, machine._found_mark):
            with pytest.raises(OSError, match="Too many open files"):
                ask()
        with pytest.raises(UnavailableError, match="Too many open files"):
            command_lines_with("envoy")
        load.sample()
    assert load.worker_is_busy
    assert load.line_is_full
    assert capacity() == known


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("number", "is_up"), [(errno.EMFILE, True), (errno.ENOBUFS, True), (errno.ECONNREFUSED, False)]
)
async def test_a_gateway_that_cannot_be_dialled_for_want_of_files_here_is_not_down(
    monkeypatch: pytest.MonkeyPatch, number: int, *, is_up: bool
) -> None:
    async def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(peer_health, "connect_to", fails)
    peer = Peer(gateway_id=UUID(int=1), name="gw", address="192.0.2.1", port=6180)
    assert await peer_health.PeerHealthChecker(own=lambda: ()).all_down([peer]) is not is_up


def gone() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def test_with_no_file_left_connections_are_unknown_and_not_none(other: tuple[int, str]) -> None:
    pid, name = other
    assert open_connections(pid) == 1
    pacing = Pacing(pid)
    assert pacing.carried([name]).keys() == {name}
    with no_file_left():
        for look in (
            lambda: open_connections(pid),
            lambda: close_connections(pid, [name]),
            lambda: Pacing(pid).set({name: 1000}),
            lambda: Pacing(pid).carried([name]),
            lambda: pacing.carried([name]),
            lambda: pacing.set({name: 1000}),
            lambda: connections_by_address(1),
        ):
            with pytest.raises(UnavailableError, match="Too many open files"):
                look()
        assert has_connections(pid)
    assert open_connections(pid) == 1
    assert pacing.carried([name]).keys() == {name}
    assert close_connections(pid, [name]) == 1
    assert open_connections(pid) == 0


@pytest.mark.parametrize("left", range(1, 8))
def test_with_few_files_left_what_is_told_is_true_or_said_to_be_unknown(
    other: tuple[int, str], left: int
) -> None:
    pid, name = other
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = max(int(each.name) for each in Path("/proc/self/fd").iterdir())
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + left, limits[1]))
    try:
        with contextlib.suppress(UnavailableError):
            assert open_connections(pid) == 1
        with contextlib.suppress(UnavailableError):
            assert Pacing(pid).carried([name]).keys() == {name}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_what_is_gone_has_no_connection_whatever_the_files(other: tuple[int, str]) -> None:
    pid = gone()
    assert open_connections(pid) == 0
    assert close_connections(pid, ["127.0.0.1:1"]) == 0
    assert not Pacing(pid).carried(["127.0.0.1:1"])
    assert started_at(pid) is None
    with no_file_left():
        assert started_at(pid) is None


def test_a_process_whose_start_cannot_be_seen_is_taken_for_alive_and_told_nothing(
    other: tuple[int, str],
) -> None:
    pid, _ = other
    record = ProcessRecord(pid=pid, started=started_at(pid) or "")
    stranger = ProcessRecord(pid=pid, started="1")
    assert not EnvoyProcess(stranger).is_alive
    with no_file_left():
        assert running(record) is not None
        with pytest.raises(UnavailableError, match="cannot be seen: Too many open files"):
            EnvoyProcess(record).kill()
        with pytest.raises(UnavailableError):
            EnvoyProcess(stranger).kill()
    EnvoyProcess(stranger).kill()
    assert running(record) is not None


@pytest.mark.anyio
async def test_a_host_service_with_no_file_left_keeps_its_envoy_and_ends_who_must_end_later(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    assert tunnel.status == 200
    pid = machine.envoys.pid
    await machine.hears_of(1)
    with no_file_left():
        await machine.works_meanwhile()
        assert machine.envoys.pid == pid
        assert not machine.envoys.is_idle
        assert await tunnel.echoes()
    machine.know(tenant(repository_port, enabled=False))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await tunnel.is_cut()
    assert machine.envoys.pid == pid


@pytest.mark.anyio
async def test_that_who_must_end_goes_on_is_said_until_it_has_ended(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    await machine.hears_of(1)
    await machine.end_work()
    machine.know(tenant(repository_port, enabled=False))
    review = machine.enforcer.job().attempt
    with (
        no_file_left(),
        pytest.raises(UnavailableError, match="go on that should not"),
    ):
        review()
    assert await tunnel.echoes()
    review()
    assert await tunnel.is_cut()


@pytest.mark.anyio
async def test_a_targets_reset_that_cannot_be_passed_on_is_said(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    await machine.hears_of(1)
    (live,) = machine.tracker.live
    torn = AccessRecord(
        kind=RecordType.ENDED,
        tunnel=live.tunnel,
        envoy=live.envoy,
        started_at=live.started_at,
        metadata=TunnelMetadata(live.slot_id, live.tenant_id),
        target=live.target,
        client=live.client,
        from_address="",
        bytes_up=0,
        bytes_down=0,
    )
    closer = TunnelCloser(machine.envoys)
    with capture_logs() as logs, no_file_left():
        closer.tear([torn], in_use=())
    (said,) = logs
    assert said["event"] == "a target's reset is not passed on"
    assert "Too many open files" in said["reason"]
    closer.tear([replace(torn, envoy="of yesterday")], in_use=())
    closer.tear([torn], in_use=(torn.client,))
    assert await tunnel.echoes(), "neither is that connection any more"
    closer.tear([torn], in_use=())
    assert await tunnel.is_cut()


def test_who_may_not_reach_into_a_process_is_told_what_it_needs() -> None:
    nobody, somebody = 65534, 1
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        with subprocess.Popen(["cat"], stdin=ours.fileno(), user=nobody, group=0) as process:
            # What may be seen of a process its own user may see; to reach into it takes more.
            for user, effective, words in (
                (somebody, nobody, "capability CAP_SYS_PTRACE"),
                (somebody, somebody, "Permission denied"),
            ):
                os.setresuid(user, effective, 0)
                try:
                    with pytest.raises(UnavailableError, match=words):
                        open_connections(process.pid)
                finally:
                    os.setresuid(0, 0, 0)
            assert open_connections(process.pid) == 1
            process.kill()
        ours.close()


def test_a_socket_that_listens_carries_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, port = server.getsockname()
        assert not Pacing(os.getpid()).sent_by([f"{host}:{port}"])


def test_of_what_is_no_tcp_it_is_said_that_nothing_is_known() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        host, port = datagrams.getsockname()
        with pytest.raises(UnavailableError, match="cannot be looked at one by one"):
            Pacing(os.getpid()).sent_by([f"{host}:{port}"])
