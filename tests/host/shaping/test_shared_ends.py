"""Is a tunnel paced, watched and ended for itself, though another has one end in common with it?"""

import asyncio
import base64
import os
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.host.envoy.process import ProcessRecord
from cloudgate.host.envoy.process_set import EnvoyProcesses, ProcessSet
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.platform import Pacing, started_at
from cloudgate.host.platform.addresses import host_has_ipv6
from cloudgate.host.shaping.fair_share import FairShare
from cloudgate.host.shaping.rate_allocations import RateAllocations
from cloudgate.host.shaping.shaper import TrafficShaper
from cloudgate.host.shaping.start_rate_grants import StartRateGrants
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels.accounting import Tunnel, TunnelTable
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.restore_only import (
    RESTORE_REQUEST_BYTES,
    RecentQuotaViolations,
    RestoreOnlyEnforcer,
)
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.protocol import DirectoryChange, GatewayState, Maintenance, Site, Target, Tenant
from tests.host.platform.shared_ends import name_of, two_from_one_port
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import Client, echo_server
from tests.support.running.tenant_program import Tunnel as OpenTunnel
from tests.support.waiting import until_async

BOTH_WAYS = True
REPO = "repo.example:443"
ACME, OTHER = UUID(int=1), UUID(int=2)
LIMIT = 256 * 1024
A_BACKUP_BYTES = 2 * RESTORE_REQUEST_BYTES
ENTRANCES = ("127.0.0.1", "127.0.0.2")


async def from_one_port(client: Client, port: int, *logins: str) -> list[OpenTunnel]:
    """A tunnel to each address of the gateway, all from one port of one client."""
    source = ("127.0.0.1", 0)
    found = []
    for entrance, login in zip(ENTRANCES, logins, strict=True):
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(source)
        source = made.getsockname()
        made.setblocking(False)
        await asyncio.get_running_loop().sock_connect(made, (entrance, port))
        found.append(await connect(client, made, login))
    return found


async def connect(client: Client, made: socket.socket, login: str) -> OpenTunnel:
    """Become a tunnel on a connection that there is."""
    reader, writer = await asyncio.open_connection(
        sock=made,
        ssl=ssl.create_default_context(cadata=client.ca_pem),
        server_hostname="localhost",
    )
    encoded = base64.b64encode(login.encode()).decode()
    writer.write(
        f"CONNECT {REPO} HTTP/1.1\r\nHost: {REPO}\r\n"
        f"Proxy-Authorization: Basic {encoded}\r\n\r\n".encode()
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    tunnel = OpenTunnel(reader, writer, int(head.split()[1]), head.lower())
    client.opened.append(tunnel)
    assert tunnel.status == 200
    return tunnel


async def with_two_entrances(machine: Machine, *tenants: Tenant) -> int:
    """The port of a gateway with two addresses."""
    port = free_port()
    machine.know(*tenants)
    await machine.bring(machine.gateway(port, addresses=ENTRANCES), GatewayState.LISTENING)
    return port


@pytest.mark.anyio
@pytest.mark.skipif(not host_has_ipv6(), reason="there is no IPv6 here")
@pytest.mark.parametrize("entrance", ["127.0.0.1", "::1"])
async def test_on_a_gateway_with_all_addresses_connections_are_found_by_both_of_their_ends(
    machine: Machine, client: Client, entrance: str
) -> None:
    port = free_port()
    async with echo_server("::1") as repository:
        target = Target(endpoint=REPO, address=f"[::1]:{repository}")
        machine.know(tenant(1, targets=(target,)))
        await machine.bring(machine.gateway(port, addresses=()), GatewayState.LISTENING)
        login = base64.b64encode(f"acme:{PASSWORD}".encode()).decode()
        asked = f"CONNECT {REPO} HTTP/1.1\r\nProxy-Authorization: Basic {login}\r\n\r\n"
        assert (await client.ask(port, asked, host=entrance)).status == 200
        await machine.hears_of(1)
        assert len(machine.found_by_both_ends()) == 2


@pytest.mark.anyio
async def test_two_tunnels_from_one_port_to_two_addresses_are_both_held_to_the_limit(
    machine: Machine, client: Client, repository_port: int
) -> None:
    acme = tenant(repository_port, speed_limit_bytes=LIMIT)
    port = await with_two_entrances(machine, acme)
    await from_one_port(client, port, *[f"acme:{PASSWORD}"] * 2)
    await machine.hears_of(2)
    pid = machine.envoys.pid
    assert pid is not None

    def rates() -> list[int | None]:
        names = [each.client_connection for each in machine.tracker.live]
        return [each.rate_bytes for each in Pacing(pid).sent_by(set(names)).values()]

    assert len({each.client for each in machine.tracker.live}) == 1
    assert len(rates()) == 2
    assert None not in rates(), "held from before the log speaks of them"
    await until_async(lambda: sum(each or 2 * LIMIT for each in rates()) <= 1.1 * LIMIT, said=rates)


@pytest.mark.anyio
async def test_of_two_tenants_from_one_port_only_the_one_that_must_leave_is_ended(
    machine: Machine, client: Client, repository_port: int
) -> None:
    acme = tenant(repository_port)
    other = tenant(repository_port, tenant_id=OTHER, name="Other")
    port = await with_two_entrances(machine, acme, other)
    ours, theirs = await from_one_port(client, port, f"acme:{PASSWORD}", f"other:{PASSWORD}")
    await machine.hears_of(2)
    machine.know(acme.model_copy(update={"enabled": False}), other)
    assert await ours.is_cut()
    assert await theirs.echoes()


# ---------------------------------------------------------------------------------------------


class Here:
    """This process in the place of Envoy, with tunnels whose connections to targets are given."""

    def __init__(self, folder: Path, *tunnels: Tunnel) -> None:
        self.paths: StatePaths = state_paths(folder)
        self.paths.make_folders()
        self.directory = TenantDirectory(self.paths.directory)
        pid = os.getpid()
        record = ProcessRecord(pid=pid, started=started_at(pid) or "", mark="here")
        self.envoys = EnvoyProcesses(self.paths, UnixEndpoints(self.paths))
        self.envoys.known = ProcessSet(current=record)
        self.closer = TunnelCloser(self.envoys)
        self.tracker = TunnelTracker(
            self.paths, self.envoys, slots=TunnelSlots(), closer=self.closer
        )
        self.tracker._tunnels = TunnelTable(tunnels)

    def in_maintenance(self) -> RestoreOnlyEnforcer:
        """Who ends those that send."""
        site = SiteStore(self.paths.site)
        site.replace(Site(revision=1, maintenance=Maintenance(message="New disks.")))
        return RestoreOnlyEnforcer(
            self.envoys,
            site,
            self.tracker,
            self.closer,
            directory=self.directory,
            senders=RecentQuotaViolations(),
        )

    def know(self, *tenants: Tenant) -> None:
        """Have these tenants."""
        self.directory.apply(DirectoryChange(from_revision=0, revision=1, tenants=tenants))


def tunnel_by(connection: socket.socket, who: UUID, **changes: object) -> Tunnel:
    """The tunnel of a tenant that has this connection to its target."""
    own, _, peer = name_of(connection).partition(">")
    usual = {
        "tunnel": f"tunnel {who}",
        "envoy": "here",
        "started_at": datetime(2026, 1, 1, tzinfo=UTC),
        "tenant_id": who,
        "user_id": None,
        "target": REPO,
        "client": f"192.0.2.7:{who.int}",
        "from_address": own,
        "target_address": peer,
    }
    return Tunnel(**{**usual, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("first", [0, 1])
def test_a_limit_slows_its_own_tenants_connection_to_a_target_and_no_other(
    tmp_path: Path, first: int
) -> None:
    with two_from_one_port() as (ours, _):
        limited, free = ours[first], ours[1 - first]
        here = Here(tmp_path, tunnel_by(limited, ACME), tunnel_by(free, OTHER))
        here.know(tenant(1, speed_limit_bytes=LIMIT), tenant(1, tenant_id=OTHER, name="Other"))
        shaper = TrafficShaper(
            here.envoys,
            here.directory,
            here.tracker,
            RateAllocations(),
            fairness=FairShare(10**12),
            starts=StartRateGrants(),
        )
        shaper.review()
        assert is_held_to_the_limit(limited)
        assert not is_held_to_the_limit(free)


def is_held_to_the_limit(connection: socket.socket) -> bool:
    name = name_of(connection)
    rate = Pacing(os.getpid()).sent_by([name])[name].rate_bytes
    return rate is not None and rate <= LIMIT


@pytest.mark.parametrize("first", [0, 1])
def test_who_sends_in_maintenance_is_ended_and_not_who_brings_back_from_the_same_port(
    tmp_path: Path, first: int
) -> None:
    with two_from_one_port() as (ours, theirs):
        sends, restores = first, 1 - first
        here = Here(
            tmp_path,
            tunnel_by(ours[sends], OTHER, restoring=True),
            tunnel_by(ours[restores], ACME, restoring=True),
        )
        here.know(tenant(1), tenant(1, tenant_id=OTHER, name="Other"))
        with ThreadPoolExecutor(1) as target:
            arrived = target.submit(take, theirs[sends], A_BACKUP_BYTES)
            ours[sends].sendall(bytes(A_BACKUP_BYTES))
            arrived.result()
        here.in_maintenance().review()
        live = {each.tunnel: each.tenant_id for each in here.tracker.live}
        assert {live[each] for each in here.closer.closed_of(live)} == {OTHER}


def take(connection: socket.socket, size_bytes: int) -> None:
    while size_bytes > 0:
        size_bytes -= len(connection.recv(65536))
