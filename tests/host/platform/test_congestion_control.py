"""Do tenants' connections use BBR where the kernel has it, whatever the machine uses by itself?"""

import subprocess
from collections.abc import Iterator

import pytest

from cloudgate.host.platform import congestion_control as module
from cloudgate.protocol import GatewayState
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant_program import Client

REPO = "repo.example:443"
has_bbr = pytest.mark.skipif(
    module.congestion_control() != "bbr", reason="this kernel lets programs have no BBR"
)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A kernel without the control that is asked for."""
    monkeypatch.setattr(module, "BBR", "no_such_control")
    module.congestion_control.cache_clear()
    yield
    module.congestion_control.cache_clear()


def controls(port: int) -> set[str]:
    """What the gateway's ends of all connections to a port of this machine use."""
    said = subprocess.run(
        ["ss", "-tinH", "state", "established", f"( sport = :{port} )"],
        capture_output=True,
        text=True,
        check=True,
    )
    details = [line.split() for line in said.stdout.splitlines() if line.startswith("\t")]
    assert details
    return {words[0] for words in details}


@has_bbr
@pytest.mark.anyio
async def test_what_a_gateway_accepts_uses_bbr(machine: Machine, client: Client) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    assert await tunnel.echoes()
    assert controls(port) == {"bbr"}


@pytest.mark.anyio
async def test_a_gateway_comes_up_where_the_kernel_has_no_such_control(
    without: None, machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    assert await tunnel.echoes()
    assert controls(port) == {module.system_congestion_control()}


def test_where_bbr_cannot_be_had_the_operator_is_told_what_to_type(without: None) -> None:
    said = module.advice()
    assert module.system_congestion_control() in said
    assert "sysctl -w net.ipv4.tcp_allowed_congestion_control=" in said


def test_only_a_kernel_that_has_not_loaded_it_is_told_to() -> None:
    assert module._commands(["reno", "cubic"]).startswith("modprobe tcp_bbr && sysctl")
    assert module._commands(["reno", "bbr"]).startswith("sysctl")


@has_bbr
def test_where_it_is_had_there_is_nothing_to_say() -> None:
    assert module.advice() == ""
