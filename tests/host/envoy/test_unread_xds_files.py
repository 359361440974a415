"""Does Envoy hear again what it could not read when it was told?"""

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any

import pytest

from cloudgate.host.envoy import xds_files
from cloudgate.host.envoy.xds_resources import CERTIFICATE, secret, snapshot_file
from cloudgate.host.state.private_key import private_key_pem
from cloudgate.protocol import Assignment, Gateway, GatewayState
from tests.support.ports import free_port, refuses
from tests.support.running.machine import Machine
from tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.anyio


async def misses(machine: Machine, name: str, resources: Sequence[Any]) -> None:
    """Envoy is told, and finds no file; which is there again a moment later."""
    pid = machine.envoys.pid
    assert pid is not None
    file = snapshot_file(machine.paths.xds, name)
    os.kill(pid, signal.SIGSTOP)
    xds_files.write(machine.paths.xds, name, resources)
    said = file.read_text()
    file.unlink()
    os.kill(pid, signal.SIGCONT)
    for _ in range(3):  # it has looked by the time that it answers what came after that
        await machine.admin.listeners()
    file.write_text(said)  # in place: nothing is renamed


async def comes_to(machine: Machine, gateway: Gateway, state: GatewayState) -> str:
    """The machine is brought to that, however often it takes; why it was not at first."""
    assignment = Assignment(revision=99, gateway=gateway)
    reasons = []
    async with asyncio.timeout(4 * PATIENCE_SECONDS):
        while (outcome := await machine.reconciler.reconcile_once(assignment)).state is not state:
            reasons.append(outcome.reason)
    return reasons[0]


async def test_a_port_is_closed_though_envoy_could_not_read_that_it_is_to_be(
    machine: Machine,
) -> None:
    port = free_port()
    gateway = machine.gateway(port)
    await machine.bring(gateway, GatewayState.LISTENING)
    await machine.end_work()
    await misses(machine, xds_files.LISTENERS, [])
    closed = gateway.model_copy(update={"accepting": False})
    assert "does not close" in await comes_to(machine, closed, GatewayState.CLOSED)
    assert await refuses(port)


async def test_a_certificate_is_shown_though_envoy_could_not_read_it(
    machine: Machine,
) -> None:
    gateway = machine.gateway(free_port())
    await machine.bring(gateway, GatewayState.LISTENING)
    await machine.end_work()
    renewed = machine.gateway(gateway.port)
    resource = secret(renewed.certificate_chain_pem, private_key_pem(machine.paths))
    await misses(machine, CERTIFICATE, [resource])
    why = await comes_to(machine, renewed, GatewayState.LISTENING)
    assert "does not take the gateway's certificate" in why
