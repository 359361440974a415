"""Gateway status: for whom is this gateway, by the assignment in force?"""

from dataclasses import dataclass
from uuid import UUID

from cloudgate.protocol import Assignment, Gateway


@dataclass
class GatewayStatus:
    """The part of an assignment that decides who may come in, kept up to date."""

    is_known: bool = True
    """Whether there is an assignment: one that was lost says nothing of whose tunnels these are."""
    gateway: Gateway | None = None
    """What the manager wants the machine to be; None when it wants no gateway."""

    is_revoked: bool = False
    """Whether the manager has said that it listens to this machine no more."""
    is_accepting: bool = True
    """Whether it is to take new tunnels; what keeps its port from being closed does not matter."""
    is_leaving: bool = False
    """Whether the host service is to end, so that there are no new ones whatever is assigned."""

    @property
    def pool_id(self) -> UUID | None:
        """The pool that the gateway is in; None for a gateway of everybody without a pool."""
        return self.gateway.pool_id if self.gateway else None

    @property
    def port(self) -> int | None:
        """The port that the gateway listens on; None when it has none."""
        return self.gateway.port if self.gateway else None

    @property
    def proxy_networks(self) -> tuple[str, ...]:
        """Those who may say with PROXY protocol whom a connection is for."""
        return self.gateway.proxy_networks if self.gateway else ()

    @property
    def client_authorities(self) -> tuple[str, ...]:
        """Who signs tenants' certificates, in PEM."""
        return self.gateway.client_authorities if self.gateway else ()

    def follow(self, assignment: Assignment | None) -> None:
        """Follow a new assignment."""
        self.is_known = assignment is not None
        self.gateway = assignment.gateway if assignment else None
        is_wanted = self.gateway is not None and self.gateway.accepting
        self.is_accepting = is_wanted and not self.is_leaving

    def leave(self) -> None:
        """Take no new tunnels any more."""
        self.is_leaving, self.is_accepting = True, False
