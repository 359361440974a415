"""What the tests of this room need: a certificate authority, repositories, a client, a machine."""

import asyncio
import base64
import datetime as dt
import json
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from uuid import UUID

import argon2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from cloudgate.background import Background, JobRecord
from cloudgate.errors import UnavailableError
from cloudgate.host.authorization.address_reputation import AddressReputation
from cloudgate.host.authorization.admissions import Admissions
from cloudgate.host.authorization.authorizer import Authorizer
from cloudgate.host.authorization.ext_authz import serve_authorizer
from cloudgate.host.envoy.endpoints import LocalEndpoints
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.gateway import GatewayParts
from cloudgate.host.host_state import HostState
from cloudgate.host.platform import Pacing
from cloudgate.host.reconciler import ReconcileResult
from cloudgate.host.settings import HostSettings
from cloudgate.host.shaping.rate_allocations import RateAllocations
from cloudgate.host.state.disk_reserve import DiskReserve
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.host.state.private_key import public_key_pem
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.state.withdrawal_journal import WithdrawalJournal
from cloudgate.host.tunnels.connection_limit import CONNECTIONS_PER_ADDRESS
from cloudgate.network.connection_names import has_both_ends
from cloudgate.protocol import (
    Assignment,
    DirectoryChange,
    Gateway,
    GatewayState,
    Target,
    Tenant,
)
from tests.support.certificates.certificate_roles import public_pem
from tests.support.certificates.client_certificates import key_pem
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS, until_async, within

PASSWORD = "Grünes-Boot-7:x"
HASHER = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
PASSWORD_HASH = HASHER.hash(PASSWORD)
GATEWAY_ID = UUID(int=6)


class Authority:
    """A certificate authority for one test."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test authority")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = self._sign(self._name, self._key.public_key(), constraints)
        self.pem = _pem(self._certificate)

    def certificate(self, public_pem: str, called: str = "localhost") -> str:
        """A new certificate for a DNS name or IP address."""
        key = load_pem_public_key(public_pem.encode())
        assert isinstance(key, ec.EllipticCurvePublicKey)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, called)])
        try:
            general: x509.GeneralName = x509.IPAddress(ip_address(called))
        except ValueError:
            general = x509.DNSName(called)
        names = x509.SubjectAlternativeName([general])
        return _pem(self._sign(name, key, names))

    def server_context(self, folder: Path, called: str = "localhost") -> ssl.SSLContext:
        """For a server that shows a certificate of this authority."""
        key = ec.generate_private_key(ec.SECP256R1())
        file = folder / "server.pem"
        file.write_text(self.certificate(public_pem(key), called) + key_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, extension: x509.ExtensionType
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(self._key, hashes.SHA256())
        )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@dataclass
class Tunnel:
    """What came back for a request, and the line that it opened."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    status: int
    headers: str
    body: str = ""

    async def echoes(self, data: bytes = b"ping") -> bool:
        """Whether the other end still answers with what it hears."""
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.reader.readexactly(len(data)) == data

    async def is_cut(self) -> bool:
        """Wait until the other end is gone."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            try:
                return await self.reader.read(1) == b""
            except (ConnectionError, ssl.SSLError):
                return True

    @property
    def certificate(self) -> bytes:
        """What the gateway showed."""
        shown = self.writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert isinstance(shown, bytes)
        return shown

    def close(self) -> None:
        """Let go."""
        self.writer.transport.abort()


@dataclass
class Client:
    """A tenant's program that speaks with a gateway on loopback."""

    ca_pem: str
    opened: list[Tunnel] = field(default_factory=list)
    shows: Path | None = None
    """File with the key and the certificate that it shows where it is asked for one."""

    async def connect(
        self,
        port: int,
        target: str,
        login: str = f"acme:{PASSWORD}",
        extra: str = "",
        source: str | None = None,
    ) -> Tunnel:
        """CONNECT to `target`; `source` is the address to come from."""
        encoded = base64.b64encode(login.encode()).decode()
        authorization = f"Proxy-Authorization: Basic {encoded}\r\n" if login else ""
        return await self.ask(
            port,
            f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{authorization}{extra}\r\n",
            source=source,
        )

    async def close(self) -> None:
        """Let go of all tunnels."""
        await abort([tunnel.writer for tunnel in self.opened])

    async def ask(
        self, port: int, request: str, host: str = "127.0.0.1", source: str | None = None
    ) -> Tunnel:
        """Send `request` as it is."""
        context = ssl.create_default_context(cadata=self.ca_pem)
        if self.shows is not None:
            context.load_cert_chain(self.shows)
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await asyncio.open_connection(
                host,
                port,
                ssl=context,
                server_hostname="localhost",
                local_addr=(source, 0) if source else None,
            )
            try:
                writer.write(request.encode())
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                tunnel = Tunnel(reader, writer, int(head.split()[1]), head.lower())
                self.opened.append(tunnel)
                if tunnel.status != 200:
                    length = tunnel.headers.split("content-length: ")[1].split()[0]
                    tunnel.body = (await reader.readexactly(int(length))).decode()
            except BaseException:
                writer.transport.abort()
                raise
        return tunnel


async def refuses(port: int) -> bool:
    """Whether nobody listens on the port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def closes(port: int) -> None:
    """Wait until nobody listens: Envoy's workers close a port a moment after Envoy says so."""
    await asyncio.to_thread(within, 5, lambda: asyncio.run(refuses(port)))


async def abort(writers: Collection[asyncio.StreamWriter]) -> None:
    """Let go of connections, and wait until they are gone: a loop cannot be closed before."""
    for each in writers:
        each.transport.abort()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(each.wait_closed() for each in writers), return_exceptions=True)


@asynccontextmanager
async def echo_server(host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A repository at `host` that answers with what it hears; its port."""
    writers: set[asyncio.StreamWriter] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, 0, backlog=1024)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        await asyncio.sleep(0)  # those that came last are heard of
        await abort(writers)


def tenant(repository_port: int, **changes: object) -> Tenant:
    """The tenant `Acme`, who may reach the repository at `repo.example:443`, and a dead one."""
    usual = {
        "tenant_id": UUID(int=1),
        "name": "Acme",
        "password_hash": PASSWORD_HASH,
        "targets": (
            Target(endpoint="repo.example:443", address=f"127.0.0.1:{repository_port}"),
            Target(endpoint="dead.example:443", address=f"127.0.0.1:{free_port()}"),
            Target(endpoint="nowhere.example:443", address="nowhere.invalid:443"),
        ),
    }
    return Tenant.model_validate({**usual, **changes})


LATE = ("The gateway was not ready within", "did not answer within")
"""In what a machine says that has too much to do."""
SILENT = "does not answer; its tunnels go on"
"""Said then, too, but also where Envoy stands still."""


class Machine:
    """A managed server without a manager: the test says what is wanted and sees what is found."""

    def __init__(
        self, paths: StatePaths, authority: Authority, endpoints: LocalEndpoints | None = None
    ) -> None:
        self.paths = paths
        self.authority = authority
        self.endpoints = endpoints or UnixEndpoints(paths)
        reserve = DiskReserve(paths.reserve)
        reserve.allocate()
        self.journal = WithdrawalJournal(paths.withdrawals, reserve.release_for)
        self.directory = TenantDirectory(paths.directory, self.journal)
        self.site = SiteStore(paths.site, self.journal)
        self.wait_seconds = 5.0
        # Whatever else keeps this machine busy, its gateway is not full unless a test says so.
        self.capacity_bytes: int | None = 10**12
        self.connections_per_address = CONNECTIONS_PER_ADDRESS
        self.allowances = RateAllocations()
        self.outcomes: asyncio.Queue[ReconcileResult] = asyncio.Queue()
        self._stack = AsyncExitStack()
        self._revision = 0

    async def start(self) -> None:
        """Start what a host service consists of, without its channel."""
        known = HostState(
            self.directory, self.site, GatewayStatus(), self.journal, allowances=self.allowances
        )
        settings = HostSettings(
            capacity_bytes=self.capacity_bytes,
            connections_per_address=self.connections_per_address,
        )
        self.admissions = Admissions()
        parts = GatewayParts(self.paths, self.endpoints, known, self.admissions, settings=settings)
        authorizer = self._stack.enter_context(
            Authorizer(
                self.directory,
                self.site,
                known.gateway_status,
                self.admissions,
                parts,
                wait_seconds=self.wait_seconds,
                reputation=AddressReputation(self.paths.reputation),
            )
        )
        self.server = server = await serve_authorizer(authorizer, self.endpoints)
        self.authorizer = authorizer
        self.guesses = authorizer.guesses
        self.tokens = authorizer.tokens
        self._stack.push_async_callback(server.stop)
        self._stack.push_async_callback(parts.admin.close)
        self.admin, self.envoy, self.envoys = parts.admin, parts.envoy, parts.envoy.processes
        self.tracker, self.enforcer = parts.tracker, parts.enforcer
        self.shaper, self.restore_only = parts.shaper, parts.restore_only
        self.reconciler = parts.reconciler
        self.reconciler.on_outcome = self.outcomes.put_nowait
        self._background = Background(parts.jobs())
        self._revision = self.reconciler.revision or 0
        self._work = asyncio.create_task(self._background.run())

    async def hears_of(self, tunnels: int) -> None:
        """Wait until the access log has told the host service of so many live tunnels."""
        await until_async(lambda: len(self.tracker.live) >= tunnels)

    def found_by_both_ends(self) -> set[str]:
        """Those of the live tunnels' connections, of which each has two, that Envoy has."""
        assert self.envoys.pid is not None
        names = {name for each in self.tracker.live for name in each.connections}
        return set(Pacing(self.envoys.pid).carried(set(filter(has_both_ends, names))))

    async def works_meanwhile(self) -> None:
        """Wait until each job has been tried once, from its beginning to its end."""
        for each in self._background.records:
            for _ in range(2):  # the first one may have begun before
                more = each.runs + 1
                self._background.wake(each.name)
                self.reconciler._news.set()  # its attempts wait for that, too
                await until_async(partial(_has_run, each, more), said=partial(str, each))

    async def leave(self) -> None:
        """End as a host service does that was killed: Envoy goes on."""
        await self.end_work()
        self.tracker.checkpoint()
        await self.envoy.release()
        await self._stack.aclose()

    async def end_work(self) -> None:
        """What a host service ends first: all that goes on in the background."""
        self._work.cancel()
        await asyncio.gather(self._work, return_exceptions=True)

    async def stop(self) -> None:
        """End with everything that was started."""
        await self.leave()
        await self.envoy.stop()

    def gateway(self, port: int, **changes: object) -> Gateway:
        """A gateway on loopback with a new certificate."""
        usual = {
            "gateway_id": GATEWAY_ID,
            "addresses": ("127.0.0.1",),
            "port": port,
            "certificate_chain_pem": self.authority.certificate(public_key_pem(self.paths)),
        }
        return Gateway.model_validate({**usual, **changes})

    async def bring(
        self, gateway: Gateway | None, state: GatewayState, drain_seconds: float = 3600.0
    ) -> ReconcileResult:
        """Want `gateway` and wait until the machine is in `state` about it."""
        self._revision += 1
        self.reconciler.set_desired(
            Assignment(revision=self._revision, gateway=gateway, drain_seconds=drain_seconds)
        )
        return await self.found(state)

    async def found(self, state: GatewayState) -> ReconcileResult:
        """Wait until the machine is in `state` about the latest assignment.

        Where much else runs, Envoy may not be ready or say its version in time. A gateway that is
        new is given up then, and wanted again as by whoever asked for it.
        """
        late = LATE if state is GatewayState.FAILED else (*LATE, SILENT)
        async with asyncio.timeout(4 * PATIENCE_SECONDS):
            while True:
                outcome = await self.outcomes.get()
                if outcome.revision != self._revision:
                    continue
                wanted = self.reconciler.kept.current
                if wanted and any(each in outcome.reason for each in late):
                    self._revision += 1
                    again = wanted.model_copy(update={"revision": self._revision})
                    self.reconciler.set_desired(again)
                elif outcome.state is state:
                    return outcome

    def know(self, *tenants: Tenant) -> None:
        """Have the directory hold exactly `tenants`."""
        revision = self.directory.revision + 1
        self.directory.apply(DirectoryChange(from_revision=0, revision=revision, tenants=tenants))

    def kill_envoy(self) -> None:
        """Kill Envoy the hard way."""
        assert self.envoys.pid is not None
        os.kill(self.envoys.pid, signal.SIGKILL)


class EmptyGateway:
    """Carries nothing, so that nobody has too much."""

    live_tunnels = 0

    def is_full(self, _address: str) -> bool:
        """Nobody has as many connections as one may have."""
        return False


class ScriptedPacer:
    """A shaper that slows as the test says, and notes whom."""

    def __init__(self, limit_bytes: int | None) -> None:
        self.limit_bytes = limit_bytes
        self.rates: dict[str, int] = {}
        """Of each connection that was slowed."""
        self.problem: UnavailableError | None = None
        """Why no connection can be slowed."""
        self.blindness: UnavailableError | None = None
        """Why nothing can be seen of tunnels that end."""

    def limit_of(self, _: UUID) -> int | None:
        """The same for all."""
        return self.limit_bytes

    def slow(self, client: str, rate_bytes: int) -> str:
        """Note it."""
        if self.problem:
            raise self.problem
        self.rates[client] = rate_bytes
        return client

    def take_in_news(self, _: UUID) -> None:
        """There are none."""
        if self.blindness:
            raise self.blindness

    def make_room(self, _: UUID) -> None:
        """There is room."""


@asynccontextmanager
async def running_machine(
    state: Path,
    authority: Authority,
    open_endpoints: Callable[[StatePaths], LocalEndpoints] = UnixEndpoints,
) -> AsyncIterator[Machine]:
    """A machine for one test."""
    paths = state_paths(state)
    paths.make_folders()
    machine = Machine(paths, authority, open_endpoints(paths))
    await machine.start()
    try:
        yield machine
    finally:
        await machine.stop()


def _has_run(record: JobRecord, times: int) -> bool:
    return record.runs >= times


async def fill(writers: Sequence[asyncio.StreamWriter]) -> None:
    """Feed each until nothing more of it is taken, by whatever stands on the way to its reader."""
    for each in writers:
        each.transport.set_write_buffer_limits(high=0)
        each.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    data = bytes(512 * 1024)
    held: list[int] = []
    while (now := _waiting_bytes(writers)) != held or not all(now):
        hungry = [each for each in writers if not each.transport.get_write_buffer_size()]
        for each in hungry:
            each.write(data)
        held = _waiting_bytes(writers)
        # Only of what was full before can be said that nothing of it is taken any more.
        await asyncio.sleep(0.05 if hungry else 0.5)


def _waiting_bytes(writers: Sequence[asyncio.StreamWriter]) -> list[int]:
    return [each.transport.get_write_buffer_size() for each in writers]


def resident_kib(pid: int) -> int:
    """What a process has of the machine's memory."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmRSS:"))


async def access_lines(path: Path, count: int) -> list[dict[str, object]]:
    """The log's lines, once there are `count`: Envoy writes them once a second."""

    def lines() -> list[str]:
        return path.read_text().splitlines()

    await until_async(lambda: len(lines()) >= count, said=lines)
    return [json.loads(line) for line in lines()]
