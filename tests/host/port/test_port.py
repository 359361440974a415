"""Is the port guarded against all that comes to it, wanted or not?"""

import asyncio
import itertools
import socket
import ssl
import string
from pathlib import Path

import pytest

from cloudgate.host.authorization.resolver import is_elsewhere
from cloudgate.host.envoy import launcher
from cloudgate.host.platform import connections_by_address, most_connections
from cloudgate.host.platform.linux_sock_diag import congestion_controls
from cloudgate.host.platform.resource_limits import (
    BYTES_OF_A_TUNNEL,
    Capacity,
    capacity,
    capacity_of,
    memory_limits,
)
from cloudgate.host.tunnels.connection_limit import by_network, excess_connections
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.protocol import GatewayState, Target
from tests.host.port.held_repository import held_repository, reset
from tests.support.observation.resident_memory import resident_kib
from tests.support.ports import free_port, refuses
from tests.support.running.machine import Machine
from tests.support.running.tenant import HASHER, PASSWORD, tenant
from tests.support.running.tenant_program import Client, Tunnel, fill
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio
REPO = "repo.example:443"
STALLED = 100
MOST_KIB_OF_A_STALLED_TUNNEL = 400


async def test_one_address_has_only_so_many_connections_and_tunnels_go_on(
    machine: Machine, client: Client
) -> None:
    await machine.leave()
    machine.connections_per_address = 6
    await machine.start()
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnels = [await client.connect(port, REPO) for _ in range(3)]
    context = ssl.create_default_context(cadata=client.ca_pem)
    idle = [
        await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        for _ in range(10)
    ]
    async with asyncio.timeout(6):  # without the guard they would be closed after ten seconds
        ends = asyncio.as_completed([_ended(reader) for reader, _ in idle])
        for end in itertools.islice(ends, 7):
            assert await end
    refused = await client.connect(port, REPO)
    assert refused.status == 503
    assert "Too many connections come from this address" in refused.body
    for each in tunnels:
        assert await each.echoes()
    for _, writer in idle:
        writer.transport.abort()
    refused.close()
    async with asyncio.timeout(6):
        while (again := await client.connect(port, REPO)).status != 200:
            again.close()
    assert await again.echoes()


async def test_tunnels_that_the_access_log_does_not_speak_of_yet_are_not_hung_up_on(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await machine.leave()
    machine.connections_per_address = 4
    await machine.start()
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    # As on a machine that has no time: nothing is read of the log any more.
    monkeypatch.setattr(TunnelTracker, "read", lambda _: True)
    context = ssl.create_default_context(cadata=client.ca_pem)
    tunnels = [await client.connect(port, REPO) for _ in range(3)]
    idle = [
        await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        for _ in range(7)
    ]
    async with asyncio.timeout(PATIENCE_SECONDS):
        ends = asyncio.as_completed([_ended(reader) for reader, _ in idle])
        for end in itertools.islice(ends, 6):
            assert await end
    assert all([await each.echoes() for each in tunnels])
    for _, writer in idle:
        writer.transport.abort()


def test_only_those_without_a_tunnel_are_hung_up_on() -> None:
    callers = {"192.0.2.1": [1, 2, 3, 4], "2001:db8::1": [5, 6, 7], "192.0.2.9": [8]}
    carrying = {"192.0.2.1:1", "192.0.2.1:2", "192.0.2.1:3", "[2001:db8::1]:6"}
    assert excess_connections(by_network(callers), carrying, 2) == {
        "192.0.2.1": ["192.0.2.1:4"],
        "2001:db8::/64": ["[2001:db8::1]:5"],
    }
    assert excess_connections(by_network(callers), carrying, 4) == {}


def test_whoever_has_a_network_of_ipv6_has_as_many_connections_as_others() -> None:
    callers = {f"2001:db8::{number}": [7] for number in range(1, 6)} | {"2001:db8:0:1::1": [7]}
    found = excess_connections(by_network(callers), {"[2001:db8::1]:7"}, 3)
    assert found == {"2001:db8::/64": ["[2001:db8::2]:7", "[2001:db8::3]:7"]}


def test_the_kernel_tells_who_is_connected() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        with (
            socket.create_connection(("::1", port)) as one,
            socket.create_connection(("::1", port)) as other,
        ):
            found = connections_by_address(port)
            assert sorted(found["::1"]) == sorted(each.getsockname()[1] for each in (one, other))
            assert (most_connections() or 0) >= 5  # both ends of each, and what listens
        assert connections_by_address(free_port()) == {}


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_kernel_tells_what_accepted_connections_use(family: socket.AddressFamily) -> None:
    address = "127.0.0.1" if family == socket.AF_INET else "::1"
    with socket.create_server((address, 0), family=family) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        port = listener.getsockname()[1]
        with socket.create_connection((address, port)), socket.create_connection((address, port)):
            assert congestion_controls(port) == {"reno": 2}
        assert congestion_controls(free_port()) == {}


async def test_when_the_gateway_is_full_newcomers_are_turned_away_and_tunnels_go_on(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "capacity", lambda: Capacity(3, 2**30))
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnels = [await client.connect(port, REPO) for _ in range(3)]
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await client.connect(port, REPO)
    for each in tunnels:
        assert await each.echoes()
    assert await machine.admin.live_tunnels() == 3
    tunnels[0].close()
    async with asyncio.timeout(10):
        while True:
            try:
                again = await client.connect(port, REPO)
                break
            except (ConnectionError, ssl.SSLError):
                continue
    assert await again.echoes()


def test_the_capacity_follows_memory_and_files() -> None:
    gibibyte = 2**30
    assert capacity_of(16 * gibibyte, 1_048_576).connections == int(9.6 * gibibyte) // (
        BYTES_OF_A_TUNNEL
    )
    assert capacity_of(16 * gibibyte, 20_000) == Capacity(9744, int(9.6 * gibibyte))
    assert capacity_of(1, 1).connections == 16
    found = capacity()
    assert found.connections > 100
    assert found.heap_bytes > 2**26


def test_the_memory_limits_of_a_service_are_those_of_its_group_and_of_all_that_it_is_in() -> None:
    root = Path("/sys/fs/cgroup")
    version_2 = "0::/system.slice/cloudgate-host.service\n"
    assert list(memory_limits(version_2)) == [
        root / "system.slice/cloudgate-host.service/memory.max",
        root / "system.slice/memory.max",
        root / "memory.max",
    ]
    version_1 = "5:cpu:/a\n4:rdma,memory:/a:b\n0::/\n"
    assert list(memory_limits(version_1)) == [
        root / "memory/a:b/memory.limit_in_bytes",
        root / "memory/memory.limit_in_bytes",
        root / "memory.max",
    ]
    assert list(memory_limits("")) == []


@pytest.mark.parametrize(
    ("address", "elsewhere"),
    [
        ("198.51.100.7", True),
        ("2001:db8::7", True),
        ("192.168.1.9", True),
        ("127.0.0.1", False),
        ("127.8.9.10", False),
        ("::1", False),
        ("::ffff:127.0.0.1", False),
        ("169.254.169.254", False),
        ("fe80::1%eth0", False),
        ("0.0.0.0", False),
        ("::", False),
        ("224.0.0.1", False),
        ("192.0.2.10", False),
        ("::ffff:192.0.2.10", False),
    ],
)
def test_a_name_leads_to_no_address_of_the_gateway_itself(address: str, elsewhere: bool) -> None:
    assert is_elsewhere(address, ["192.0.2.10", "::1"]) is elsewhere


async def test_a_granted_name_that_leads_to_the_gateway_itself_is_refused(
    machine: Machine, client: Client, port: int, repository_port: int
) -> None:
    for host in ("localhost", socket.gethostname()):
        target = Target(endpoint="tricky.example:443", address=f"{host}:{repository_port}")
        machine.know(tenant(repository_port, targets=(target,)))
        refused = await client.connect(port, "tricky.example:443")
        assert refused.status == 403
        assert "leads to the gateway itself" in refused.body


@pytest.mark.parametrize(
    "asked",
    [
        "repo.example",
        "repo.example:",
        "repo.example:0",
        "repo.example:443x",
        "repo.example:65536",
        ":443",
        "[::1]:443",
        "127.0.0.1:443",
        "169.254.169.254:80",
        "[fe80::1]:443",
        "localhost:443",
        "repo.example :443",
        "repo .example:443",
        "http://repo.example:443",
        "repo.example:443/path",
        "acme@repo.example:443",
        "repo.example..:443",
        "x" * 8192 + ":443",
        "ré.example:443",
    ],
)
async def test_an_odd_authority_is_refused_and_the_gateway_goes_on(
    client: Client, port: int, asked: str
) -> None:
    refused = await client.connect(port, asked)
    assert refused.status in (400, 403, 404)
    assert await (await client.connect(port, REPO)).echoes()


async def test_headers_without_end_are_refused(client: Client, port: int) -> None:
    refused = await client.connect(port, REPO, extra=f"X-Long: {'x' * 100_000}\r\n")
    assert refused.status == 431
    many = "".join(f"X-{number}: y\r\n" for number in range(200))
    assert (await client.connect(port, REPO, extra=many)).status == 431


@pytest.mark.parametrize(
    "password",
    [
        string.punctuation,
        string.ascii_letters + string.digits,
        " leading and trailing ",
        "\t\x7f\x01",
        "pässwörd",
        "密码🔑",
        "e\u0301 ≠ é",
        ":::",
        "x" * 512,
    ],
)
async def test_any_password_opens_a_tunnel(
    machine: Machine, client: Client, port: int, repository_port: int, password: str
) -> None:
    machine.know(tenant(repository_port, password_hash=HASHER.hash(password)))
    assert await (await client.connect(port, REPO, f"acme:{password}")).echoes()
    assert (await client.connect(port, REPO, f"acme:{password}x")).status == 407


@pytest.mark.parametrize(
    "name",
    ["A b", "tenant & söhne", "O'Neil", "100%", "名前", "a+b=c", "x" * 128, "dots.and-dashes_"],
)
async def test_any_name_opens_a_tunnel(
    machine: Machine, client: Client, port: int, repository_port: int, name: str
) -> None:
    machine.know(tenant(repository_port, name=name))
    assert await (await client.connect(port, REPO, f"{name}:{PASSWORD}")).echoes()


async def test_no_tls_is_hung_up_on(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"CONNECT repo.example:443 HTTP/1.1\r\n\r\n")
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await reader.read() == b""
    writer.close()
    assert not await refuses(port)


async def test_a_reset_of_either_side_reaches_the_other(
    machine: Machine, client: Client, port: int
) -> None:
    async with held_repository() as (repository, came):
        machine.know(tenant(repository))
        tunnel = await client.connect(port, REPO)
        reader, _ = await came.get()
        reset(tunnel.writer)
        async with asyncio.timeout(PATIENCE_SECONDS):
            with_end = await _ended(reader)
        assert with_end
        tunnel = await client.connect(port, REPO)
        _, writer = await came.get()
        reset(writer)
        assert await tunnel.is_cut()


async def _ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_tunnels_that_stall_cost_little_memory_and_others_go_on(
    machine: Machine, client: Client, port: int, repository_port: int
) -> None:
    pid = machine.envoys.pid
    assert pid is not None
    async with held_repository() as (stalling, _):
        stuck = Target(endpoint="stuck.example:443", address=f"127.0.0.1:{stalling}")
        usual = tenant(repository_port)
        machine.know(usual.model_copy(update={"targets": (*usual.targets, stuck)}))
        tunnels: list[Tunnel] = []
        before = resident_kib(pid)
        while len(tunnels) < STALLED:
            some = [client.connect(port, "stuck.example:443") for _ in range(50)]
            tunnels += await asyncio.gather(*some)
        await fill([each.writer for each in tunnels])
        grown = (resident_kib(pid) - before) / STALLED
        assert grown < MOST_KIB_OF_A_STALLED_TUNNEL
        assert await (await client.connect(port, REPO)).echoes()
