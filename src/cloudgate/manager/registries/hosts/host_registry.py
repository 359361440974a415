"""Host registry: what is known of each host that is forgotten with it?"""

from datetime import datetime
from uuid import UUID

from cloudgate.manager.registries.hosts.clones import CloneDetector
from cloudgate.manager.registries.hosts.fact_changes import FactChangeThrottle
from cloudgate.manager.registries.hosts.host_refusals import HostRefusals
from cloudgate.manager.registries.hosts.listening_time import ListeningTime
from cloudgate.manager.registries.hosts.presence import Presence
from cloudgate.manager.registries.hosts.shared_tunnels import SharedTunnels
from cloudgate.manager.registries.hosts.source_addresses import SourceAddresses
from cloudgate.manager.registries.message_order import MessageOrder
from cloudgate.manager.registries.poll_order import PollOrder
from cloudgate.manager.registries.reported_guesses import ReportedGuesses


class HostRegistry:
    """When each host was heard of, from where, and what was refused that came in its name."""

    def __init__(
        self, began: datetime | None = None, listening: ListeningTime | None = None
    ) -> None:
        """What it goes by.

        Args:
            began: when nobody had been heard yet; when it is first asked where left out.
            listening: for how long anybody could be heard.
        """
        self.listening = listening or ListeningTime()
        self.presence = Presence(began, self.listening)
        self.clones = CloneDetector(self.presence)
        self.refusals = HostRefusals(self.presence)
        self.addresses = SourceAddresses()
        self.fact_changes = FactChangeThrottle()
        self.order = MessageOrder()
        self.polls = PollOrder()
        self.guesses = ReportedGuesses()
        """What it told of strangers."""
        self.tunnels = SharedTunnels()
        """Live ones, for the many who look."""

    def forget(self, server_id: UUID) -> None:
        """The host has no business here any more, or has to be heard anew."""
        for each in (
            self.presence,
            self.clones,
            self.refusals,
            self.addresses,
            self.fact_changes,
            self.order,
            self.polls,
            self.guesses,
            self.tunnels,
        ):
            each.forget(server_id)
