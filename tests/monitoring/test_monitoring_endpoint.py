"""Do those who ask nothing, or much, take no place from those who watch?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from cloudgate.errors import CloudgateError
from cloudgate.monitoring import endpoint
from cloudgate.monitoring.health import Health
from cloudgate.network.waiting_requests import MOST_WAITING

pytestmark = pytest.mark.anyio


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(endpoint, "LOOK_SECONDS", 0.2)
    async with served(endpoint.Monitoring(Health({}), {})) as there:
        yield there


@asynccontextmanager
async def served(monitoring: endpoint.Monitoring) -> AsyncIterator[int]:
    """At a port."""
    listener = endpoint.listen("127.0.0.1:0")
    serving = asyncio.ensure_future(endpoint.serve(monitoring, listener))
    yield listener.getsockname()[1]
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


@pytest.mark.parametrize("said", ["", "GET /livez HTT", "GET /livez HTTP/1.1\r\n\r\nGET /li"])
async def test_who_asks_nothing_is_hung_up_on(port: int, said: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(said.encode())
    async with asyncio.timeout(30):
        with suppress(ConnectionResetError):
            await reader.read()
    writer.close()


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("localhost:9397", 200),
        ("LOCALHOST", 200),
        ("127.0.0.1:9397", 200),
        ("127.9.9.9", 200),
        ("[::1]:9397", 200),
        ("", 200),
        ("evil.example:9397", 421),
        ("localhost.evil.example", 421),
        ("192.0.2.1", 421),
    ],
)
async def test_a_page_of_another_site_that_has_its_name_lead_here_reads_nothing(
    port: int, name: str, status: int
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    version = "1.1" if name else "1.0"
    host = f"Host: {name}\r\n" if name else ""
    writer.write(f"GET /livez HTTP/{version}\r\n{host}Connection: close\r\n\r\n".encode())
    async with asyncio.timeout(30):
        answer = await reader.read()
    writer.close()
    assert f" {status} " in answer.decode().splitlines()[0]


async def test_however_many_ask_one_page_is_made_at_a_time_and_none_before_the_question() -> None:
    begun, is_begun, let_go = 0, asyncio.Event(), asyncio.Event()

    async def document(_: str) -> tuple[list[bytes], str]:
        nonlocal begun
        begun += 1
        mine = begun
        is_begun.set()
        await let_go.wait()
        return [f"{mine}".encode()], "text/plain"

    monitoring = endpoint.Monitoring(Health({}), {"metrics": document})

    async def ask() -> bytes:
        answer = await monitoring.answer("metrics", {})
        assert answer is not None
        return answer.body

    first = asyncio.ensure_future(ask())
    await is_begun.wait()
    others = [asyncio.ensure_future(ask()) for _ in range(50)]
    gone = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    gone.cancel()
    let_go.set()
    async with asyncio.timeout(30):
        assert await first == b"1"
        assert {await each for each in others} == {b"2"}
        assert await ask() == b"3"


async def test_a_page_that_could_not_be_made_is_tried_anew() -> None:
    problems = [ValueError("once")]

    async def document(_: str) -> tuple[list[bytes], str]:
        if problems:
            raise problems.pop()
        return [b"well"], "text/plain"

    monitoring = endpoint.Monitoring(Health({}), {"metrics": document})
    with pytest.raises(ValueError, match="once"):
        await monitoring.answer("metrics", {})
    answer = await monitoring.answer("metrics", {})
    assert answer is not None
    assert answer.body == b"well"


@pytest.mark.parametrize("where", ["9397", "127.0.0.1:", "127.0.0.1:²", "127.0.0.1:" + "9" * 5000])
def test_an_address_that_is_none_is_refused_with_an_example(where: str) -> None:
    with pytest.raises(CloudgateError, match=r"expected ADDRESS:PORT, such as 127\.0\.0\.1:9397"):
        endpoint.listen(where)


async def test_who_asks_without_end_is_hung_up_on_before_it_fills_the_memory(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n")
    line = b"X-Much: " + b"a" * 8000 + b"\r\n"
    async with asyncio.timeout(30):
        with suppress(ConnectionError):
            for _ in range(10_000):
                writer.write(line)
                await writer.drain()
            pytest.fail("80 MB of headers were taken")
        with suppress(ConnectionError):
            assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize("waiting", [MOST_WAITING, MOST_WAITING + 1, 3_000])
async def test_few_questions_wait_behind_one_and_who_asks_more_at_once_is_hung_up_on(
    waiting: int,
) -> None:
    is_begun, let_go = asyncio.Event(), asyncio.Event()

    async def document(_: str) -> tuple[list[bytes], str]:
        is_begun.set()
        await let_go.wait()
        return [b"well"], "text/plain"

    monitoring = endpoint.Monitoring(Health({}), {"metrics": document})
    async with served(monitoring) as port, asyncio.timeout(30):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\n\r\n" + b"GET / HTTP/1.1\r\n\r\n" * waiting)
        await is_begun.wait()
        if waiting > MOST_WAITING:
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
            let_go.set()
        else:
            let_go.set()
            assert (await reader.readuntil(b"well")).startswith(b"HTTP/1.1 200 ")
            for _ in range(waiting):
                assert b" 404 " in await reader.readuntil(b"/metrics.\n")
        writer.close()


async def test_who_asks_much_at_once_is_hung_up_on_unread(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    much = b"a:\r\n" * (endpoint.MOST_ASKED_BYTES // 3)
    writer.write(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + much + b"\r\n")
    async with asyncio.timeout(30):
        with suppress(ConnectionResetError):
            assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    ("said", "is_small"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("x-gzip", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, identity", False),
        ("notgzip", False),
    ],
)
async def test_gzip_is_for_who_takes_it(said: str, is_small: bool) -> None:
    async def document(_: str) -> tuple[list[bytes], str]:
        return [b"a" * 2500] * 2, "text/plain"

    monitoring = endpoint.Monitoring(Health({}), {"metrics": document})
    answer = await monitoring.answer("metrics", {"accept-encoding": said})
    assert answer is not None
    assert ("Content-Encoding" in answer.headers) is is_small
    assert (len(answer.body) < 5000) is is_small
