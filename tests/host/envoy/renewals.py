"""Renewals of Envoy: another one is installed, and tenants come in meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cloudgate.host.envoy import launcher, process
from cloudgate.host.envoy.xds_listener import NO_AUTHORIZER
from cloudgate.protocol import Gateway, GatewayState
from tests.support.running.machine import Machine
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS

REPO = "repo.example:443"


class Installation:
    """Which Envoy is installed, and told to listen how."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch

    def envoy(self, executable: Path, version: str) -> None:
        """Another Envoy is installed."""
        self._monkeypatch.setattr(process, "executable", lambda: executable)
        self._monkeypatch.setattr(process, "installed_version", lambda: version)

    def settings(self, name: str) -> None:
        """Another Cloudgate is installed, which tells Envoy something else."""
        self._monkeypatch.setattr(launcher, "_settings", lambda *_: name)


async def renewed(machine: Machine, gateway: Gateway) -> None:
    """The host service was started anew, and has the machine as it should be."""
    await machine.leave()
    await machine.start()
    await machine.bring(gateway, GatewayState.LISTENING)


async def served(machine: Machine) -> None:
    """Wait until the Envoys that were succeeded are gone."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while machine.envoys.draining_labels:
            await machine.found(GatewayState.LISTENING)


async def several(statuses: "asyncio.Queue[int]") -> None:
    """Wait for the next tunnels of others, and see that each was let in."""
    while not statuses.empty():
        assert statuses.get_nowait() == 200
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert [await statuses.get() for _ in range(12)] == [200] * 12


@asynccontextmanager
async def others_coming_in(client: Client, port: int) -> AsyncIterator[asyncio.Queue[int]]:
    """Other tenants' programs open tunnels all the time; their statuses."""
    statuses: asyncio.Queue[int] = asyncio.Queue()
    enough = asyncio.Event()

    async def come_in() -> None:
        while not enough.is_set():
            tunnel = await client.connect(port, REPO)
            # While the host service starts anew, nobody is there to check passwords.
            if NO_AUTHORIZER not in tunnel.body:
                statuses.put_nowait(tunnel.status if await tunnel.echoes() else 0)
            tunnel.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(come_in())
        try:
            yield statuses
        finally:
            enough.set()
