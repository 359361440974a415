"""What of that which was to be said is still there when it could not be said?"""

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.host.host_state import HostState
from cloudgate.host.manager_link.client import ManagerClient
from cloudgate.host.manager_link.facts import gather_facts
from cloudgate.host.manager_link.manager_connection import Backoff
from cloudgate.host.manager_link.query_handler import QueryHandler
from cloudgate.host.manager_link.reporter import Reporter
from cloudgate.host.manager_link.sync import ManagerSync
from cloudgate.host.state.gateway_status import GatewayStatus
from tests.host.support import Authority, Machine, tenant
from tests.support.ports import free_port

pytestmark = pytest.mark.anyio


async def test_what_a_host_wants_of_shared_tunnels_is_said_again_when_no_manager_heard_it(
    machine: Machine, authority: Authority
) -> None:
    known = HostState(
        machine.directory,
        machine.site,
        GatewayStatus(),
        machine.journal,
        allowances=machine.allowances,
    )
    sync = ManagerSync(
        machine.paths,
        known,
        machine.reconciler,
        Reporter(lambda: gather_facts(machine.paths, "1.40.0")),
        usage=machine.tracker.usage,
        queries=QueryHandler(machine.tracker, machine.enforcer._closer),
        tokens=machine.tokens,
    )
    machine.allowances.report_demand({tenant(free_port()).tenant_id: 1})
    machine.tokens.news.set()
    async with ManagerClient(f"https://localhost:{free_port()}", authority.pem) as nobody:
        with pytest.raises(UnavailableError):
            await sync._sync_allocations_at_once(nobody, Backoff())
    assert machine.tokens.news.is_set()
