"""Shared tunnels: which are live, for however many who look? Each host is asked now and then.

Tenants look at their own as often as they like, and a host tells all that it has: so it is asked
twice a second at most, and what it said is shared between them.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event, Lock
from uuid import UUID

from cloudgate.manager.registries.hosts.host_queries import HostQueries
from cloudgate.protocol import LiveTunnel

KNOWN_SECONDS = 0.5
SILENT_SECONDS = 5.0
"""How long a host that did not answer is not asked again."""
PATIENCE_SECONDS = 2.5
"""How long is waited for one."""

ByTenant = Mapping[UUID, Sequence[LiveTunnel]]


@dataclass
class _HostQuery:
    """What a host was asked for last."""

    done: Event = field(default_factory=Event)
    until: float = 0.0
    """By when it is asked again."""
    tunnels: ByTenant | None = None
    """None where it did not say."""
    before: "_HostQuery | None" = None
    """What it was asked before, while it has not answered yet."""

    def is_over(self, now: float) -> bool:
        """Whether what it said is good no more."""
        return self.done.is_set() and self.until < now


class SharedTunnels:
    """What hosts said lately. All methods may be called from any thread."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        self._clock_seconds = clock_seconds
        self._lock = Lock()
        self._asked: dict[UUID, _HostQuery] = {}

    def of(
        self,
        tenant_id: UUID,
        server_ids: Iterable[UUID],
        questions: HostQueries,
        wake: Callable[[Iterable[UUID]], None],
    ) -> dict[UUID, Sequence[LiveTunnel] | None]:
        """A tenant's live tunnels at hosts; None where a host does not say.

        Blocks who asks a host; all others have what it said before, so that no number of them
        holds up the manager's threads while a host is silent.
        """
        found: dict[UUID, _HostQuery] = {}
        mine: dict[UUID, _HostQuery] = {}
        with self._lock:
            now = self._clock_seconds()
            for each in server_ids:
                known = self._asked.get(each)
                if known is None or known.is_over(now):
                    known = self._asked[each] = mine[each] = _HostQuery(before=known)
                elif not known.done.is_set():
                    known = known.before or known
                found[each] = known
            # A host has thousands of them.
            self._asked = {
                server_id: each for server_id, each in self._asked.items() if not each.is_over(now)
            }
        if mine:
            self._ask(mine, questions, wake)
        for asked in found.values():
            asked.done.wait(PATIENCE_SECONDS + KNOWN_SECONDS)
        return {
            server_id: None if asked.tunnels is None else asked.tunnels.get(tenant_id, ())
            for server_id, asked in found.items()
        }

    def forget(self, server_id: UUID) -> None:
        """The host has no business here any more, or has to be heard anew."""
        with self._lock:
            self._asked.pop(server_id, None)

    def _ask(
        self,
        hosts: Mapping[UUID, _HostQuery],
        questions: HostQueries,
        wake: Callable[[Iterable[UUID]], None],
    ) -> None:
        names = {each: questions.request_tunnels(each) for each in hosts}
        wake(names)
        end = self._clock_seconds() + PATIENCE_SECONDS
        for server_id, asked in hosts.items():
            left = max(0.0, end - self._clock_seconds())
            answer = questions.resolve(names[server_id], left)
            questions.discard(names[server_id])
            if answer is not None:
                asked.tunnels = _by_tenant(answer.tunnels)
            kept = SILENT_SECONDS if answer is None else KNOWN_SECONDS
            asked.until = self._clock_seconds() + kept
            asked.before = None
            asked.done.set()


def _by_tenant(tunnels: Iterable[LiveTunnel]) -> ByTenant:
    found: defaultdict[UUID, list[LiveTunnel]] = defaultdict(list)
    for each in tunnels:
        found[each.tenant_id].append(each)
    return found
