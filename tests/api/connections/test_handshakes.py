"""Does a crowd that comes at once keep others from speaking to the manager over TLS?"""

import asyncio
import socket

import pytest

from cloudgate.api.connections.tls_handshakes import Handshakes, wait_for_bytes

pytestmark = pytest.mark.anyio
CROWD, OTHER = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_addresses_have_their_handshakes_in_turn_and_one_at_a_time() -> None:
    handshakes, began, under_way = Handshakes(), list[str](), 0

    async def handshake(address: str) -> str:
        nonlocal under_way
        under_way += 1
        assert under_way == 1
        began.append(address)
        await asyncio.sleep(0)
        under_way -= 1
        return address

    async def make(address: str) -> str:
        return await handshakes.make(address, handshake(address))

    crowd = [asyncio.create_task(make(CROWD)) for _ in range(50)]
    await asyncio.sleep(0)
    assert await asyncio.create_task(make(OTHER)) == OTHER
    assert began.index(OTHER) <= 3
    assert set(await asyncio.gather(*crowd)) == {CROWD}


async def test_who_does_not_answer_keeps_nobody_waiting() -> None:
    handshakes = Handshakes()
    silent = [asyncio.create_task(handshakes.make(CROWD, asyncio.Event().wait())) for _ in range(3)]
    assert await handshakes.make(OTHER, asyncio.sleep(0, "made")) == "made"
    for each in silent:
        each.cancel()
    await asyncio.gather(*silent, return_exceptions=True)
    assert await handshakes.make(CROWD, asyncio.sleep(0, "made")) == "made"


async def test_a_handshake_that_fails_is_the_callers_and_the_next_one_has_its_turn() -> None:
    handshakes = Handshakes()

    async def fails() -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await handshakes.make(CROWD, fails())
    assert await handshakes.make(CROWD, asyncio.sleep(0, "made")) == "made"


async def test_who_goes_while_waiting_leaves_the_line() -> None:
    handshakes, go_on = Handshakes(), asyncio.Event()
    first = asyncio.create_task(handshakes.make(CROWD, go_on.wait()))
    await asyncio.sleep(0)
    left = asyncio.create_task(handshakes.make(CROWD, asyncio.sleep(0, "never")))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    go_on.set()
    assert await first
    assert await handshakes.make(OTHER, asyncio.sleep(0, "made")) == "made"


async def test_nothing_begins_before_something_was_said() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        waiting = asyncio.create_task(wait_for_bytes(here))
        await asyncio.sleep(0)
        assert not waiting.done()
        there.send(b"\x16")
        await waiting
        assert here.recv(1) == b"\x16"
