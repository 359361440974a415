"""Host state: what does this host know that more than one of its parts asks for?"""

from dataclasses import dataclass, field

from cloudgate.host.shaping.rate_allocations import RateAllocations
from cloudgate.host.state.conditions import Conditions
from cloudgate.host.state.gateway_status import GatewayStatus
from cloudgate.host.state.manager_clock import ManagerClock
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.state.withdrawal_journal import WithdrawalJournal


@dataclass(frozen=True)
class HostState:
    """What the manager has told this host besides its assignment, and what troubles the host.

    Most of it is kept on disk.
    """

    directory: TenantDirectory
    site: SiteStore
    gateway_status: GatewayStatus
    journal: WithdrawalJournal | None = None
    """Takes what the disk does not."""
    allowances: RateAllocations = field(default_factory=RateAllocations)
    clock: ManagerClock = field(default_factory=ManagerClock)
    conditions: Conditions = field(default_factory=Conditions)
