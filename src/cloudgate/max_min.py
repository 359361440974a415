"""Max-min fairness: how is something that is not enough for all divided? Pure."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

EVERYTHING = float("inf")
"""The demand of somebody who would take all that there is."""
USES_ITS_SHARE = 0.75
"""Who takes this part of what it may would take more."""
ROOM = 1.5
"""How much more than it takes somebody may take who does not use its share."""
LEAST_PART = 0.02
"""The part of the whole that all together have at least, to begin with something."""

Who = TypeVar("Who", bound=Hashable)


@dataclass(frozen=True)
class Flow:
    """How much somebody may send, and does, each second."""

    rate_bytes: int
    sent_bytes: float

    @property
    def is_pressing(self) -> bool:
        """Whether it would send more."""
        return self.sent_bytes >= USES_ITS_SHARE * self.rate_bytes


def allocate(whole: float, demands: Mapping[Who, float]) -> dict[Who, int]:
    """What each may have. Who needs less than an equal part gets what it needs.

    The rest is divided equally by those who need more. Everybody gets 1 at least.
    """
    left, given = float(whole), {}
    for number, who in enumerate(sorted(demands, key=lambda each: demands[each])):
        equal = left / (len(demands) - number)
        given[who] = max(1, int(min(demands[who], equal)))
        left -= given[who]
    return given


def max_min_shares(
    limit_bytes: int, flows: Mapping[Who, Flow], least_part: float = LEAST_PART
) -> dict[Who, int]:
    """What each flow may send each second, all together not more than the limit."""
    least = max(1, int(limit_bytes * least_part / max(len(flows), 1)))
    return allocate(limit_bytes, {who: _demand(flow, least) for who, flow in flows.items()})


def _demand(flow: Flow, least: int) -> float:
    return EVERYTHING if flow.is_pressing else max(least, flow.sent_bytes * ROOM)
