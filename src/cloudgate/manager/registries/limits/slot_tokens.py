"""Slot tokens: how many tunnels may a tenant have at each gateway, for all to be its limit?

A tunnel is a token. Gateways say how many they hold, and hear how many they may hold: what nobody
needs is where it is needed. Kept in memory: it is about the last seconds, and each host says it
again every few. A gateway that is to hold less counts for what it held until it says that it does.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from threading import Lock
from uuid import UUID

from cloudgate.protocol import Demand

GONE_SECONDS = 30.0
"""Who has said nothing for so long is dead, and its tokens are back."""
OLD_SECONDS = 0.3
"""What was said so long ago is asked again when somebody is short of tokens."""
TAKEN_BACK_SECONDS = 10.0
"""A host that goes on holding what it does not need so long after it was told to hold less is not
believed: one of this release gives it back with its next word."""
ALONE = 1
"""Tunnels that a host may let in without a token, when it finds no manager."""
LEARNING_SECONDS = 15.0
"""After the manager's start nothing is given for so long: hosts say meanwhile what they hold."""


@dataclass(frozen=True)
class _HostDemand:
    at_seconds: float
    live: int
    wanted: int
    held: int
    granted: int
    wanting_since_seconds: float
    too_much_since_seconds: float | None = None
    """Since when it holds more than it needs and was told."""

    @property
    def need(self) -> int:
        return self.live + self.wanted

    @property
    def counted(self) -> int:
        """What it may have by what it said, or by what it was told."""
        return max(self.held, self.granted)


@dataclass(frozen=True)
class Parts:
    """What a host is told, and who else has to be asked again for the sake of that."""

    tunnels: Mapping[UUID, int] = field(default_factory=dict)
    """By tenant; one that is not named keeps what it has."""
    ask_again: frozenset[UUID] = frozenset()
    """Managed servers that hold what another needs, or need what another gave back."""


class SlotTokenAllocator:
    """Divides each tenant's number of tunnels by where they are needed. Any thread may call."""

    def __init__(self, began_at_seconds: float | None = None) -> None:
        """`began_at_seconds`: when nobody knew who holds what; now when left out."""
        self._lock = Lock()
        self._said: dict[UUID, dict[UUID, _HostDemand]] = {}
        now = time.monotonic()
        self._began_at_seconds = now if began_at_seconds is None else began_at_seconds
        self._asked_again: set[UUID] = set()

    def takes_back(self, server_id: UUID) -> bool:
        """Whether a host is to say again what it holds. It is told once."""
        with self._lock:
            if server_id not in self._asked_again:
                return False
            self._asked_again.discard(server_id)
            return True

    def forget(self, server_id: UUID) -> None:
        """A host may not serve any more: what it held is for the others."""
        with self._lock:
            self._asked_again.discard(server_id)
            for who, said in list(self._said.items()):
                said.pop(server_id, None)
                if not said:
                    del self._said[who]

    def allocate(
        self,
        server_id: UUID,
        demands: Iterable[Demand],
        limits: Mapping[UUID, int],
        now_seconds: float,
    ) -> Parts:
        """The tokens of a host, from what it says of its tunnels.

        Args:
            server_id: the managed server.
            demands: what it says; those without `tunnels_held` are of a host that counts alone.
            limits: tunnels at a time, by tenant; tenants without a limit are left out.
            now_seconds: by a clock that only goes forward.
        """
        tunnels: dict[UUID, int] = {}
        with self._lock:
            asked: set[UUID] = set()
            for each in demands:
                limit = limits.get(each.tenant_id)
                if each.tunnels_held is None or limit is None:
                    continue
                granted, others = self._part(server_id, each, limit, now_seconds)
                asked |= others
                if granted is not None:
                    tunnels[each.tenant_id] = granted
            asked.discard(server_id)
            self._asked_again |= asked
        return Parts(tunnels, frozenset(asked))

    def _part(
        self, server_id: UUID, demand: Demand, limit: int, now: float
    ) -> tuple[int | None, set[UUID]]:
        said = {
            server: each
            for server, each in self._said.get(demand.tenant_id, {}).items()
            if now - each.at_seconds <= GONE_SECONDS
        }
        before = said.pop(server_id, None)
        mine = _updated_demand(demand, before, limit, now)
        others = sum(each.counted for each in said.values())
        wanted = targets(
            limit,
            {
                server: (each.need, each.live, now - each.wanting_since_seconds)
                for server, each in (said | {server_id: mine}).items()
            },
        )
        granted = None
        if now - self._began_at_seconds >= LEARNING_SECONDS:
            granted = max(0, min(wanted[server_id], limit - others))
            too_much = (demand.tunnels_held or 0) > max(granted, mine.live)
            since = mine.too_much_since_seconds
            mine = replace(
                mine,
                granted=granted,
                too_much_since_seconds=(now if since is None else since) if too_much else None,
            )
        said[server_id] = mine
        if any(each.need or each.counted for each in said.values()):
            self._said[demand.tenant_id] = said
        else:
            self._said.pop(demand.tenant_id, None)
        there = {server: each for server, each in said.items() if each.need or each.counted}
        return granted, _to_ask(server_id, there, wanted, before)


def _updated_demand(
    demand: Demand, before: _HostDemand | None, limit: int, now: float
) -> _HostDemand:
    live, held = demand.tunnels_live, demand.tunnels_held or 0
    if before is not None:
        # It has no more than it was given or said before, but for one without a manager.
        live, held = (min(each, max(before.counted, ALONE)) for each in (live, held))
    held = min(held, max(limit, live))
    since = None if before is None else before.too_much_since_seconds
    if before is not None and since is not None and now - since >= TAKEN_BACK_SECONDS:
        held = min(held, max(live, before.granted))
    was_waiting = before is not None and before.wanted > 0
    return _HostDemand(
        at_seconds=now,
        live=min(live, held),
        too_much_since_seconds=since,
        wanted=demand.tunnels_wanted,
        held=held,
        granted=held,
        wanting_since_seconds=before.wanting_since_seconds if before and was_waiting else now,
    )


def _to_ask(
    server_id: UUID,
    said: Mapping[UUID, _HostDemand],
    wanted: Mapping[UUID, int],
    before: _HostDemand | None,
) -> set[UUID]:
    mine = said.get(server_id)
    asked = set()
    if mine is not None and mine.counted < mine.need:
        # What others said may be old: tunnels of theirs may have ended since.
        asked |= {
            server
            for server, each in said.items()
            if each.counted > max(wanted[server], each.live)
            or (each.counted and mine.at_seconds - each.at_seconds >= OLD_SECONDS)
        }
    if before is not None and (mine is None or mine.counted < before.counted):
        asked |= {server for server, each in said.items() if each.counted < each.need}
    return asked


def targets(limit: int, needs: Mapping[UUID, tuple[int, int, float]]) -> dict[UUID, int]:
    """How many tokens each gateway is to hold, all together exactly the limit. Pure.

    Needs are met equally, those that need least first; of equal ones the one with live tunnels
    goes before, and then who has waited longest. What is left goes to those that need some.

    Args:
        limit: tokens.
        needs: for each gateway how many it needs, how many of them are live tunnels, and for how
            many seconds it has waited.
    """
    order = sorted(needs, key=lambda server: (*needs[server], str(server)))
    left, given = limit, {}
    for number, server in enumerate(order):
        given[server] = min(needs[server][0], left // (len(order) - number))
        left -= given[server]
    takers = [server for server in order if needs[server][0]] or order
    for number, server in enumerate(takers):
        more = left // (len(takers) - number)
        given[server] += more
        left -= more
    return given
