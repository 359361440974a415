"""Which refusals are to be written down? The first of many, so that nobody fills the log."""

import ipaddress
from datetime import datetime, timedelta

NOTED_EVERY = timedelta(minutes=1)
"""How often the same sender is written down for the same call."""
MOST_NOTED = 100
"""How many are within that time, of whomever."""


class Refusals:
    """What was written down lately."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str], datetime] = {}

    def is_to_be_noted(self, sender: str, call: str, now: datetime) -> bool:
        """Whether a refusal is to be written down; it counts as written from here on.

        `sender`: a host's id, or where an unknown one speaks from.
        """
        self._noted = {
            each: noted for each, noted in self._noted.items() if now - noted < NOTED_EVERY
        }
        if (sender, call) in self._noted or len(self._noted) >= MOST_NOTED:
            return False
        self._noted[sender, call] = now
        return True


def network_of(address: str) -> str:
    """Whom an address counts for: an IPv6 one for its network of 64 bits, which is one machine's.

    What is no address, counts for itself.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address
    if found.version == 4:  # noqa: PLR2004  IPv4
        return address
    return str(ipaddress.ip_network((found, 64), strict=False))
