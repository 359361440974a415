"""Do clients by a name and by a Unix socket do what they should, whatever the other end does?"""

import ast
import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cloudgate.network.http_transport import (
    AsyncDiallingTransport,
    AsyncUnixTransport,
    DiallingTransport,
)
from tests.support.machine.loops import UVLOOP
from tests.support.project.source import nodes
from tests.support.serving import answering
from tests.support.waiting import PATIENCE_SECONDS

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@pytest.fixture
def anyio_backend() -> object:
    return UVLOOP


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        listening.setblocking(False)
        yield listening


def client(path: Path, seconds: float = PATIENCE_SECONDS) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=AsyncUnixTransport(path), base_url="http://envoy", timeout=seconds
    )


async def asked(listener: socket.socket) -> socket.socket:
    """The other end of a connection by which something was asked."""
    loop = asyncio.get_running_loop()
    peer, _ = await loop.sock_accept(listener)
    assert (await loop.sock_recv(peer, 4096)).startswith(b"GET / HTTP/1.1\r\n")
    return peer


@pytest.mark.anyio
async def test_a_request_that_is_cancelled_as_its_answer_comes_is_no_error_of_the_loop(
    tmp_path: Path, listener: socket.socket
) -> None:
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, error: errors.append(error))
    async with client(tmp_path / "s") as envoy:
        asking = asyncio.create_task(envoy.get("/"))
        with await asked(listener) as peer:
            peer.send(ANSWER)
            asking.cancel()
            await asyncio.wait([asking])
            assert asking.cancelled()
    assert errors == []


@pytest.mark.anyio
async def test_one_that_is_given_up_while_tls_begins_leaves_no_connection() -> None:
    loop = asyncio.get_running_loop()
    transport = AsyncDiallingTransport(ssl.create_default_context())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        async with httpx2.AsyncClient(transport=transport) as client:
            asking = asyncio.create_task(client.get(url))
            peer, _ = await loop.sock_accept(listening)
            with peer:
                assert await loop.sock_recv(peer, 4096)
                asking.cancel()
                await asyncio.wait([asking])
                assert asking.cancelled()
                async with asyncio.timeout(PATIENCE_SECONDS):
                    assert await loop.sock_recv(peer, 4096) == b""


@pytest.mark.anyio
async def test_who_has_hung_up_since_is_dialled_again(
    tmp_path: Path, listener: socket.socket
) -> None:
    async with client(tmp_path / "s") as envoy:
        for _ in range(2):
            asking = asyncio.create_task(envoy.get("/"))
            with await asked(listener) as peer:
                peer.send(ANSWER)
                assert (await asking).text == "ok"


@pytest.mark.anyio
async def test_nobody_and_silence_are_told_apart(tmp_path: Path, listener: socket.socket) -> None:
    async with client(tmp_path / "other") as envoy:
        with pytest.raises(httpx2.ConnectError, match="No such file"):
            await envoy.get("/")
    async with client(tmp_path / "s", 0.05) as envoy:
        with pytest.raises(httpx2.ReadTimeout):
            await envoy.get("/")


def test_no_other_client_goes_by_a_socket() -> None:
    found = [
        name
        for name, inside in nodes().items()
        if any(isinstance(each, ast.keyword) and each.arg == "uds" for each in inside)
    ]
    assert found == ["network/http_transport.py"]


CLIENTS = ("httpx2.get", "httpx2.post", "httpx2.stream", "httpx2.Client", "httpx2.AsyncClient")


def test_whoever_calls_says_which_way_whatever_proxies_the_environment_has() -> None:
    calls = {
        f"{name}:{each.lineno}": {said.arg for said in each.keywords}
        for name, inside in nodes().items()
        for each in inside
        if isinstance(each, ast.Call) and ast.unparse(each.func) in CLIENTS
    }
    assert calls
    # None is of settings that are made elsewhere, where it is said.
    says = {"trust_env", "transport", None}
    assert [place for place, said in calls.items() if not said & says] == []


def test_threads_of_one_client_wait_for_no_place_while_others_are_answered_slowly() -> None:
    together = threading.Barrier(30)

    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            together.wait(PATIENCE_SECONDS)
            self.wfile.write(ANSWER)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    transport = DiallingTransport(ssl.create_default_context())
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server,
        answering(server),
        httpx2.Client(transport=transport, timeout=PATIENCE_SECONDS) as client,
        ThreadPoolExecutor(together.parties) as threads,
    ):
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        answers = list(threads.map(client.get, [url] * together.parties))
    assert [each.text for each in answers] == ["ok"] * together.parties
