"""Envoy's administration, asked by several at once: is each connection closed in the end?"""

import asyncio
from pathlib import Path

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.state.paths import StatePaths
from tests.support.waiting import until_async

LIVE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nLIVE\n"


class Administration:
    """One that answers whether it is ready when the test says so, and hangs up otherwise."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        asked = await reader.readuntil(b"\r\n\r\n")
        if asked.startswith(b"GET /ready"):
            await self.may_answer.wait()
            writer.write(LIVE)
            await reader.read()
        writer.close()
        self.open -= 1


@pytest.mark.anyio
async def test_who_is_answered_after_another_had_no_answer_leaves_no_connection(
    tmp_path: Path,
) -> None:
    paths, envoy = StatePaths(tmp_path, tmp_path), Administration()
    server = await asyncio.start_unix_server(envoy.serve, paths.admin_socket(""))
    admin = AdminClient(UnixEndpoints(paths))
    ready = asyncio.create_task(admin.is_ready())
    await until_async(lambda: envoy.open == 1)
    with pytest.raises(UnavailableError, match="does not answer"):
        await admin.reopen_logs()
    assert envoy.open == 1
    envoy.may_answer.set()
    assert await ready
    await until_async(lambda: envoy.open == 0)
    server.close()
