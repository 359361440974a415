"""Start-rate grants: with how much does a tunnel of a limited tenant begin, before it is let in?

The kernel sends the first packets of a connection without pause, and what a tunnel's connection to
its target may send is set before anybody has seen it. So each beginning is paid for by the tenant's
limit: who opens one short tunnel after the other waits for its turn, and newcomers begin with what
the tunnels before them leave.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.host.envoy.start_rates import UNLIMITED_CLUSTER, UNPACED_BYTES, cluster_of

HEADROOM = 1.25
"""What all tunnels together may send in a second, as a part of the limit, until newcomers are
counted in: with what the newcomers of that second sent before they were slowed."""
LEAST_PART = 1 / 64
"""Of the limit: a newcomer begins with no less."""
MOST_LEAST_PART = 1 / 16
"""Of a low limit, of which the least is more: as much as `SHORT_PAUSE_SECONDS` asks for, up to
this."""
SHORT_PAUSE_SECONDS = 0.5
"""What the kernel sends at once takes no longer than so to be made up for. Until then a connection
is silent, also when it was given a higher rate meanwhile."""
BURST_BYTES = 32 * 1024
"""What a slowed connection sends at once: what may wait in the kernel, and a record of TLS more."""
BEGINNINGS_PART = 0.5
"""Of the limit: so much may be spent on beginnings."""
AT_ONCE_PART = 0.15
"""Of what a limit allows in a second: so much may be spent on beginnings at once."""
BEGINNING_SECONDS = 1.0
"""What somebody sent before it was slowed counts for so long as sent just now."""
JUST_SECONDS = 0.25
"""Who has begun within so long may not show yet that it would send more."""
UNSEEN_SECONDS = 20.0
"""How long a newcomer counts that no line of the access log speaks of."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class NewTunnel:
    """A tunnel that was let in, and that the access log does not know yet."""

    tenant_id: UUID
    connection: str
    """The name of the connection that it comes by."""
    rate_bytes: int
    """What it began with, in each direction, each second."""
    at_seconds: float


@dataclass(frozen=True)
class GrantedRate:
    """What the tunnels of a tenant have that want more than they have."""

    flows: int = 0
    rate_bytes: float = 0.0
    """All together, each second."""


class Pacer(Protocol):
    """Who looks after tunnels once they have begun: the shaper."""

    def limit_of(self, tenant_id: UUID) -> int | None:
        """What newcomers of a tenant may send each second; None for as much as they like."""

    def slow(self, client: str, rate_bytes: int) -> str:
        """Set the rate of a connection, known by its other end; the connection's name.

        Raises:
            UnavailableError: it cannot be set.
        """

    def take_in_news(self, tenant_id: UUID) -> None:
        """Take note of the tunnels of a tenant that have just ended.

        Raises:
            UnavailableError: nothing can be seen of them.
        """

    def make_room(self, tenant_id: UUID) -> None:
        """Somebody comes who is not held back."""


class StartRateGrants:
    """Lets tunnels begin slowly enough. The shaper says how fast that is, and takes over."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._newcomers: dict[str, NewTunnel] = {}
        self._granted: dict[UUID, GrantedRate] = {}
        self._paid_until_seconds: dict[UUID, float] = {}
        self._just_begun: deque[NewTunnel] = deque()
        self._complained = False
        self.pacer: Pacer | None = None
        """Who takes over; as long as there is none, all may begin as they like."""
        self.news = asyncio.Event()
        """Somebody has come who is to be looked after."""

    async def begin(
        self, slot_id: str, tenant_id: UUID, client: str, wait_seconds: float
    ) -> str | None:
        """The cluster that makes the tunnel; None when it was not the tenant's turn in time.

        Args:
            slot_id: of the slot that the tunnel takes.
            tenant_id: whose tunnel it is.
            client: address and port that it comes from.
            wait_seconds: how long it may wait for its turn.
        """
        if self.pacer is None:
            return UNLIMITED_CLUSTER
        limit = self.pacer.limit_of(tenant_id)
        if limit is None:
            self.pacer.make_room(tenant_id)
            return UNLIMITED_CLUSTER
        pause = self._turn(tenant_id, limit, wait_seconds)
        if pause is None:
            return None
        if pause > 0:
            await asyncio.sleep(pause)
        try:
            self.pacer.take_in_news(tenant_id)
            rate = self._first_rate(tenant_id, limit)
            connection = self.pacer.slow(client, rate)
        except UnavailableError as error:
            if not self._complained:
                _log.error("speed limits are not kept", reason=error.message)
            self._complained = True
            return UNLIMITED_CLUSTER
        newcomer = NewTunnel(tenant_id, connection, rate, self._clock_seconds())
        self._newcomers[slot_id] = newcomer
        self._just_begun.append(newcomer)
        self.news.set()
        return cluster_of(rate)

    def newcomers(self) -> Mapping[str, NewTunnel]:
        """Those that are not known by the access log yet, by the id of their slot."""
        oldest = self._clock_seconds() - UNSEEN_SECONDS
        self._newcomers = {
            slot_id: each for slot_id, each in self._newcomers.items() if each.at_seconds > oldest
        }
        return self._newcomers

    def hand_over(self, slots: Iterable[str]) -> None:
        """The access log speaks of the tunnels in these slots."""
        for slot_id in slots:
            self._newcomers.pop(slot_id, None)

    def give_back(self, tenant_id: UUID, granted: GrantedRate) -> None:
        """Tunnels that had so much have ended."""
        had = self._granted.get(tenant_id, GrantedRate())
        self._granted[tenant_id] = GrantedRate(
            max(0, had.flows - granted.flows), max(0.0, had.rate_bytes - granted.rate_bytes)
        )

    def follow(self, granted: Mapping[UUID, GrantedRate]) -> None:
        """What tenants' tunnels have that were seen, and want more."""
        self._granted = dict(granted)
        now = self._clock_seconds()
        self._paid_until_seconds = {
            who: at for who, at in self._paid_until_seconds.items() if at > now - 1
        }

    def _turn(self, tenant_id: UUID, limit: int, wait_seconds: float) -> float | None:
        """How long to wait; what follows waits for it. Nothing is taken by who will not wait."""
        each = UNPACED_BYTES / (BEGINNINGS_PART * limit)
        spare = max(0.0, AT_ONCE_PART / BEGINNINGS_PART - each)
        now = self._clock_seconds()
        paid_until = max(self._paid_until_seconds.get(tenant_id, now), now)
        pause = max(0.0, paid_until - spare - now)
        if pause > wait_seconds:
            return None
        self._paid_until_seconds[tenant_id] = paid_until + each
        return pause

    def _first_rate(self, tenant_id: UUID, limit: int) -> int:
        granted = self._granted.get(tenant_id, GrantedRate())
        fresh = [
            each.rate_bytes for each in self.newcomers().values() if each.tenant_id == tenant_id
        ]
        now = self._clock_seconds()
        while self._just_begun and self._just_begun[0].at_seconds <= now - BEGINNING_SECONDS:
            self._just_begun.popleft()
        begun = [each for each in self._just_begun if each.tenant_id == tenant_id]
        just = [each.rate_bytes for each in begun if each.at_seconds > now - JUST_SECONDS]
        unpaced_bytes = UNPACED_BYTES * (len(begun) + 1)
        taken = max(granted.rate_bytes + sum(fresh), sum(just))
        room = HEADROOM * limit - unpaced_bytes / BEGINNING_SECONDS - taken
        part = limit / (max(granted.flows + len(fresh), len(just)) + 1)
        return max(1, int(max(min(part, room), least_rate(limit))))


def least_rate(limit_bytes: int) -> float:
    """What a newcomer begins with in any case, each second."""
    return max(
        LEAST_PART * limit_bytes,
        min(BURST_BYTES / SHORT_PAUSE_SECONDS, MOST_LEAST_PART * limit_bytes),
    )
