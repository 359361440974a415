"""How long does somebody wait who has guessed wrong? Longer each time.

Who waits before the password is looked at is the address that has failed; an account that others
have failed on is not made to wait, so that nobody can lock its owner out. The answer to a wrong
password waits for both.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, IPv6Network, ip_address

FREE_FAILURES = 3
"""So many wrong logons cost nothing: people mistype."""
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
FORGOTTEN_AFTER_SECONDS = 15 * 60.0
MOST_REMEMBERED = 20_000
"""Accounts and addresses; the ones that failed longest ago are forgotten first."""


_OF_ONE_SITE = 64
"""Bits of an IPv6 address that are the same for all that one subscriber has."""


def origin(address: str) -> str:
    """What is equal for all addresses that one party can choose from: in IPv6, a whole network."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if isinstance(known, IPv6Address) and known.ipv4_mapped is None:
        return str(IPv6Network((int(known), _OF_ONE_SITE), strict=False))
    return address


def delay_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    if failures < FREE_FAILURES:
        return 0.0
    doubled = min(failures - FREE_FAILURES, 16)
    return float(min(FIRST_DELAY_SECONDS * 2**doubled, LONGEST_DELAY_SECONDS))


@dataclass
class Failures:
    """Wrong logons that are remembered, by account and by address."""

    clock: Callable[[], float]
    """Seconds that only grow."""
    _kept: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)

    @property
    def remembered(self) -> int:
        """How many accounts and addresses are remembered."""
        return len(self._kept)

    def delay_before(self, address: str) -> float:
        """How long a logon from an address waits before it is looked at."""
        return delay_seconds(self._count(f"address {origin(address)}"))

    def failed(self, account: str, address: str) -> float:
        """Note a wrong logon. Returns how long its answer waits."""
        keys = f"account {account.casefold()}", f"address {origin(address)}"
        counts = [self._note(each) for each in keys]
        return max(delay_seconds(count) for count in counts)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of who has logged on."""
        self._kept.pop(f"account {account.casefold()}", None)
        self._kept.pop(f"address {origin(address)}", None)

    def _count(self, key: str) -> int:
        count, at = self._kept.get(key, (0, 0.0))
        return count if self.clock() - at < FORGOTTEN_AFTER_SECONDS else 0

    def _note(self, key: str) -> int:
        count = self._count(key) + 1
        self._kept.pop(key, None)
        self._kept[key] = (count, self.clock())
        while len(self._kept) > MOST_REMEMBERED:
            self._kept.popitem(last=False)
        return count
