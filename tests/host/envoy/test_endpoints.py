"""Where there are no Unix sockets: do host service and Envoy reach each other, and nobody else?

So it is on Windows. Here it runs on this system, over loopback, with the real Envoy.
"""

import asyncio
import os
import re
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
from envoy.service.auth.v3 import external_auth_pb2 as messages
from google.rpc.status_pb2 import Status

from cloudgate.host.authorization.grpc.server import serve_grpc
from cloudgate.host.envoy.loopback_endpoints import ADDRESS, LoopbackEndpoints
from cloudgate.host.envoy.process import running
from cloudgate.host.envoy.process_set import read_process_set
from cloudgate.host.platform import windows
from cloudgate.host.platform.windows_service import ProcessKeeper, host_command
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.protocol import GatewayState
from tests.support.certificates.authority import Authority
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until

pytestmark = pytest.mark.anyio
REPO = "repo.example:443"
TLS_ALERT = b"\x15"
ORDERS = ("/quitquitquit", "/logging?level=trace", "/drain_listeners", "/reset_counters")


@pytest.fixture
async def machine(
    tmp_path: Path, authority: Authority, repository_port: int
) -> AsyncIterator[Machine]:
    async with running_machine(tmp_path / "state", authority, LoopbackEndpoints) as started:
        started.know(tenant(repository_port))
        yield started


def authorizer_port(paths: StatePaths) -> int:
    """Where Envoy asks."""
    return int(paths.authorizer_port.read_text())


async def test_tenants_are_let_in_and_others_are_not(client: Client, port: int) -> None:
    assert await (await client.connect(port, REPO)).echoes()
    assert (await client.connect(port, REPO, "acme:wrong")).status == 407


async def test_who_does_not_have_the_key_asks_in_vain(machine: Machine, port: int) -> None:
    del port
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for tls in (context, None):
        reader, writer = await asyncio.open_connection(
            ADDRESS, authorizer_port(machine.paths), ssl=tls
        )
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert await heard(reader) == b""
        writer.close()


async def heard(reader: asyncio.StreamReader) -> bytes:
    """What is said until the other end hangs up, alerts of TLS left out."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            said = await reader.read()
    except (ConnectionError, ssl.SSLError):
        return b""
    return b"" if said[:1] == TLS_ALERT else said


async def test_who_answers_in_the_authorizers_place_is_not_believed(
    machine: Machine, client: Client, port: int, tmp_path: Path
) -> None:
    assert (await client.connect(port, REPO)).status == 200
    await machine.leave()

    async def let_in(_question: bytes) -> bytes:
        return bytes(messages.CheckResponse(status=Status(code=0)).SerializeToString())

    other = state_paths(tmp_path / "other")
    other.make_folders()
    listener = socket.create_server((ADDRESS, authorizer_port(machine.paths)))
    for context in (LoopbackEndpoints(other).context, None):
        rogue = await serve_grpc(let_in, listener.dup(), context)
        assert (await client.connect(port, REPO)).status == 503
        await rogue.stop()
    listener.close()
    await machine.start()


async def test_the_administration_tells_no_secret_and_takes_no_orders(
    machine: Machine, port: int
) -> None:
    del port
    current = read_process_set(machine.paths).current
    assert current is not None
    asked = LoopbackEndpoints(machine.paths).admin_client(current.mark)
    assert asked is not None
    async with asked:
        for path in ("/config_dump", "/certs", "/clusters", "/", "/memory"):
            assert (await asked.get(path)).status_code == httpx2.codes.FORBIDDEN, path
        for path in ORDERS:
            assert (await asked.post(path)).status_code == httpx2.codes.FORBIDDEN, path
        shown = await asked.get("/config_dump?resource=dynamic_listeners&mask=name")
        assert shown.status_code == httpx2.codes.OK
    assert machine.envoys.pid is not None


async def test_a_host_service_that_is_started_again_is_found_where_it_was(
    machine: Machine, client: Client, port: int
) -> None:
    live = await client.connect(port, REPO)
    pid, asked_at = machine.envoys.pid, authorizer_port(machine.paths)
    await machine.leave()
    assert await live.echoes()
    await machine.start()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    assert (machine.envoys.pid, authorizer_port(machine.paths)) == (pid, asked_at)
    assert await live.echoes()
    assert await (await client.connect(port, REPO)).echoes()


async def test_where_somebody_has_taken_the_port_another_one_is_used(
    machine: Machine, client: Client, port: int
) -> None:
    live = await client.connect(port, REPO)
    pid = machine.envoys.pid
    await machine.leave()
    taken = authorizer_port(machine.paths)
    with socket.create_server((ADDRESS, taken)):
        await machine.start()
        assert authorizer_port(machine.paths) != taken
        await machine.bring(machine.gateway(port), GatewayState.LISTENING)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await client.connect(port, REPO)).status != 200:
                pass  # Envoy has not read yet where to ask
        assert await live.echoes()
        assert machine.envoys.pid == pid


async def test_an_identity_that_a_disk_has_damaged_is_made_anew(
    machine: Machine, client: Client, port: int
) -> None:
    assert (await client.connect(port, REPO)).status == 200
    pid = machine.envoys.pid
    await machine.leave()
    machine.paths.local_identity.write_text("half")
    await machine.start()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await client.connect(port, REPO)).status != 200:
            pass  # Envoy has not read it yet
    assert machine.envoys.pid == pid


async def test_an_envoy_that_died_is_replaced(machine: Machine, client: Client, port: int) -> None:
    machine.kill_envoy()
    await machine.found(GatewayState.LISTENING)
    assert await (await client.connect(port, REPO)).echoes()


def test_a_service_keeps_a_host_service_running_and_ends_it_in_order(tmp_path: Path) -> None:
    state = tmp_path / "host"
    paths = state_paths(state)
    paths.make_folders()
    paths.assignment.write_text('{"revision": 1}')  # goes on without a manager
    keeper = ProcessKeeper(host_command(sys.executable, tmp_path), tmp_path / "service.log")
    ended_with: list[int] = []
    working = threading.Thread(target=lambda: ended_with.append(keeper.run()))
    working.start()
    try:
        first = until(lambda: _held_by(paths))
        os.kill(first, signal.SIGKILL)
        second = until(lambda: _held_by(paths) if _held_by(paths) != first else 0)
        assert second != first
    finally:
        keeper.stop()
        working.join(PATIENCE_SECONDS)
    assert ended_with == [0]
    assert b"the manager cannot be reached" in (tmp_path / "service.log").read_bytes()
    assert not _held_by(paths)
    assert running(read_process_set(paths).current) is None


def _held_by(paths: StatePaths) -> int:
    """The process that holds the lock of a state folder, 0 when none does (/proc/locks)."""
    inode = str(paths.lock.stat().st_ino) if paths.lock.exists() else ""
    held = re.findall(
        r"FLOCK +ADVISORY +WRITE (\d+) \w+:\w+:(\d+) ", Path("/proc/locks").read_text()
    )
    return next((int(pid) for pid, number in held if number == inode), 0)


ON_WINDOWS = """
import pathlib, sys
NEEDED = "cloudgate.cli.app", "cloudgate.host.service", "cloudgate.connector.run"
MISSING = "fcntl", "resource", "pwd", "grp", "termios", "uvloop", "syslog"

class Windows:
    def find_spec(self, name, path=None, target=None):
        if name in MISSING:
            raise ModuleNotFoundError(name)

for name in NEEDED:
    __import__(name)  # so that what they need is there as it is here
for name in list(sys.modules):
    if name in MISSING or name.partition(".")[0] == "cloudgate":
        del sys.modules[name]
sys.meta_path.insert(0, Windows())
sys.platform = "win32"
for name in NEEDED:
    __import__(name)
from cloudgate.host import platform
from cloudgate.host.envoy import endpoints
from cloudgate.host.state.paths import StatePaths
paths = StatePaths(pathlib.Path("a"), pathlib.Path("b"))
assert type(endpoints.local_endpoints(paths)).__name__ == "LoopbackEndpoints"
assert platform.ENVOY == "envoy.dll"
"""


def test_nothing_that_windows_lacks_is_needed_to_load_the_host_service_and_the_connector() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ON_WINDOWS], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_windows_knows_which_connections_of_a_process_lead_to_other_machines() -> None:
    table = struct.pack("<L", 3)
    for state, remote, owner in ((5, "192.0.2.1", 7), (5, "127.0.0.1", 7), (2, "0.0.0.0", 7)):
        address = socket.inet_aton(remote)
        table += struct.pack("<3L4s2L", state, 0, 0, address, 443, owner)
    assert list(windows.owners_of_ipv4(table)) == [(7, False), (7, True)]
    table = struct.pack("<L", 2)
    for remote, owner in (("2001:db8::1", 8), ("::1", 9)):
        address = socket.inet_pton(socket.AF_INET6, remote)
        table += struct.pack("<16s2L16s4L", bytes(16), 0, 6180, address, 0, 443, 5, owner)
    assert list(windows.owners_of_ipv6(table)) == [(8, False), (9, True)]


def test_windows_lets_nobody_but_the_owner_into_its_folders() -> None:
    command = windows.access_command(Path("state"))
    assert command[:3] == ["icacls.exe", "state", "/inheritance:r"]
    assert "*S-1-3-4:(OI)(CI)F" in command
    assert not any("S-1-1-0" in word or "S-1-5-32-545" in word for word in command)
