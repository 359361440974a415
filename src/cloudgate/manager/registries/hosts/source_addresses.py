"""Source addresses: when did each host last speak from which address?"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

KEPT_FOR = timedelta(minutes=10)
"""How long an address is kept that is not heard of, while another one is."""


class SourceAddresses:
    """From where hosts have spoken lately. May be used from any thread."""

    def __init__(self) -> None:
        self._at: dict[UUID, dict[str, datetime]] = {}

    def record(self, server_id: UUID, address: str, now: datetime) -> Mapping[str, datetime]:
        """A host has spoken from an address. When it last did from which, this time left out."""
        noted = self._at.get(server_id, {})
        before = {each: min(at, now) for each, at in noted.items()}
        kept = {each: at for each, at in before.items() if now - at < KEPT_FOR}
        kept[address] = now
        self._at[server_id] = kept
        return before

    def forget(self, server_id: UUID) -> None:
        """It has spoken from nowhere."""
        self._at.pop(server_id, None)
