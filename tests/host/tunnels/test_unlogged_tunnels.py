"""Is whoever was let in, and is not in the access log yet, known for just as long, and ended?"""

import asyncio
import base64
import json
import os
import socket
import ssl
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event, ResponseReceived, StreamEnded, StreamReset

from cloudgate.host.access_log.record import RecordType, parse_record
from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata
from cloudgate.host.envoy.process import ProcessRecord
from cloudgate.host.envoy.process_set import EnvoyProcesses, ProcessSet
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.envoy.xds_listener import NO_ANSWER
from cloudgate.host.platform import close_connections, started_at
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.paths import state_paths
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels import closer
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.enforcer import TunnelEnforcer
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.host.tunnels.tracker import TunnelTracker
from cloudgate.protocol import DirectoryChange, Target, Tenant
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until_async

BOTH_WAYS = True
ACME = UUID(int=1)
REPO, DEAD = "repo.example:443", "dead.example:443"
STALE = 3000
"""That were let in, and whose connections are gone."""
MARK = "envoy"


class Http2:
    """A client's connection in HTTP/2, on which it may ask for several tunnels."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._h2 = H2Connection(H2Configuration(client_side=True))
        self._h2.initiate_connection()
        self._heard: list[Event] = []

    def ask(self, stream: int, target: str) -> None:
        """Ask for a tunnel."""
        login = base64.b64encode(f"acme:{PASSWORD}".encode()).decode()
        headers = [
            (":method", "CONNECT"),
            (":authority", target),
            ("proxy-authorization", f"Basic {login}"),
        ]
        self._h2.send_headers(stream, headers)

    async def hear(self, kind: type[Event], stream: int) -> Event:
        """Send what is to be sent, and wait until something is said of a stream."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self._writer.write(self._h2.data_to_send())
                for each in self._heard:
                    if isinstance(each, kind) and getattr(each, "stream_id", stream) == stream:
                        return each
                data = await self._reader.read(65536)
                assert data, "the gateway hung up"
                self._heard += self._h2.receive_data(data)

    async def status(self, stream: int) -> int:
        """What is answered."""
        said = await self.hear(ResponseReceived, stream)
        assert isinstance(said, ResponseReceived)
        return int(dict(said.headers)[b":status"])

    async def is_cut(self) -> bool:
        """Wait until the other end is gone."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                while await self._reader.read(65536):
                    pass
            except (ConnectionError, ssl.SSLError):
                return True
        return True

    def close(self) -> None:
        """Let go."""
        self._writer.transport.abort()


async def http2(client: Client, port: int) -> Http2:
    context = ssl.create_default_context(cadata=client.ca_pem)
    context.set_alpn_protocols(["h2"])
    return Http2(
        *await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
    )


def dead(repository_port: int, address: str) -> Tenant:
    """The tenant, of whose targets one does not answer at its address."""
    (repo, *_) = tenant(repository_port).targets
    return tenant(repository_port, targets=(repo, Target(endpoint=DEAD, address=address)))


@pytest.mark.anyio
async def test_who_was_let_in_and_whose_target_does_not_answer_is_known_no_more(
    machine: Machine,
    client: Client,
    repository_port: int,
    port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def ask(host: str, _: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.3"] if host == "dead.example" else [host]

    monkeypatch.setattr(machine.authorizer._resolver, "_ask", ask)
    for address in (f"127.0.0.1:{free_port()}", DEAD):
        machine.know(dead(repository_port, address))
        for _ in range(3):
            assert NO_ANSWER in (await client.connect(port, DEAD)).body
    await until_async(lambda: not machine.admissions.slots.unlogged)


@pytest.mark.anyio
async def test_in_http_2_the_next_tunnel_of_a_connection_on_which_one_failed_ends_with_its_tenant(
    machine: Machine, client: Client, repository_port: int, port: int
) -> None:
    machine.know(dead(repository_port, f"127.0.0.1:{free_port()}"))
    connection = await http2(client, port)
    connection.ask(1, DEAD)
    assert await connection.status(1) == 503
    await connection.hear(StreamEnded, 1)
    connection.ask(3, REPO)
    assert await connection.status(3) == 200
    await machine.hears_of(1)
    await until_async(lambda: not machine.admissions.slots.unlogged)
    machine.know()
    assert await connection.is_cut()
    connection.close()


@pytest.mark.anyio
async def test_in_http_2_a_connection_has_one_tunnel_at_a_time_also_before_it_heard_so(
    machine: Machine, client: Client, port: int
) -> None:
    connection = await http2(client, port)
    connection.ask(1, REPO)
    connection.ask(3, REPO)
    await connection.hear(StreamReset, 3)
    assert await connection.status(1) == 200
    await machine.hears_of(1)
    assert len(machine.tracker.live) == 1
    machine.know()
    assert await connection.is_cut()
    connection.close()


class Gate:
    """A host service's parts of which this process is the Envoy, with the tunnels that it has."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        paths = state_paths(folder)
        paths.make_folders()
        self.log = paths.access_log
        self.directory = TenantDirectory(paths.directory)
        self.slots = TunnelSlots()
        envoys = EnvoyProcesses(paths, UnixEndpoints(paths))
        ours = ProcessRecord(pid=os.getpid(), started=started_at(os.getpid()) or "", mark=MARK)
        envoys.known = ProcessSet(current=ours)
        self.closer = TunnelCloser(envoys)
        self.tracker = TunnelTracker(paths, envoys, slots=self.slots, closer=self.closer)
        self.enforcer = TunnelEnforcer(
            self.tracker,
            self.closer,
            self.directory,
            GatewayStatus(),
            site=SiteStore(paths.site),
            slots=self.slots,
        )
        self._listening = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))

    def know(self, *tenants: Tenant) -> None:
        """Have these be the tenants."""
        revision = self.directory.revision + 1
        self.directory.apply(DirectoryChange(from_revision=0, revision=revision, tenants=tenants))

    def connection(self) -> tuple[str, socket.socket]:
        """One of a client, and the client's end."""
        theirs = self._stack.enter_context(socket.create_connection(self._listening.getsockname()))
        ours, (host, port) = self._listening.accept()
        self._stack.enter_context(ours)
        ours.setblocking(False)
        theirs.setblocking(False)
        return f"{host}:{port}", theirs

    def let_in(self, client: str, slot_id: str, tenant_id: UUID = ACME) -> None:
        """Somebody is let in."""
        self.slots.note_let_in(client, TunnelMetadata(slot_id, tenant_id), REPO)

    def close(self) -> None:
        """Let go of all connections."""
        self._stack.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    made = Gate(tmp_path / "state")
    yield made
    made.close()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """For whom all connections of an Envoy were looked at, each time."""
    found: list[set[str]] = []

    def look(pid: int, clients: Collection[str]) -> int:
        found.append(set(clients))
        return close_connections(pid, clients)

    monkeypatch.setattr(closer, "close_connections", look)
    return found


def is_reset(connection: socket.socket) -> bool:
    """Whether the other end has cut it."""
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def line(client: str, slot_id: str, *, kind: RecordType, status: int, flags: str = "-") -> str:
    """Of the access log."""
    return json.dumps(
        {
            "time": "2026-01-01T00:00:00.000Z",
            "type": kind,
            "tunnel": f"of {slot_id}",
            "envoy": MARK,
            "pass": str(TunnelMetadata(slot_id, ACME)),
            "target": REPO,
            "client": client,
            "protocol": "HTTP/1.1",
            "status": status,
            "bytes_up": 0,
            "bytes_down": 0,
            "flags": flags,
        },
        separators=(",", ":"),
    )


def test_all_that_must_end_and_are_in_no_line_are_ended_by_one_look_and_no_others(
    gate: Gate, looks: list[set[str]]
) -> None:
    gone, stays = tenant(1), tenant(1, tenant_id=UUID(int=2), name="Other")
    gate.know(gone, stays)
    ours = [gate.connection() for _ in range(3)]
    for number in range(STALE):
        gate.let_in(f"192.0.2.1:{number}", f"stale {number}")
    for number, (client, _) in enumerate(ours):
        gate.let_in(client, f"ours {number}")
    theirs, their_end = gate.connection()
    gate.let_in(theirs, "theirs", stays.tenant_id)
    gate.enforcer.review()
    assert looks == []
    gate.know(stays)
    gate.enforcer.review()
    assert [len(each) for each in looks] == [STALE + 3]
    assert all(is_reset(end) for _, end in ours)
    assert not is_reset(their_end)
    assert gate.slots.unlogged.keys() == {theirs}
    gate.enforcer.review()
    assert len(looks) == 1


def test_a_request_that_failed_makes_no_other_of_its_connection_unknown(gate: Gate) -> None:
    gate.know(tenant(1))
    client, end = gate.connection()
    gate.let_in(client, "failed")
    gate.let_in(client, "pending")
    gate.log.write_text(line(client, "failed", kind=RecordType.ENDED, status=503) + "\n")
    gate.enforcer.review()
    assert gate.slots.unlogged[client].metadata.slot_id == "pending"
    gate.know(tenant(1, enabled=False))
    gate.enforcer.review()
    assert is_reset(end)


def test_while_a_target_is_tried_who_was_let_in_stays_known_whatever_the_log_says(
    gate: Gate,
) -> None:
    gate.know(tenant(1))
    client, _ = gate.connection()
    gate.let_in(client, "slow")
    gate.log.write_text(line(client, "slow", kind=RecordType.GOING_ON, status=0) + "\n")
    gate.enforcer.review()
    assert client in gate.slots.unlogged
    with gate.log.open("a") as log:
        log.write(line(client, "slow", kind=RecordType.ENDED, status=503) + "\n")
    gate.enforcer.review()
    assert not gate.slots.unlogged


def test_all_that_a_target_tore_are_torn_by_one_look_but_none_that_is_in_use(
    gate: Gate, looks: list[set[str]]
) -> None:
    several = [gate.connection() for _ in range(3)]
    lines = [
        line(client, str(number), kind=RecordType.ENDED, status=200, flags="UC")
        for number, (client, _) in enumerate(several)
    ]
    torn = [entry for each in lines if (entry := parse_record(each)) is not None]
    gate.closer.tear(torn, {several[2][0]})
    assert looks == [{client for client, _ in several[:2]}]
    assert [is_reset(end) for _, end in several] == [True, True, False]
