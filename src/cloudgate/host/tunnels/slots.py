"""Tunnel slots: has a tenant room for one more tunnel? They are given, waited for, returned.

A slot is given when a tunnel is let in, and comes back with the last line about it in the access
log. One that no line ever speaks of (the client went away meanwhile) comes back by itself.
"""

import asyncio
import secrets
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata

MOST_UNLOGGED = 20_000
"""Of tunnels without a line so many are remembered, the newest."""
RESERVATION_SECONDS = 20.0
"""How long a slot is kept for a tunnel that has not begun: longer than its target may take."""


@dataclass(frozen=True, slots=True)
class _Reservation:
    """A slot whose tunnel has not begun."""

    tenant_id: UUID
    given_at_seconds: float


@dataclass(frozen=True, slots=True)
class UnloggedTunnel:
    """A tunnel that was let in, and that no line of the access log speaks of yet."""

    metadata: TunnelMetadata
    target: str


class TunnelSlots:
    """Counts each tenant's tunnels here, and gives free slots in the order of asking."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._reserved: dict[str, _Reservation] = {}
        self._begun: dict[str, UUID] = {}
        """Whose slot it is. There may be tens of thousands: no more is kept of each."""
        self.unlogged: dict[str, UnloggedTunnel] = {}
        """By address and port that they come from: tunnels that were let in, and that no line of
        the access log speaks of yet. While its disk is full, none does. A connection has one at a
        time, in HTTP/2, too: the last that was let in."""
        self._taken: dict[UUID, int] = defaultdict(int)
        self._waiting: dict[UUID, OrderedDict[asyncio.Future[None], None]] = {}
        self.on_change: Callable[[UUID], None] = lambda _: None
        """Called when somebody begins to wait for a slot of a tenant, and when one came back."""

    def note_let_in(self, client: str, metadata: TunnelMetadata, target: str) -> None:
        """Somebody was let in who comes from that address and port, to a target."""
        self.unlogged.pop(client, None)
        self.unlogged[client] = UnloggedTunnel(metadata, target)
        if len(self.unlogged) > MOST_UNLOGGED:
            del self.unlogged[next(iter(self.unlogged))]

    def note_logged(self, client: str, slot_id: str) -> None:
        """The access log speaks of the tunnel in a slot, or says that it never came to be.

        Whoever was let in since on that connection is not meant.
        """
        known = self.unlogged.get(client)
        if known is not None and known.metadata.slot_id == slot_id:
            del self.unlogged[client]

    def in_use(self, tenant_id: UUID) -> int:
        """How many slots a tenant has."""
        return self._taken.get(tenant_id, 0)

    def waiting(self, tenant_id: UUID) -> int:
        """How many wait for a slot of a tenant."""
        return len(self._waiting.get(tenant_id, ()))

    def wake(self, tenant_id: UUID) -> None:
        """A tenant may have more slots than before: let who waits look."""
        self._grant_next(tenant_id)

    async def acquire(
        self, tenant_id: UUID, limit: Callable[[], int] | None, wait_seconds: float
    ) -> str | None:
        """A slot's id, as soon as there is one; None when there was none in time. First come first.

        Args:
            tenant_id: for whom.
            limit: how many the tenant may have at that moment; None for any number.
            wait_seconds: how long to wait for one.
        """
        if limit is None:
            return self._give(tenant_id)
        queue = self._waiting.setdefault(tenant_id, OrderedDict())
        if not queue and self.in_use(tenant_id) < limit():
            del self._waiting[tenant_id]
            return self._give(tenant_id)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue[turn] = None
        self.on_change(tenant_id)
        try:
            async with asyncio.timeout(wait_seconds):
                while next(iter(queue)) is not turn or self.in_use(tenant_id) >= limit():
                    await turn
                    turn = self._same_turn(queue, turn)
            return self._give(tenant_id)
        except TimeoutError:
            return None
        finally:
            queue.pop(turn, None)
            if queue:
                self._grant_next(tenant_id)
            elif self._waiting.get(tenant_id) is queue:
                del self._waiting[tenant_id]

    def confirm(self, slot_id: str, tenant_id: UUID) -> None:
        """The tunnel in a slot is live; also when this process did not give the slot."""
        if slot_id in self._begun:
            return
        if self._reserved.pop(slot_id, None) is None:
            self._taken[tenant_id] += 1
        # By the text that the tunnel has: one of its own would cost as much again.
        self._begun[slot_id] = tenant_id

    def release(self, slot_id: str) -> None:
        """The tunnel in a slot is over, or never came to be."""
        reservation = self._reserved.pop(slot_id, None)
        tenant_id = reservation.tenant_id if reservation else self._begun.pop(slot_id, None)
        if tenant_id is None:
            return
        self._taken[tenant_id] -= 1
        if not self._taken[tenant_id]:
            del self._taken[tenant_id]
        self._grant_next(tenant_id)
        self.on_change(tenant_id)

    def retain(self, live: Collection[str]) -> None:
        """These are live; those that began and are not among them are over."""
        oldest = self._clock_seconds() - RESERVATION_SECONDS
        reserved = self._reserved.items()
        unheard = [each for each, known in reserved if known.given_at_seconds < oldest]
        over = [each for each in self._begun if each not in live]
        for slot_id in (*unheard, *over):
            self.release(slot_id)

    def counts(self) -> Mapping[UUID, int]:
        """How many slots each tenant has."""
        return dict(self._taken)

    def _give(self, tenant_id: UUID) -> str:
        slot_id = secrets.token_hex(8)
        self._reserved[slot_id] = _Reservation(tenant_id, self._clock_seconds())
        self._taken[tenant_id] += 1
        return slot_id

    def _grant_next(self, tenant_id: UUID) -> None:
        queue = self._waiting.get(tenant_id)
        first = next(iter(queue), None) if queue else None
        if first is not None and not first.done():
            first.set_result(None)

    def _same_turn(
        self, queue: "OrderedDict[asyncio.Future[None], None]", turn: "asyncio.Future[None]"
    ) -> "asyncio.Future[None]":
        """The turn again, at its place in the queue, to be woken once more."""
        if next(iter(queue)) is not turn:
            return turn
        fresh: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        del queue[turn]
        queue[fresh] = None
        queue.move_to_end(fresh, last=False)
        return fresh
