"""What of that which was to be said is still there when it could not be said?"""

from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.host.host_state import HostState
from cloudgate.host.manager_link.client import ManagerClient
from cloudgate.host.manager_link.facts import gather_facts
from cloudgate.host.manager_link.manager_connection import Backoff
from cloudgate.host.manager_link.query_handler import QueryHandler
from cloudgate.host.manager_link.reporter import Reporter
from cloudgate.host.manager_link.sync import ManagerSync
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.tunnels.slot_tokens import SAFE
from cloudgate.protocol import Peer, Site
from tests.host.manager import CREDENTIAL, tiny_manager
from tests.support.certificates.authority import Authority
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import tenant

pytestmark = pytest.mark.anyio


def sync_of(machine: Machine) -> ManagerSync:
    known = HostState(
        machine.directory,
        machine.site,
        GatewayStatus(),
        machine.journal,
        allowances=machine.allowances,
    )
    return ManagerSync(
        machine.paths,
        known,
        machine.reconciler,
        Reporter(lambda: gather_facts(machine.paths, "1.40.0")),
        usage=machine.tracker.usage,
        queries=QueryHandler(machine.tracker, machine.enforcer._closer),
        tokens=machine.tokens,
    )


async def test_what_a_host_wants_of_shared_tunnels_is_said_again_when_no_manager_heard_it(
    machine: Machine, authority: Authority
) -> None:
    sync = sync_of(machine)
    machine.allowances.report_demand({tenant(free_port()).tenant_id: 1})
    machine.tokens.news.set()
    async with ManagerClient(f"https://localhost:{free_port()}", authority.pem) as nobody:
        with pytest.raises(UnavailableError):
            await sync._sync_allocations_at_once(nobody, Backoff())
    assert machine.tokens.news.is_set()


async def test_a_manager_that_refuses_a_host_gives_its_tenants_no_tunnels_besides_those_elsewhere(
    machine: Machine, authority: Authority, tmp_path: Path
) -> None:
    peers = (
        Peer(gateway_id=UUID(int=each), name=f"gw{each}", address="192.0.2.1", port=6180)
        for each in (1, 2)
    )
    machine.site.replace(Site(revision=1, gateways=tuple(peers)))
    pooled = tenant(free_port(), concurrent_tunnels=20)
    machine.know(pooled)
    may_have = machine.tokens.limit(pooled)
    assert may_have is not None
    sync = sync_of(machine)
    async with (
        tiny_manager(authority, tmp_path) as manager,
        ManagerClient(manager.url, authority.pem, lambda: CREDENTIAL) as client,
    ):
        manager.said["/host/v1/demand"] = 400, '{"message": "A second machine speaks as gw1."}'
        with pytest.raises(InvalidRequestError):
            await sync._sync_allocations(client)
        assert may_have() == SAFE
        manager.said["/host/v1/demand"] = 404, '{"message": "The host protocol has no call."}'
        await sync._sync_allocations(client)
        assert may_have() == 20
