"""What do the tests of the host service share?"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.host.support import Authority, Client, Machine, echo_server, running_machine, tenant


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}  # as the command line does


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def client(authority: Authority) -> Iterator[Client]:
    made = Client(authority.pem)
    yield made
    for tunnel in made.opened:
        tunnel.close()


@pytest.fixture
async def repository_port(anyio_backend: object) -> AsyncIterator[int]:
    async with echo_server() as port:
        yield port


@pytest.fixture
async def machine(
    tmp_path: Path, authority: Authority, repository_port: int
) -> AsyncIterator[Machine]:
    async with running_machine(tmp_path / "state", authority) as started:
        started.know(tenant(repository_port))
        yield started
