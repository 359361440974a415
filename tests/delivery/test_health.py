"""Health of a container: does the service in it say it, whatever the environment names besides?"""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cloudgate.monitoring import endpoint
from cloudgate.monitoring.health import Health
from delivery.image import HEALTH
from tests.support.ports import free_port
from tests.support.serving import answering

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def served(health: Health) -> AsyncIterator[int]:
    """As services of the image say it, at another port than theirs."""
    listener = endpoint.listen("127.0.0.1:0")
    serving = asyncio.ensure_future(endpoint.serve(endpoint.Monitoring(health, {}), listener))
    try:
        yield listener.getsockname()[1]
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@contextmanager
def proxy(status: int) -> Iterator[dict[str, str]]:
    """One that answers everybody itself; the variables by which Docker names it."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    with answering(server):
        yield {name: url for each in ("HTTP_PROXY", "ALL_PROXY") for name in (each, each.lower())}


async def asked(port: int, page: str, environment: dict[str, str]) -> tuple[int | None, str]:
    """How the image's program ends, and what it says."""
    assert HEALTH.count(":9397/") == 1
    lines = HEALTH.replace(":9397/", f":{port}/")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", lines, page),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_no_proxy_of_the_environment_speaks_for_the_service() -> None:
    health = Health({})
    async with served(health) as port:
        with proxy(403) as environment:
            assert await asked(port, endpoint.READY, environment) == (0, "")
        health.drain()
        with proxy(200) as environment:
            code, said = await asked(port, endpoint.READY, environment)
            assert (code, "503" in said) == (1, True), said
            assert await asked(port, endpoint.LIVE, environment) == (0, "")


async def test_a_service_that_is_not_there_or_says_nothing_is_not_well_which_a_line_says() -> None:
    code, said = await asked(free_port(), endpoint.LIVE, {})
    assert (code, said.count("\n"), "refused" in said) == (1, 1, True), said
    mute = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with mute:
        code, said = await asked(mute.sockets[0].getsockname()[1], endpoint.LIVE, {})
    assert (code, said.count("\n")) == (1, 1), said
