"""Does an answer that nobody takes hold no connection, and does each tunnel live through that?"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from cloudgate.host.envoy import xds_listener
from cloudgate.host.envoy.xds_listener import AUTHORIZER_SECONDS, STREAM_SECONDS
from cloudgate.network.well_known import WELL_KNOWN
from cloudgate.protocol import GatewayState
from tests.host.port.held_repository import held_repository
from tests.host.port.http2 import CUT, ENDED, Headers, Http2, connect, get
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS

REPO = "repo.example:443"
DATA = b"x" * 100_000
SOON_SECONDS = 1
BOTH_WAYS = True
pytestmark = pytest.mark.anyio


@dataclass
class Setting:
    """A gateway that soon gives up what nobody takes, and a repository."""

    client: Client
    port: int
    came: "asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]"
    opened: list[Http2] = field(default_factory=list)

    async def http2(self, headers: Headers, status: str, *, whole: bool = False) -> Http2:
        """A request that was answered so, of whose answer nothing more is taken."""
        made = await Http2.to(self.port, self.client)
        self.opened.append(made)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await made.request(headers, window_bytes=0, whole=whole) == status
        return made

    async def gives_up(self, headers: Headers, status: str) -> None:
        """Wait until an answer that nobody takes is given up."""
        unread = await self.http2(headers, status, whole=True)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await unread.heard() == (b"", CUT)

    async def stay_silent_for_longer(self) -> None:
        """Let more time go by than an answer has."""
        for _ in range(2):
            await self.gives_up(get("/"), "404")


@pytest.fixture
async def setting(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Setting]:
    monkeypatch.setattr(xds_listener, "STREAM_SECONDS", SOON_SECONDS)
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    async with held_repository() as (repository, came):
        machine.know(tenant(repository))
        made = Setting(client, port, came)
        try:
            yield made
        finally:
            for each in made.opened:
                each.close()


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (get("/"), "404"),
        (get(WELL_KNOWN), "401"),
        (connect(REPO, login=""), "407"),
        (connect("other.example:443"), "403"),
    ],
    ids=["page", "discovery", "no password", "no right"],
)
async def test_an_answer_that_nobody_takes_is_given_up(
    setting: Setting, asked: Headers, status: str
) -> None:
    await setting.gives_up(asked, status)


async def test_a_tunnel_that_is_silent_for_longer_lives(setting: Setting) -> None:
    tunnel = await setting.client.connect(setting.port, REPO)
    assert tunnel.status == 200
    _, of_http1 = await setting.came.get()
    in_http2 = await setting.http2(connect(REPO), "200")
    _, of_http2 = await setting.came.get()
    await setting.stay_silent_for_longer()
    of_http1.write(b"lives")
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await tunnel.reader.readexactly(5) == b"lives"
    in_http2.take(len(DATA))
    of_http2.write(b"lives")
    in_http2.send(b"", last=True)
    of_http2.write_eof()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await in_http2.heard() == (b"lives", ENDED)


async def test_a_tunnel_whose_client_takes_nothing_for_longer_lives(setting: Setting) -> None:
    paused = await setting.http2(connect(REPO), "200")
    _, repository = await setting.came.get()
    repository.write(DATA)
    await setting.stay_silent_for_longer()
    paused.take(len(DATA))
    paused.send(b"", last=True)
    repository.write_eof()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await paused.heard() == (DATA, ENDED)


async def test_what_a_target_sent_before_its_end_waits_for_a_client_that_takes_nothing_for_longer(
    setting: Setting,
) -> None:
    paused = await setting.http2(connect(REPO), "200")
    reader, repository = await setting.came.get()
    paused.send(b"question", last=True)
    assert await reader.read() == b"question"
    repository.write(DATA)
    repository.write_eof()
    await setting.stay_silent_for_longer()
    paused.take(len(DATA))
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await paused.heard() == (DATA, ENDED)


def test_the_authorizer_may_take_its_time() -> None:
    assert STREAM_SECONDS > AUTHORIZER_SECONDS
