"""Does a tenant get in by the connector, whatever becomes of the gateways?"""

import asyncio
import hashlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cloudgate.connector import tls_connection
from cloudgate.connector.balancer import Balancer
from cloudgate.connector.run import Output, run_connector
from cloudgate.connector.socket_options import set_keepalive
from cloudgate.connector.tls_connection import Identity, identity
from cloudgate.connector.tunnel import fetch_discovery_document
from cloudgate.errors import NotAuthenticatedError
from cloudgate.network.hostport import HostPort
from tests.connector.support import Gateways, RunningConnector, until_known
from tests.support.certificates.authority import Authority
from tests.support.running.tenant import PASSWORD
from tests.support.waiting import PATIENCE_SECONDS, until_async

ALLOWED = Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")


@pytest.mark.anyio
async def test_bytes_go_both_ways_and_an_answer_outlives_the_question(
    connected: RunningConnector,
) -> None:
    data = os.urandom(3_000_000)
    assert await connected.echoes(data)
    await until_async(lambda: not connected.ports.traffic.tunnels)
    traffic = connected.ports.traffic
    assert (traffic.bytes_up, traffic.bytes_down) == (len(data), len(data))


@pytest.mark.anyio
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_a_connector_that_waits_for_its_first_gateway(
    who: Identity, number: signal.Signals
) -> None:
    asked = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        silent = HostPort("localhost", server.sockets[0].getsockname()[1])
        told: list[str] = []
        work = asyncio.create_task(
            run_connector(Balancer([silent], who, half_close=False), [], Output(told.append))
        )
        await asked.wait()
        os.kill(os.getpid(), number)
        await work  # a connector that went on would say that nobody answers
    assert told == []


@pytest.mark.alone
@pytest.mark.anyio
async def test_new_tunnels_are_possible_within_two_seconds_though_two_gateways_die_in_a_row(
    connected: RunningConnector, gateways: Gateways
) -> None:
    await until_known(connected, healthy=3, of=3)
    for dying in (0, 1):
        await gateways.lose(dying)
        started = time.monotonic()
        assert await connected.echoes()
        assert time.monotonic() - started < 2
    assert connected.fleet.used == HostPort("localhost", gateways.ports[2])
    await gateways.open(0)
    await until_known(connected, healthy=2, of=3)
    await gateways.lose(2)
    assert await connected.echoes()
    assert connected.fleet.used == HostPort("localhost", gateways.ports[0])


@pytest.mark.anyio
async def test_who_is_not_to_be_trusted_is_told_nothing(
    gateways: Gateways, ca_file: Path, authority: Authority, tmp_path: Path
) -> None:
    address = HostPort("localhost", gateways.ports[0])
    for wrong, complaint in (
        (identity("acme", "wrong", ca_file, None), "does not accept the name acme"),
        (identity("acme", PASSWORD, None, None), "cannot be verified"),
        (identity("acme", PASSWORD, None, "ab" * 32), "is not the one that was given"),
    ):
        with pytest.raises(NotAuthenticatedError, match=complaint):
            await fetch_discovery_document(address, wrong)
    shown = await asyncio.to_thread(ssl.get_server_certificate, ("localhost", gateways.ports[0]))
    found = hashlib.sha256(ssl.PEM_cert_to_DER_cert(shown)).hexdigest()
    document = await fetch_discovery_document(address, identity("acme", PASSWORD, None, found))
    assert [each["Port"] for each in document["Gateways"]] == gateways.ports
    assert "repo.example:443" in document["Targets"]


@pytest.mark.anyio
async def test_the_command_opens_ports_and_shows_nobody_the_password(
    gateways: Gateways, ca_file: Path, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    config = tmp_path / "connector.toml"
    config.write_text(
        f'gateway = "localhost:{gateways.ports[0]}"\ntenant = "acme"\nca = "ca.pem"\n'
        'password_file = "password"\nlisten = ["0:repo.example:443"]\n'
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cloudgate", "connect", "--config", str(config)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        leads = (await process.stdout.readline()).decode()
        assert await process.stdout.readline() == b"ready\n"
    assert leads.endswith(" leads to repo.example:443\n")
    shown = await asyncio.to_thread(Path(f"/proc/{process.pid}/cmdline").read_text)
    assert PASSWORD not in shown
    port = int(leads.split()[0].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    process.send_signal(signal.SIGINT)
    _, said = await process.communicate()
    assert process.returncode == 0, said
    assert PASSWORD.encode() not in said
    with pytest.raises(ConnectionResetError):  # cut, and not ended
        await reader.read()
    writer.close()


@pytest.mark.anyio
@pytest.mark.skipif(b"bbr" not in ALLOWED.read_bytes().split(), reason=f"bbr is not in {ALLOWED}")
async def test_a_line_to_a_gateway_uses_bbr_whatever_is_usual_on_the_machine(
    gateways: Gateways, who: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    def usual(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
        before.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16))
        set_keepalive(connection)
        after.append(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16))

    before: list[bytes] = []
    after: list[bytes] = []
    monkeypatch.setattr(tls_connection, "set_keepalive", usual)
    await fetch_discovery_document(HostPort("localhost", gateways.ports[0]), who)
    assert [name.rstrip(b"\0") for name in before + after] == [b"reno", b"bbr"]
