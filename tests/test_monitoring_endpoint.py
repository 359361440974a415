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
