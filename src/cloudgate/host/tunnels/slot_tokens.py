"""Slot tokens: how many tunnels may a tenant have here, when it may use several gateways?

A tunnel is a token, and the manager divides a tenant's tokens between gateways by where they are
needed. Live tunnels keep theirs whatever the manager says: who is to hold less lets nobody new in.
Without the manager each gateway keeps what it has, and one that has none lets one tunnel in.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from itertools import islice
from uuid import UUID

from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.protocol import Allowances, Demand, Tenant

AWAY_SECONDS = 2.0
"""A manager that has not answered for so long is away."""
ASK_AGAIN_SECONDS = 1.0
"""How often the manager is asked while somebody waits for a token."""
SAFE = 1
"""Tunnels of a tenant at a gateway that holds no token and finds no manager."""


Later = Callable[[float, Callable[[UUID], None], UUID], object]


def _later(seconds: float, call: Callable[[UUID], None], tenant_id: UUID) -> None:
    asyncio.get_running_loop().call_later(seconds, call, tenant_id)


class SlotTokens:
    """What this gateway may use of each tenant's number of tunnels."""

    def __init__(
        self,
        slots: TunnelSlots,
        directory: TenantDirectory,
        site: SiteStore,
        clock_seconds: Callable[[], float] = time.monotonic,
        later: Later | None = None,
    ) -> None:
        """`later` calls something with a tenant, so many seconds from now."""
        self._later = later or _later
        self._slots = slots
        self._directory = directory
        self._site = site
        self._clock_seconds = clock_seconds
        self._granted: dict[UUID, int] = {}
        self._reported: dict[UUID, int] = {}
        self._divided: set[UUID] = set()
        """Tenants whose tokens are divided, for as long as something of them is here."""
        self._asked_at_seconds: float | None = None
        """Since when an answer is awaited."""
        self._untold: set[UUID] = set()
        """Of whom the manager does not know yet what others hold."""
        self._is_away = False
        self._counts_alone = False
        """The manager is of the release before: each gateway has them all."""
        self.news = asyncio.Event()
        """The manager is to be told at once."""
        slots.on_change = self._note_change

    def limit(self, tenant: Tenant) -> Callable[[], int] | None:
        """How many tunnels a tenant may have here at any time; None for any number."""
        most = tenant.concurrent_tunnels
        if most is None:
            return None
        if not self.are_divided(tenant):
            return lambda: most
        self._divided.add(tenant.tenant_id)
        return lambda: self._allowed(tenant.tenant_id, most)

    def are_divided(self, tenant: Tenant | None) -> bool:
        """Whether a tenant's tunnels count together with those at other gateways."""
        if tenant is None or tenant.concurrent_tunnels is None:
            return False
        return len(list(islice(self._site.gateways_for(tenant), 2))) > 1

    def is_short(self) -> bool:
        """Whether somebody waits for a token."""
        return any(self._slots.waiting(who) for who in self._divided)

    async def due(self) -> None:
        """Return when the manager is to be told: at once after a change, or while some wait."""
        while not self.news.is_set():
            timeout = ASK_AGAIN_SECONDS if self.is_short() else None
            try:
                async with asyncio.timeout(timeout):
                    await self.news.wait()
            except TimeoutError:
                if self.is_short():
                    break
        self.news.clear()

    def demands(self, sent: Iterable[Demand]) -> tuple[Demand, ...]:
        """What tenants send, with what this gateway holds of their tokens."""
        by_tenant = {each.tenant_id: each for each in sent}
        for who in self._divided | self._granted.keys() | self._slots.counts().keys():
            if not self.are_divided(self._directory.by_id(who)):
                self._divided.discard(who)
                self._granted.pop(who, None)
                continue
            self._divided.add(who)
            usual = Demand(tenant_id=who, sent_bytes=0)
            self._reported[who] = held = self._held(who)
            by_tenant[who] = by_tenant.get(who, usual).model_copy(
                update={
                    "tunnels_live": self._slots.in_use(who),
                    "tunnels_wanted": self._slots.waiting(who),
                    "tunnels_held": held,
                }
            )
        self._reported = {who: held for who, held in self._reported.items() if who in by_tenant}
        if by_tenant and self._asked_at_seconds is None:
            self._asked_at_seconds = self._clock_seconds()
        return tuple(by_tenant.values())

    def update(self, told: Allowances) -> None:
        """The manager has answered."""
        self._asked_at_seconds, self._is_away = None, False
        self._counts_alone = not told.tunnels_are_divided
        tunnels = {each.tenant_id: each.tunnels for each in told.allowances}
        self._untold = set()
        for who, reported in self._reported.items():
            granted = tunnels.get(who)
            if granted is None:
                self._untold.add(who)
                continue
            self._granted[who] = granted
            if self._held(who) < reported:
                self.news.set()  # the others wait for this one to say so
        for who in self._divided:
            self._slots.wake(who)

    def note_away(self) -> None:
        """The manager cannot be reached."""
        self._is_away = True
        for who in self._divided:
            self._slots.wake(who)

    def _allowed(self, tenant_id: UUID, most: int) -> int:
        if self._counts_alone:
            return most
        granted = self._granted.get(tenant_id, 0)
        if granted < SAFE and (tenant_id in self._untold or self._manager_is_away()):
            granted = SAFE
        return min(most, granted)

    def _manager_is_away(self) -> bool:
        asked = self._asked_at_seconds
        return self._is_away or (
            asked is not None and self._clock_seconds() - asked >= AWAY_SECONDS
        )

    def _held(self, tenant_id: UUID) -> int:
        return max(self._slots.in_use(tenant_id), self._granted.get(tenant_id, 0))

    def _note_change(self, tenant_id: UUID) -> None:
        """Somebody has come to wait, or a tunnel has ended."""
        if tenant_id not in self._divided:
            return
        waits = bool(self._slots.waiting(tenant_id))
        gives_back = self._held(tenant_id) < self._reported.get(tenant_id, 0)
        if waits or gives_back:
            self.news.set()
        if waits:
            self._later(AWAY_SECONDS, self._slots.wake, tenant_id)
