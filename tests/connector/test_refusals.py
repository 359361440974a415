"""What becomes of tunnels and of local ports when gateways, or the machine, refuse?"""

import asyncio
import contextlib
import os
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from cloudgate.connector import tls_connection
from cloudgate.connector.balancer import Balancer
from cloudgate.connector.dialer import open_first
from cloudgate.connector.load_balancing import GatewayEndpoint
from cloudgate.connector.local_listeners import LocalListeners, relay_standard_streams
from cloudgate.connector.settings import Forward
from cloudgate.connector.tls_connection import (
    CertificateError,
    Identity,
    connect,
    identity,
)
from cloudgate.errors import (
    AccessDeniedError,
    InvalidRequestError,
    NotAuthenticatedError,
    UnavailableError,
)
from cloudgate.manager.security.authority import (
    CertificateRequest,
    gateway_term,
    open_authority,
)
from cloudgate.network.hostport import HostPort
from cloudgate.protocol import GatewayState, Peer, Site
from cloudgate.trust.certificate_roles import Role
from tests.connector.support import TARGET, connected_to, mute
from tests.support.certificates.authority import Authority
from tests.support.certificates.certificate_roles import public_pem
from tests.support.certificates.client_certificates import key_pem, new_key
from tests.support.ports import free_port
from tests.support.running.jobs import running_job
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant import HASHER, PASSWORD, tenant
from tests.support.running.tenant_program import abort, echo_server
from tests.support.waiting import PATIENCE_SECONDS, until_async

HERE = HostPort("127.0.0.1", 0)


class Door:
    """A gateway, its address, and what its tenant may do there."""

    def __init__(self, machine: Machine, address: HostPort, repository_port: int) -> None:
        self.machine = machine
        self.address = address
        self._repository_port = repository_port

    def know(self, **changes: object) -> None:
        """Have the gateway know the tenant like that."""
        self.machine.know(tenant(self._repository_port, **changes))

    def list(self, *addresses: HostPort) -> None:
        """Have it say that these gateways are there."""
        peers = tuple(
            Peer(gateway_id=UUID(int=n), name=f"gw{n}", address=each.host, port=each.port)
            for n, each in enumerate(addresses, 1)
        )
        self.machine.site.replace(Site(revision=self.machine.site.revision + 1, gateways=peers))


@pytest.fixture
async def door(tmp_path: Path, authority: Authority, anyio_backend: object) -> AsyncIterator[Door]:
    async with (
        echo_server() as repository,
        running_machine(tmp_path / "state", authority) as machine,
    ):
        made = Door(machine, HostPort("localhost", free_port()), repository)
        made.know()
        await machine.bring(machine.gateway(made.address.port), GatewayState.LISTENING)
        made.list(made.address)
        yield made


@pytest.mark.anyio
async def test_a_wrong_password_is_said_at_the_start_and_no_other_gateway_is_asked(
    door: Door, ca_file: Path
) -> None:
    async with watching() as (other, came):
        wrong = Balancer(
            [door.address, other], identity("acme", "wrong", ca_file, None), half_close=False
        )
        with pytest.raises(NotAuthenticatedError, match="does not accept the name acme"):
            await wrong.discover()
    assert not came


@pytest.mark.anyio
async def test_a_password_that_is_changed_while_the_connector_runs_is_said_and_cuts_nothing(
    door: Door, who: Identity
) -> None:
    with capture_logs() as logs:
        async with connected_to([door.address], who) as connected:
            refused = asyncio.Event()
            connected.fleet.on_refused = refused.set
            reader, writer = await asyncio.open_connection("127.0.0.1", connected.port)
            writer.write(b"before")
            assert await reader.readexactly(6) == b"before"
            door.know(password_hash=HASHER.hash("another good one"))
            assert not await connected.echoes()
            assert refused.is_set()
            writer.write(b"after")
            assert await reader.readexactly(5) == b"after"
            writer.close()
    (said,) = [each["reason"] for each in logs if each["event"] == "no tunnel"]
    assert "does not accept the name acme with this password" in said


@pytest.mark.anyio
async def test_a_gateway_that_refuses_a_tenant_is_asked_again_and_says_so_once(
    door: Door, who: Identity
) -> None:
    with capture_logs() as logs:
        async with connected_to([door.address], who) as connected:
            (gateway,) = connected.fleet.gateways
            await until_async(lambda: gateway.asked_at is not None)
            reader, writer = await asyncio.open_connection("127.0.0.1", connected.port)
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            door.know(enabled=False)  # which cuts the tunnel, and so has the gateway asked
            await until_async(lambda: gateway.refusal != "")
            assert gateway.healthy
            asked_at = gateway.asked_at
            gateway.doubted_at = asyncio.get_running_loop().time()
            await until_async(lambda: gateway.asked_at != asked_at)
            door.know()
            gateway.doubted_at = asyncio.get_running_loop().time() + 5
            await until_async(lambda: gateway.refusal == "")
            writer.close()
            assert await connected.echoes()
    (said,) = [each["reason"] for each in logs if each["event"] == "refused"]
    assert "The tenant is disabled" in said


@pytest.mark.anyio
async def test_a_password_that_is_wrong_at_a_look_is_told_to_who_has_a_better_one(
    door: Door, ca_file: Path
) -> None:
    fleet = Balancer([door.address], identity("acme", "wrong", ca_file, None), half_close=False)
    refused = asyncio.Event()
    fleet.on_refused = refused.set
    async with running_job(fleet):
        await refused.wait()
    assert "does not accept the name acme" in fleet.gateways[0].refusal


@pytest.mark.anyio
async def test_a_target_that_the_tenant_may_not_reach_is_no_reason_to_ask_another_gateway(
    door: Door, who: Identity
) -> None:
    async with watching() as (other, came):
        fleet = Balancer([door.address, other], who, half_close=False)
        fleet.gateways[1].record_load(1)
        with pytest.raises(AccessDeniedError, match="no right to other"):
            async with fleet.tunnel(HostPort("other.example", 443)):
                pass
        assert all(each.healthy for each in fleet.gateways)
    assert not came


@pytest.mark.anyio
async def test_a_gateway_that_says_nothing_is_asked_once_at_a_time_and_then_lost(
    door: Door, who: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_connection, "DIAL_SECONDS", 1.2)
    async with mute() as silent:
        door.list(door.address, silent)
        with capture_logs() as logs:
            async with connected_to([door.address], who) as connected:
                await until_async(
                    lambda: not all(each.healthy for each in connected.fleet.gateways)
                )
                assert await connected.echoes()
    (lost,) = [each for each in logs if each["event"] == "gateway lost"]
    assert (lost["gateway"], lost["reason"]) == (
        str(silent),
        f"The gateway {silent} does not answer.",
    )


@pytest.mark.anyio
async def test_while_none_of_the_list_answers_the_named_one_is_asked_for_a_new_list(
    door: Door, who: Identity
) -> None:
    gone, back = HostPort("localhost", free_port()), HostPort("127.0.0.1", door.address.port)
    door.list(gone)
    fleet = Balancer([door.address], who, half_close=False)
    await fleet.discover()
    assert [each.address for each in fleet.gateways] == [gone]
    door.list(back)
    async with running_job(fleet):
        await until_async(lambda: [each.address for each in fleet.gateways] == [back])


@pytest.mark.anyio
async def test_a_gateway_that_was_dialled_beside_the_one_that_gives_the_tunnel_is_asked_for_nothing(
    tmp_path: Path, authority: Authority, who: Identity
) -> None:
    both_there, let_go = asyncio.Event(), asyncio.Event()
    heard = b""

    async def gives(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await both_there.wait()
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        both_there.set()
        with contextlib.suppress(ConnectionError):
            heard = await reader.read()
        let_go.set()
        writer.close()

    asked, dialled = asyncio.Event(), asyncio.Event()
    context = authority.server_context(tmp_path)
    async with AsyncExitStack() as stack:
        first = await asyncio.start_server(gives, "127.0.0.1", 0, ssl=context)
        second = await asyncio.start_server(waits, "127.0.0.1", 0, ssl=context)
        # The first takes so long to connect that the second is dialled; this one connects when
        # the first has been asked.
        slow = await stack.enter_async_context(held(first, until=dialled))
        late = await stack.enter_async_context(held(second, until=asked, dialled=dialled))
        candidates = [GatewayEndpoint(slow), GatewayEndpoint(late)]
        lost: list[GatewayEndpoint] = []
        gateway, tunnel = await open_first(
            candidates, TARGET, who, half_close=False, lost=lambda each, _: lost.append(each)
        )
        async with asyncio.timeout(PATIENCE_SECONDS):
            await let_go.wait()
        assert (gateway.address, heard, lost) == (slow, b"", [])
        assert [each.tunnels for each in candidates] == [0, 0]
        tunnel.close()
        first.close()
        second.close()


@asynccontextmanager
async def held(
    server: asyncio.Server, *, until: asyncio.Event, dialled: asyncio.Event | None = None
) -> AsyncIterator[HostPort]:
    """Another address of a server, of which nothing is passed on before something has happened."""
    port = server.sockets[0].getsockname()[1]
    carrying: list[asyncio.Task[None]] = []
    ends: list[asyncio.StreamWriter] = []

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if dialled is not None:
            dialled.set()
        await until.wait()
        answers, asks = await asyncio.open_connection("127.0.0.1", port)
        ends.extend((writer, asks))
        carrying.extend(
            asyncio.create_task(each) for each in (carry(reader, asks), carry(answers, writer))
        )

    front = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield HostPort("localhost", front.sockets[0].getsockname()[1])
    finally:
        front.close()
        await abort(ends)
        await asyncio.gather(*carrying)


@asynccontextmanager
async def watching() -> AsyncIterator[tuple[HostPort, list[object]]]:
    """Where a gateway might be, and who came there."""
    came: list[object] = []

    def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield HostPort("localhost", server.sockets[0].getsockname()[1]), came


@pytest.mark.anyio
async def test_a_local_port_in_use_is_named_with_what_to_do(who: Identity) -> None:
    ports = LocalListeners(Balancer([], who, half_close=False))
    taken = HostPort("127.0.0.1", await ports.listen(Forward(HERE, TARGET)))
    words = f"Cannot listen on {taken}: .*in use. Stop what uses that port"
    with pytest.raises(UnavailableError, match=words):
        await ports.listen(Forward(taken, TARGET))
    await ports.close()


@pytest.mark.parametrize("what", ["a file", "nothing", "closed"])
@pytest.mark.parametrize("name", ["stdin", "stdout"])
def test_standard_streams_that_are_none_are_refused_in_words(
    who: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    (tmp_path / "a file").touch()
    with ExitStack() as stack:
        taken, given = os.pipe()
        monkeypatch.setattr(sys, "stdin", stack.enter_context(os.fdopen(taken)))
        monkeypatch.setattr(sys, "stdout", stack.enter_context(os.fdopen(given, "w")))
        opened = {"a file": tmp_path / "a file", "nothing": Path(os.devnull)}.get(what)
        monkeypatch.setattr(sys, name, stack.enter_context(opened.open("r+")) if opened else None)
        with pytest.raises(UnavailableError, match="must be pipes, sockets or terminals"):
            asyncio.run(relay_standard_streams(Balancer([], who, half_close=False), TARGET))


@pytest.mark.anyio
async def test_without_a_gateway_nobody_is_asked(who: Identity) -> None:
    fleet = Balancer([], who, half_close=False)
    with pytest.raises(UnavailableError, match="No gateway is named"):
        await fleet.discover()
    assert fleet.addresses == []


@pytest.mark.parametrize("text", ["ab:cd", "xy" * 32, "ab" * 33])
def test_a_fingerprint_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="SHA-256 of 64 hexadecimal digits"):
        identity("acme", PASSWORD, None, text)


@pytest.mark.anyio
async def test_a_manager_is_no_gateway_though_the_same_provider_has_signed_for_it(
    tmp_path: Path,
) -> None:
    provider, key = open_authority(tmp_path), new_key()
    wanted = CertificateRequest(public_pem(key), ("localhost",), Role.MANAGER, gateway_term())
    shown = tmp_path / "manager.pem"
    shown.write_text(key_pem(key) + provider.issue(wanted, datetime.now(UTC)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(shown)
    trusted = tmp_path / "provider.pem"
    trusted.write_text(provider.certificate_pem)
    who = identity("acme", PASSWORD, trusted, None)
    server = await asyncio.start_server(
        lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context
    )
    async with server:
        address = HostPort("localhost", server.sockets[0].getsockname()[1])
        with pytest.raises(CertificateError, match="is no gateway: it was signed for a manager"):
            await connect(address, who, who.http1)


@pytest.mark.anyio
async def test_an_authority_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for file, words in ((tmp_path, "Is a directory"), (tmp_path / "none.pem", "No such file")):
        with pytest.raises(InvalidRequestError, match=f"Cannot read the authority {file}.*{words}"):
            identity("acme", PASSWORD, file, None)
