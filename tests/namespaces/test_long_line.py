"""Is a restore over a long line that loses packets as fast as the line, and not as its losses?"""

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloudgate.host.platform import congestion_control as module
from cloudgate.protocol import GatewayState
from tests.support.certificates.authority import Authority
from tests.support.machine.long_line import NEAR, LongLine, Quality, long_line
from tests.support.machine.network import missing
from tests.support.ports import free_port
from tests.support.running.machine import running_machine
from tests.support.running.tenant import PASSWORD, tenant

SECONDS = 5
LINE = Quality(round_trip_ms=80, loss_percent=0.5)
TIMES = 5
"""How many times as much as without BBR at the least; seen were 25 to 40."""
_CLIENT = """
import socket, ssl, sys, time
host, port, login, seconds = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
line = context.wrap_socket(socket.create_connection((host, int(port)), 20))
login = f"Proxy-Authorization: Basic {login}"
line.sendall(f"CONNECT repo.example:443 HTTP/1.1\\r\\n{login}\\r\\n\\r\\n".encode())
assert b" 200 " in line.recv(4096)
until, found = time.monotonic() + int(seconds), 0
while time.monotonic() < until:
    found += len(line.recv(1 << 20))
print(found)
"""

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.alone,
    pytest.mark.skipif(bool(missing()), reason=missing() or "all is there"),
    pytest.mark.skipif(not os.access("/dev/net/tun", os.W_OK), reason="there are no TUN devices"),
    pytest.mark.skipif(not module.congestion_control(), reason="this kernel lets have no BBR"),
]


@asynccontextmanager
async def endless_repository() -> AsyncIterator[int]:
    """A repository that sends without end; its port."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while not writer.is_closing():
                writer.write(bytes(65536))
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def restored_bytes(state: Path, line: LongLine) -> int:
    """How much a tenant at the other end of the line gets of the gateway in a time."""
    authority = Authority()
    async with endless_repository() as repository, running_machine(state, authority) as machine:
        machine.know(tenant(repository))
        port = free_port()
        await machine.bring(machine.gateway(port, addresses=(NEAR,)), GatewayState.LISTENING)
        login = base64.b64encode(f"acme:{PASSWORD}".encode()).decode()
        words = (sys.executable, "-c", _CLIENT, NEAR, str(port), login, str(SECONDS))
        client = await asyncio.create_subprocess_exec(
            "nsenter", f"--net={line.far_network}", *words, stdout=subprocess.PIPE
        )
        said, _ = await client.communicate()
        assert client.returncode == 0
        return int(said)


async def test_a_restore_over_a_long_line_that_loses_packets_uses_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Threads of this loop stay in the network that they began in: there is one for both.
    with long_line() as line, line.carrying(LINE):
        found = await restored_bytes(tmp_path / "with", line)
        monkeypatch.setattr(module, "BBR", "no_such_control")
        module.congestion_control.cache_clear()
        try:
            without = await restored_bytes(tmp_path / "without", line)
        finally:
            module.congestion_control.cache_clear()
    assert found >= TIMES * without, (found, without)
