"""Host faults: of which hosts could data not be used, and which could not be answered?"""

from uuid import UUID


class HostFaults:
    """Managed servers whose data could not be used. May be called from any thread."""

    def __init__(self) -> None:
        self._of_data: dict[UUID, str] = {}
        self._of_polls: dict[UUID, str] = {}

    def record(self, server_id: UUID, warning: str) -> None:
        """Something that is kept of a server cannot be used."""
        self._of_data[server_id] = warning

    def cut_off(self, server_id: UUID, warning: str) -> None:
        """A host's poll could not be answered: it hears of no change."""
        self._of_polls[server_id] = warning

    def is_cut_off(self, server_id: UUID) -> bool:
        """Whether the host's last poll could not be answered."""
        return server_id in self._of_polls

    def cut_off_servers(self) -> frozenset[UUID]:
        """The hosts whose last poll could not be answered."""
        return frozenset(self._of_polls)

    def reconnect(self, server_id: UUID) -> bool:
        """A host's poll was answered. Whether the one before was not."""
        return self._of_polls.pop(server_id, None) is not None

    def clear(self, server_id: UUID) -> None:
        """What is kept of a server can be used."""
        self._of_data.pop(server_id, None)

    def about(self, server_id: UUID) -> str:
        """For the operator; empty when there is nothing to say."""
        if not self._of_polls and not self._of_data:
            return ""
        found = (self._of_polls.get(server_id, ""), self._of_data.get(server_id, ""))
        return " ".join(text for text in found if text)
