"""What do the tests of the connector share?"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from cloudgate.connector.tls_connection import Identity, identity
from tests.connector.support import Gateways, RunningConnector, connected_to
from tests.support.certificates.authority import Authority
from tests.support.machine.loops import UVLOOP
from tests.support.ports import free_port
from tests.support.running.machine import running_machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import echo_server


@pytest.fixture
def anyio_backend() -> object:
    return UVLOOP


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def ca_file(tmp_path: Path, authority: Authority) -> Path:
    file = tmp_path / "ca.pem"
    file.write_text(authority.pem)
    return file


@pytest.fixture
def who(ca_file: Path) -> Identity:
    return identity("acme", PASSWORD, ca_file, None)


@pytest.fixture
async def gateways(
    tmp_path: Path, authority: Authority, anyio_backend: object
) -> AsyncIterator[Gateways]:
    async with AsyncExitStack() as stack:
        repository = await stack.enter_async_context(echo_server())
        machines = []
        for number in range(3):
            machine = running_machine(tmp_path / f"state{number}", authority)
            machines.append(await stack.enter_async_context(machine))
            machines[-1].know(tenant(repository))
        made = Gateways(machines, [free_port() for _ in machines], repository)
        for number in range(3):
            await made.open(number)
        made.list(0, 1, 2)
        yield made


@pytest.fixture
async def connected(gateways: Gateways, who: Identity) -> AsyncIterator[RunningConnector]:
    async with connected_to([gateways.address(0)], who) as made:
        yield made
