"""Is a gateway that has listened before mended again and again, whatever was tried since?"""

import socket
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.host.envoy import listener_rollout
from cloudgate.host.established_bindings import Binding, EstablishedBindings
from cloudgate.protocol import Assignment, GatewayState
from tests.support.ports import free_port
from tests.support.running.machine import GATEWAY_ID, Machine
from tests.support.running.tenant_program import Client

REPO = "repo.example:443"


@pytest.mark.anyio
@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_change_that_is_taken_back_is_tried_until_the_gateway_is_as_it_was(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch, *, is_restarted: bool
) -> None:
    gateway = machine.gateway(free_port())
    await machine.bring(gateway, GatewayState.LISTENING)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = machine.gateway(taken.getsockname()[1])
        if is_restarted:
            await machine.end_work()
            machine.reconciler.set_desired(
                Assignment(revision=machine.reconciler.revision or 0, gateway=wanted)
            )
            await machine.leave()
            await machine.start()
        await machine.bring(wanted, GatewayState.FAILED)
        with monkeypatch.context() as passing:
            passing.setattr(listener_rollout, "APPLY_SECONDS", -1.0)
            await machine.bring(gateway, GatewayState.FAILED)
        await machine.found(GatewayState.LISTENING)
    assert await (await client.connect(gateway.port, REPO)).echoes()


def test_where_it_has_listened_is_known_over_restarts_and_the_one_before_it_too(
    tmp_path: Path,
) -> None:
    file = tmp_path / "established.json"
    one, two, three = (
        Binding(gateway_id=GATEWAY_ID, addresses=("127.0.0.1",), port=port) for port in (1, 2, 3)
    )
    known = EstablishedBindings(file, None)
    assert one not in known
    for each in (one, two, two, one, three):
        known.note(each)
    for then in (known, EstablishedBindings(file, None)):
        assert (one in then, two in then, three in then) == (True, False, True)
    assert one.model_copy(update={"gateway_id": UUID(int=7)}) not in known
    for left in tmp_path.iterdir():
        left.unlink()
    assert one not in EstablishedBindings(file, None)
