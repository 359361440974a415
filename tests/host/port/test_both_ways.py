"""Is every request answered in the same words, whichever way tunnels go through Envoy?

Random requests, in pieces, with data behind some of them, the same in each run; for a longer look
`CLOUDGATE_REQUESTS` says how many, and `CLOUDGATE_SEED` which. What is counted and written down of
them is compared, too.
"""

import asyncio
import base64
import os
import random
import re
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TextIO

import pytest

from cloudgate.host.access_log.record import AccessRecord, RecordType, parse_record
from cloudgate.host.envoy.data_path.choice import VARIABLE, DataPathKind
from cloudgate.protocol import GatewayState
from data_path.build import compiler
from tests.support.certificates.authority import Authority
from tests.support.ports import free_port
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant import PASSWORD, tenant

REQUESTS = int(os.environ.get("CLOUDGATE_REQUESTS", "1000"))
SEED = int(os.environ.get("CLOUDGATE_SEED", "4711"))
AT_ONCE = 128
"""So many wait at once; much of what is malformed is answered after ten seconds only."""
QUIET_SECONDS = 60.0
LONGEST = 60 * 1024
RESET = struct.pack("ii", 1, 0)
"""Of SO_LINGER: that a connection is closed by a reset, which leaves nothing to wait for."""
TWICE = ("400", "431")
"""What is malformed and too large is refused as the one or the other, by the pieces it comes in."""
LOST = "(ConnectionResetError"
"""How an answer begins that the client may have lost: it came together with the end of its
connection, while the client had no processor. Once in 480,000 requests."""
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler"),
    pytest.mark.timeout(240 + REQUESTS // 5),
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
class Request:
    """What somebody sends."""

    head: bytes
    behind: bytes
    """Sent along with it."""
    cuts: tuple[float, ...]
    """Where it is cut into pieces, each as a part of it."""

    @property
    def pieces(self) -> list[bytes]:
        """What is sent, in turn."""
        whole = self.head + self.behind
        at = [0, *sorted(int(each * len(whole)) for each in self.cuts), len(whole)]
        return [whole[begin:end] for begin, end in pairwise(at) if begin < end]


@dataclass(frozen=True)
class Answer:
    """All that came of a request, without what each answer has of its own."""

    head: str
    body: str
    echoed: bool


@dataclass
class NotedRequests:
    """What a gateway has noted of requests."""

    tunnels: list[tuple[object, ...]]
    """What the last line of each says that is counted."""
    refused: dict[str, int]


def some_request(chance: random.Random) -> Request:
    """One that somebody could send; most are well formed."""
    others = [chance.choice(OTHERS) for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))]
    lines = [chance.choice(LOGINS), *others, *([chance.choice(LOGINS)] * (chance.random() < 0.03))]
    chance.shuffle(lines)
    if chance.random() < 0.02:
        lines += [f"X-{number}: y" for number in range(chance.choice((60, 63, 64, 99, 101)))]
    whole = [chance.choice(FIRST), *(line for line in lines if line), ""]
    text = "".join(line + chance.choice(ENDS) for line in whole)
    behind = b"" if chance.random() < 0.7 else chance.randbytes(chance.choice((1, 40, 3000)))
    cuts = tuple(chance.random() for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 5))))
    return Request(text.encode("latin-1"), behind, cuts)


@pytest.fixture
async def both(
    tmp_path: Path,
    authority: Authority,
    repository_port: int,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[dict[DataPathKind, tuple[Machine, int]]]:
    """A gateway for each way, with the same tenants and repository."""
    async with AsyncExitStack() as stack:
        found = {}
        known = tenant(repository_port)
        for way in DataPathKind:
            monkeypatch.setenv(VARIABLE, way)
            machine = await stack.enter_async_context(running_machine(tmp_path / way, authority))
            machine.know(known)
            port = free_port()
            await machine.bring(machine.gateway(port), GatewayState.LISTENING)
            assert machine.envoy.data_path.way is way
            found[way] = machine, port
        yield found


async def answer(
    port: int, context: ssl.SSLContext, request: Request, clients: Counter[str], own_port: int = 0
) -> Answer:
    """What it says; of a tunnel, its own address and port is added to `clients`."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1",
        port,
        ssl=context,
        server_hostname="localhost",
        local_addr=("127.0.0.1", own_port),
    )
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            for each in request.pieces:
                writer.write(each)
                await asyncio.sleep(0)
            head = said = await _until_empty_line(reader)
            while b" 100 " in said.partition(b"\r\n")[0]:  # and then what it has to say
                said = await _until_empty_line(reader)
                head += said
            if b" 200 " in said:
                clients["{}:{}".format(*writer.get_extra_info("sockname"))] += 1
                writer.write(b"ping")
                expected = request.behind + b"ping"
                came = await reader.readexactly(len(expected))
                return Answer(_without_date(head), "", echoed=came == expected)
            length = re.search(rb"content-length: (\d+)", said)
            body = await reader.readexactly(int(length[1]) if length else 0)
            return Answer(_without_date(head), body.decode(), echoed=False)
    except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
        return Answer(f"({error!r})", "", echoed=False)
    finally:
        if own_port:  # it can be had again at once
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def _until_empty_line(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial  # hung up on, without a word


def _without_date(head: bytes) -> str:
    return re.sub(r"date: .*\r\n", "", head.decode())


async def test_both_ways_give_the_same_answers_and_note_the_same(
    both: dict[DataPathKind, tuple[Machine, int]],
) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # others look at it
    statuses: Counter[str] = Counter()
    clients: dict[DataPathKind, Counter[str]] = {way: Counter() for way in both}
    different: list[tuple[Request, dict[DataPathKind, Answer]]] = []
    chance = random.Random(SEED)
    requests = (some_request(chance) for _ in range(REQUESTS))

    async def ask_both(request: Request) -> dict[DataPathKind, Answer]:
        given = await asyncio.gather(
            *(answer(port, context, request, clients[way]) for way, (_, port) in both.items())
        )
        return dict(zip(both, given, strict=True))

    async def go_on() -> None:
        for request in requests:
            found = await ask_both(request)
            if any(each.head.startswith(LOST) for each in found.values()):
                found = await ask_both(request)
            twice = all(each.head[9:12] in TWICE for each in found.values())
            if found[DataPathKind.MODULE] != found[DataPathKind.HTTP] and not (
                twice and len(request.head) > LONGEST
            ):
                different.append((request, found))
            statuses[found[DataPathKind.HTTP].head[9:12]] += 1

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(go_on())
    assert not different, "\n".join(map(repr, different[:10]))
    assert {"200", "400", "403", "404", "407", "503"} <= statuses.keys()
    noted = {way: await _noted(machine, clients[way]) for way, (machine, _) in both.items()}
    assert noted[DataPathKind.MODULE] == noted[DataPathKind.HTTP]


async def _noted(machine: Machine, clients: Counter[str]) -> NotedRequests:
    ended: Counter[str] = Counter()
    said: list[tuple[object, ...]] = []
    with machine.paths.access_log.open() as log:
        async with asyncio.timeout(QUIET_SECONDS):
            async for record in _ends(log):
                ended[record.client] += 1
                metadata = replace(record.metadata, slot_id="")
                said.append((metadata, record.target, record.bytes_up, record.bytes_down))
                if ended.total() == clients.total():
                    break
    assert ended == clients
    refused = {str(kind): count for kind, count in machine.authorizer.meter.refused.items()}
    return NotedRequests(sorted(said, key=str), refused)


async def _ends(log: TextIO) -> AsyncIterator[AccessRecord]:
    """The last line of each tunnel, as they come."""
    unread = ""
    while True:
        *lines, unread = (unread + log.read()).split("\n")
        for line in lines:
            if (record := parse_record(line)) and record.kind is RecordType.ENDED:
                yield record
        if not lines:
            await asyncio.sleep(0.05)


async def test_who_comes_again_from_the_same_port_is_not_taken_for_who_it_was(
    both: dict[DataPathKind, tuple[Machine, int]], authority: Authority
) -> None:
    context = ssl.create_default_context(cadata=authority.pem)
    plain = f"CONNECT repo.example:443 HTTP/1.1\r\nProxy-Authorization: {GOOD}\r\n"
    requests = [Request(f"{plain}{odd}\r\n".encode(), b"", ()) for odd in ("", "TE: trailers\r\n")]
    for _, port in both.values():
        own_port = free_port()
        for request in requests * 2:
            given = await answer(port, context, request, Counter(), own_port)
            assert (given.head[9:12], given.echoed) == ("200", True)


@pytest.mark.parametrize("request_line", ["GET / HTTP/1.1", "CONNECT repo.example:443 HTTP/1.1"])
async def test_both_ways_end_a_connection_in_order_after_their_last_word(
    both: dict[DataPathKind, tuple[Machine, int]], authority: Authority, request_line: str
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
