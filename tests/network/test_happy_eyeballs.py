"""Is a name's living address found beside dead ones, soon, and remembered?"""

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.manager.certificates.acme_dialling import DiallingAdapter
from cloudgate.network.happy_eyeballs import (
    FAILED_SECONDS,
    KEPT,
    WORKED_SECONDS,
    AddressHistory,
    best_address,
    connect_to,
    interleaved,
)
from cloudgate.network.http_transport import AsyncDiallingTransport, DiallingTransport
from tests.support.certificates.authority import Authority
from tests.support.ports import silent
from tests.support.serving import answering
from tests.support.waiting import PATIENCE_SECONDS

V6, V4 = ["2001:db8::1", "2001:db8::2"], ["192.0.2.1", "192.0.2.2"]


def test_the_families_take_turns_and_the_first_decides_which_begins() -> None:
    assert interleaved([*V6, *V4]) == [V6[0], V4[0], V6[1], V4[1]]
    assert interleaved([V4[0], *V6]) == [V4[0], *V6]
    assert interleaved([]) == []


@given(st.lists(st.ip_addresses().map(str)))
def test_no_address_is_lost_and_none_of_a_family_overtakes_another(listed: list[str]) -> None:
    found = interleaved(listed)
    assert sorted(found) == sorted(set(listed))
    for version in (4, 6):
        kept = [each for each in dict.fromkeys(listed) if ip_address(each).version == version]
        assert [each for each in found if ip_address(each).version == version] == kept
    assert found[:1] == listed[:1]


def test_what_worked_comes_first_and_what_failed_last_for_a_while() -> None:
    now = 1000.0
    known = AddressHistory(lambda: now)
    known.record(V6[0], 443, worked=False)
    known.record(V4[1], 443, worked=True)
    assert known.in_order([*V6, *V4], 443) == [V4[1], V4[0], V6[1], V6[0]]
    assert known.in_order([*V6, *V4], 444) == interleaved([*V6, *V4])
    now += FAILED_SECONDS
    assert known.in_order([*V6, *V4], 443) == [V4[1], V6[0], V4[0], V6[1]]
    now += WORKED_SECONDS
    assert known.in_order([*V6, *V4], 443) == interleaved([*V6, *V4])


def test_only_so_much_is_remembered() -> None:
    known = AddressHistory()
    known.record(V4[1], 1, worked=True)
    for port in range(KEPT):
        known.record(V4[0], port, worked=True)
    assert known.in_order(V4, 1) == V4


@contextmanager
def alive(address: str, port: int = 0) -> Iterator[int]:
    """A port that takes connections."""
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(64)
        yield listening.getsockname()[1]


def test_an_address_that_is_dead_or_silent_costs_a_moment_once() -> None:
    known = AddressHistory()

    async def dialled(*addresses: str) -> str:
        async with asyncio.timeout(PATIENCE_SECONDS):
            found, connection = await connect_to(addresses, port, known)
        connection.close()
        return found

    with alive("127.0.0.4") as port, silent("127.0.0.2", port):
        listed = ("127.0.0.2", "127.0.0.3", "127.0.0.4")
        assert asyncio.run(dialled(*listed)) == "127.0.0.4"
        assert known.in_order(listed, port)[0] == "127.0.0.4"
    with pytest.raises(ConnectionRefusedError):
        asyncio.run(dialled("127.0.0.3", "127.0.0.4"))


class Greeter(BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *said: object) -> None:
        """Nothing."""


def certified(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """An authority, and a server's context with a certificate for name.example."""
    authority = Authority()
    file = folder / "ca.pem"
    file.write_text(authority.pem)
    return file, authority.server_context(folder, "name.example")


def lead(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Have all names lead to these."""
    usual = socket.getaddrinfo

    def listed(host: str, port: int, *more: int, **others: int) -> list[object]:
        named = [host] if host[0].isdigit() else addresses
        return [found for each in named for found in usual(each, port, *more, **others)]

    monkeypatch.setattr(socket, "getaddrinfo", listed)


def test_clients_that_block_find_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    lead(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.4")
    with alive("127.0.0.4") as port, silent("127.0.0.2", port):
        assert best_address("name.example", port, PATIENCE_SECONDS) == "127.0.0.4"


async def said_to_asyncio(url: str, trusting: ssl.SSLContext) -> str:
    async with httpx2.AsyncClient(
        transport=AsyncDiallingTransport(trusting), timeout=PATIENCE_SECONDS
    ) as client:
        return (await client.get(url)).text


def test_http_clients_reach_a_server_by_the_address_that_lives(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lead(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.4")
    file, context = certified(tmp_path)
    server = ThreadingHTTPServer(("127.0.0.4", 0), Greeter)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    port = server.server_address[1]
    with answering(server), silent("127.0.0.2", port):
        url = f"https://name.example:{port}/"
        trusting = ssl.create_default_context(cafile=str(file))
        with httpx2.Client(
            transport=DiallingTransport(trusting), timeout=PATIENCE_SECONDS
        ) as client:
            assert client.get(url).text == "hello"
        with requests.Session() as session:
            session.trust_env = False
            session.mount("https://", DiallingAdapter(url))
            answer = session.get(url, verify=str(file), timeout=PATIENCE_SECONDS)
            assert answer.text == "hello"
        assert asyncio.run(said_to_asyncio(url, trusting)) == "hello"
