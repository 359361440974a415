"""Gateway status: for whom is this gateway, by the assignment in force?"""

from dataclasses import dataclass
from uuid import UUID

from cloudgate.protocol import Assignment


@dataclass
class GatewayStatus:
    """The part of an assignment that decides who may come in, kept up to date."""

    is_known: bool = True
    """Whether there is an assignment: one that was lost says nothing of whose tunnels these are."""
    pool_id: UUID | None = None
    """The pool that the gateway is in; None for a gateway of everybody without a pool."""

    live_tunnels: int = 0
    """How many tunnels the gateway carries, as last counted."""
    port: int | None = None
    """The port that the gateway listens on; None when it has none."""
    crowded: frozenset[str] = frozenset()
    """The IP addresses that have as many connections as one may have."""

    is_revoked: bool = False
    """Whether the manager has said that it listens to this machine no more."""
    is_accepting: bool = True
    """Whether it is to take new tunnels; what keeps its port from being closed does not matter."""

    def follow(self, assignment: Assignment | None) -> None:
        """Follow a new assignment."""
        self.is_known = assignment is not None
        gateway = assignment.gateway if assignment else None
        self.pool_id = gateway.pool_id if gateway else None
        self.port = gateway.port if gateway else None
        self.is_accepting = gateway is not None and gateway.accepting
