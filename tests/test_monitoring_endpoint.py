"""Do those who ask nothing take no place from those who watch?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from cloudgate.monitoring import endpoint
from cloudgate.monitoring.health import Health

pytestmark = pytest.mark.anyio


@pytest.fixture
async def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(endpoint, "LOOK_SECONDS", 0.2)
    listener = endpoint.listen("127.0.0.1:0")
    monitoring = endpoint.Monitoring(Health({}), {})
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
