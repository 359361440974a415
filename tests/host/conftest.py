"""What do the tests of the host service share?"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cloudgate.host.envoy.data_path.choice import VARIABLE, DataPathKind, chosen_data_path
from cloudgate.protocol import GatewayState
from data_path.build import compiler
from tests.support.certificates.authority import Authority
from tests.support.machine.loops import UVLOOP
from tests.support.ports import free_port
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client, echo_server


@pytest.fixture
def anyio_backend() -> object:
    return UVLOOP


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def client(authority: Authority, anyio_backend: object) -> AsyncIterator[Client]:
    made = Client(authority.pem)
    yield made
    await made.close()


@pytest.fixture
async def repository_port(anyio_backend: object) -> AsyncIterator[int]:
    async with echo_server() as port:
        yield port


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests of a module with `BOTH_WAYS` run with either way of tunnels through Envoy."""
    if getattr(metafunc.module, "BOTH_WAYS", False) and "machine" in metafunc.fixturenames:
        metafunc.parametrize("way", list(DataPathKind), indirect=True)


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> DataPathKind:
    """Which way tunnels go through Envoy: as the environment says, unless a test asks for one."""
    asked = getattr(request, "param", None)
    if asked is DataPathKind.MODULE and compiler() is None:
        pytest.skip("without a C compiler there is no module for Envoy")
    if asked is not None:
        monkeypatch.setenv(VARIABLE, asked)
    return chosen_data_path().way


@pytest.fixture
async def machine(
    tmp_path: Path, authority: Authority, repository_port: int, way: DataPathKind
) -> AsyncIterator[Machine]:
    async with running_machine(tmp_path / "state", authority) as started:
        started.know(tenant(repository_port))
        yield started


@pytest.fixture
async def port(machine: Machine) -> int:
    """Of a gateway that listens on loopback."""
    chosen = free_port()
    await machine.bring(machine.gateway(chosen), GatewayState.LISTENING)
    return chosen
