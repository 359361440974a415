"""Is every request answered in the same words, whichever way tunnels go through Envoy?

Random requests, the same in each run; `CLOUDGATE_REQUESTS` says how many, for a longer look.
"""

import asyncio
import base64
import os
import random
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from cloudgate.host.envoy.data_path.choice import VARIABLE, Way
from cloudgate.protocol import GatewayState
from data_path.build import compiler
from tests.host.support import PASSWORD, Authority, Machine, running_machine, tenant
from tests.support.ports import free_port

REQUESTS = int(os.environ.get("CLOUDGATE_REQUESTS", "250"))
AT_ONCE = 8
QUIET_SECONDS = 30.0
LONGEST = 60 * 1024
TWICE = ("400", "431")
"""What is malformed and too large is refused as the one or the other, by the pieces it comes in."""
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler"),
    pytest.mark.timeout(60 + REQUESTS),
]

GOOD = f"Basic {base64.b64encode(f'acme:{PASSWORD}'.encode()).decode()}"
FIRST = (
    *("CONNECT repo.example:443 HTTP/1.1",) * 6,
    *("CONNECT repo.example:443 HTTP/1.0",) * 3,
    "CONNECT REPO.example.:443 HTTP/1.1",
    "CONNECT dead.example:443 HTTP/1.1",
    "CONNECT other.example:443 HTTP/1.1",
    "CONNECT repo.example:0443 HTTP/1.1",
    "CONNECT repo.example:99999 HTTP/1.1",
    "CONNECT repo.example HTTP/1.1",
    "CONNECT repo.example: HTTP/1.1",
    "CONNECT .:443 HTTP/1.1",
    "CONNECT -a..b:443 HTTP/1.1",
    "CONNECT re_po.example:443 HTTP/1.1",
    "CONNECT [::1]:443 HTTP/1.1",
    "CONNECT [::1:443 HTTP/1.1",
    "CONNECT [1.2.3.4]:443 HTTP/1.1",
    "CONNECT a@repo.example:443 HTTP/1.1",
    "CONNECT http://repo.example:443 HTTP/1.1",
    "CONNECT  repo.example:443 HTTP/1.1",
    "CONNECT repo.example:443 HTTP/1.2",
    "CONNECT repo.example:443 HTTP/2.0",
    "CONNECT repo.example:443",
    "connect repo.example:443 HTTP/1.1",
    "GET / HTTP/1.1",
    "GET http://repo.example/ HTTP/1.1",
    "OPTIONS * HTTP/1.1",
)
LOGINS = (
    *(f"Proxy-Authorization: {GOOD}",) * 8,
    f"proxy-authorization:{GOOD}",
    f"Proxy-Authorization:   {GOOD.replace('Basic', 'bAsIc')}  ",
    "Proxy-Authorization: Basic",
    "Proxy-Authorization: Bearer abc",
    "Proxy-Authorization: Basic !!!",
    "Proxy-Authorization:",
    f"Authorization: {GOOD}",
    "",
)
OTHERS = (
    *("Host: repo.example:443",) * 4,
    "User-Agent: restic",
    "Proxy-Connection: Keep-Alive",
    "Host: elsewhere.example",
    "Host:",
    "Host: a b",
    "Host: \u00e4",
    "Connection: close",
    "Connection: keep-alive",
    "Connection: Proxy-Authorization",
    "Proxy-Connection: close",
    "Content-Length: 0",
    "Content-Length: 5",
    "Transfer-Encoding: chunked",
    "Transfer-Encoding: gzip",
    "Upgrade: websocket",
    "Expect: 100-continue",
    "TE: trailers",
    "X-Forwarded-For: 192.0.2.1",
    "x-cloudgate-cluster: requests",
    "x-envoy-original-dst-host: 127.0.0.1:22",
    " folded: yes",
    "no colon",
    "Na me: x",
    "X: \x01",
    "X: \u00ff",
    f"X: {'x' * 9000}",
    f"X: {'x' * 70000}",
)
ENDS = ("\r\n",) * 60 + ("\n", "\r")


@dataclass(frozen=True)
class Answer:
    """All that came of a request, without what each answer has of its own."""

    head: str
    body: str
    echoed: bool


def some_request(chance: random.Random) -> bytes:
    """One that somebody could send; most are well formed."""
    others = [chance.choice(OTHERS) for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))]
    lines = [chance.choice(LOGINS), *others, *([chance.choice(LOGINS)] * (chance.random() < 0.03))]
    chance.shuffle(lines)
    if chance.random() < 0.02:
        lines += [f"X-{number}: y" for number in range(chance.choice((60, 63, 64, 99, 101)))]
    whole = [chance.choice(FIRST), *(line for line in lines if line), ""]
    text = "".join(line + chance.choice(ENDS) for line in whole)
    return text.encode("latin-1")


@pytest.fixture
async def both(
    tmp_path: Path,
    authority: Authority,
    repository_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[dict[Way, tuple[Machine, int]]]:
    """A gateway for each way, with the same tenants and repository."""
    async with AsyncExitStack() as stack:
        found = {}
        known = tenant(repository_port)
        for way in Way:
            monkeypatch.setenv(VARIABLE, way)
            machine = await stack.enter_async_context(running_machine(tmp_path / way, authority))
            machine.know(known)
            port = free_port()
            await machine.bring(machine.gateway(port), GatewayState.LISTENING)
            assert machine.envoy.data_path.way is way
            found[way] = machine, port
        yield found


async def answer(port: int, context: ssl.SSLContext, request: bytes) -> Answer:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    try:
        writer.write(request)
        async with asyncio.timeout(QUIET_SECONDS):
            head = await _until_empty_line(reader)
            if b" 200 " in head:
                writer.write(b"ping")
                return Answer(_without_date(head), "", await reader.readexactly(4) == b"ping")
            length = re.search(rb"content-length: (\d+)", head)
            body = await reader.readexactly(int(length[1]) if length else 0)
            return Answer(_without_date(head), body.decode(), echoed=False)
    finally:
        writer.transport.abort()


async def _until_empty_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial  # hung up on, without a word


def _without_date(head: bytes) -> str:
    return re.sub(r"date: .*\r\n", "", head.decode())


async def test_both_ways_give_the_same_answers(
    both: dict[Way, tuple[Machine, int]], authority: Authority
) -> None:
    chance = random.Random(4711)
    context = ssl.create_default_context(cadata=authority.pem)
    turns = asyncio.Semaphore(AT_ONCE)
    statuses = set()

    async def compare(request: bytes) -> None:
        async with turns:
            found = {way: await answer(port, context, request) for way, (_, port) in both.items()}
            if len(request) > LONGEST and all(each.head[9:12] in TWICE for each in found.values()):
                return
            assert found[Way.MODULE] == found[Way.HTTP], request[:500]
            statuses.add(found[Way.HTTP].head[9:12])

    async with asyncio.TaskGroup() as group:
        for _ in range(REQUESTS):
            group.create_task(compare(some_request(chance)))
    assert {"200", "400", "403", "404", "407", "503"} <= statuses


@pytest.mark.parametrize("request_line", ["GET / HTTP/1.1", "CONNECT repo.example:443 HTTP/1.1"])
async def test_both_ways_end_a_connection_in_order_after_their_last_word(
    both: dict[Way, tuple[Machine, int]], authority: Authority, request_line: str
) -> None:
    context = ssl.create_default_context(cadata=authority.pem)
    for _, port in both.values():
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )
        writer.write(f"{request_line}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(QUIET_SECONDS):
            assert (await reader.read()).endswith(b"\n")  # and no reset
        writer.close()
