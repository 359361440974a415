"""Do all characters that names and passwords may have come in, as programs write them?

curl takes them percent-encoded from the user info of the proxy's address (RFC 3986, section 3.2.1),
others build the Basic header by themselves (RFC 7617). And is a target an address of IPv6?
"""

import asyncio
import os
import shutil
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from cloudgate.manager.tenants.rules import FORBIDDEN_CHARACTERS, tenant_name
from cloudgate.protocol import GatewayState, Target
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import HASHER, tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS

REPO = "repo.example:443"
PRINTABLE = "".join(chr(number) for number in range(0x20, 0x7F))
BEYOND = "äßİø é e\u0301 ª Ωмир עברית 名前 🔑"
PASSWORD = f"{PRINTABLE}{BEYOND}"
NAME = f"n{''.join(each for each in PASSWORD if each not in FORBIDDEN_CHARACTERS)}n"
"""All that the manager lets a name have; blanks inside, because those around it go."""
ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
pytestmark = pytest.mark.anyio


@asynccontextmanager
async def web_server(host: str) -> AsyncIterator[int]:
    """A repository that answers one request; its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):  # who only wanted the tunnel asks for nothing
            await reader.readuntil(b"\r\n\r\n")
            writer.write(ANSWER)
        writer.close()

    async with await asyncio.start_server(serve, host, 0) as server:
        yield int(server.sockets[0].getsockname()[1])


@pytest.fixture
async def port(machine: Machine) -> AsyncIterator[int]:
    chosen = free_port()
    async with web_server("127.0.0.1") as repository:
        machine.know(tenant(repository, name=NAME, password_hash=HASHER.hash(PASSWORD)))
        await machine.bring(machine.gateway(chosen), GatewayState.LISTENING)
        yield chosen


async def said_to_curl(folder: Path, client: Client, proxy: str) -> str:
    """What the gateway and then the repository answer to curl with this proxy: ``200 204``."""
    (folder / "ca.pem").write_text(client.ca_pem)
    words = ("--silent", "--proxytunnel", "--proxy-cacert", str(folder / "ca.pem"))
    process = await asyncio.create_subprocess_exec(
        *("curl", *words, "--write-out", "%{http_connect} %{http_code}", f"http://{REPO}/"),
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "ALL_PROXY": proxy},
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        said, _ = await process.communicate()
    return said.decode()


async def test_the_manager_lets_a_tenant_have_all_these_characters_in_its_name() -> None:
    assert tenant_name(NAME) == unicodedata.normalize("NFC", NAME)
    assert set(PRINTABLE) - set(NAME) == set(FORBIDDEN_CHARACTERS)


@pytest.mark.skipif(shutil.which("curl") is None, reason="to run this: sudo apt-get install curl")
async def test_curl_comes_in_with_all_of_them_percent_encoded_in_the_address_of_its_proxy(
    client: Client, port: int, tmp_path: Path
) -> None:
    name, password = quote(NAME, safe=""), quote(PASSWORD, safe="")
    right = f"https://{name}:{password}@localhost:{port}"
    assert await said_to_curl(tmp_path, client, right) == "200 204"
    wrong = f"https://{name}:{password}%20@localhost:{port}"
    assert await said_to_curl(tmp_path, client, wrong) == "407 000"


@pytest.mark.parametrize("name", [NAME, NAME.upper(), NAME.casefold()])
async def test_who_builds_the_header_comes_in_with_all_of_them_and_the_case_of_a_name_is_nothing(
    client: Client, port: int, name: str
) -> None:
    assert (await client.connect(port, REPO, f"{name}:{PASSWORD}")).status == 200
    assert (await client.connect(port, REPO, f"{name}:{PASSWORD.swapcase()}")).status == 407


@pytest.mark.parametrize("endpoint", [REPO, "[2001:db8::5]:443"])
async def test_a_target_may_be_an_address_of_ipv6(
    machine: Machine, client: Client, port: int, endpoint: str
) -> None:
    async with web_server("::1") as repository:
        target = Target(endpoint=endpoint, address=f"[::1]:{repository}")
        machine.know(tenant(repository, targets=(target,), password_hash=HASHER.hash(PASSWORD)))
        tunnel = await client.connect(port, endpoint, f"acme:{PASSWORD}")
        assert tunnel.status == 200
        tunnel.writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await tunnel.reader.read() == ANSWER
