"""Login throttle: how long does somebody wait who has guessed wrong? Longer each time.

Who waits before the password is looked at is the address that has failed; an account that others
have failed on is not made to wait, so that nobody can lock its owner out. The answer to a wrong
password waits for both. Who is right makes good what the same account has failed from there, and
nothing else: whoever has an account of his own would guess at others without a wait.
"""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network

from cloudgate.values import ip_addresses, precis
from cloudgate.values.backoff import doubled

FREE_FAILURES = 3
"""So many wrong logons cost nothing: people mistype."""
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 30.0
FORGOTTEN_AFTER_SECONDS = 15 * 60.0
FAMILIAR_SECONDS = 90 * 86_400.0
"""How long it is known that somebody was right from an address, as gateways know it."""
MOST_REMEMBERED = 20_000
"""Accounts, addresses, and accounts at an address, so many of each; the ones that failed longest
ago are forgotten first."""


_LONGEST_ADDRESS = 64
"""Characters, with a zone: what is longer is none."""
_OF_ONE_SITE = 64
"""Bits of an IPv6 address that are the same for all that one subscriber has."""


def client_network(address: str) -> str:
    """What is equal for all addresses that one party can choose from: in IPv6, a whole network."""
    return _network_of(address) if len(address) <= _LONGEST_ADDRESS else address


@lru_cache(maxsize=4096)
def _network_of(address: str) -> str:
    try:
        known = ip_addresses.read(address)
    except ValueError:
        return address
    if not isinstance(known, IPv6Address):
        return str(known)
    return str(IPv6Network((int(known), _OF_ONE_SITE), strict=False))


def delay_seconds(failures: int) -> float:
    """How long to wait after so many failures in a row."""
    if failures < FREE_FAILURES:
        return 0.0
    return doubled(FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS, failures - FREE_FAILURES + 1)


@dataclass
class Counts:
    """How often each has failed lately; those that failed longest ago are forgotten first."""

    clock: Callable[[], float]
    """Seconds that only grow."""
    most: int = MOST_REMEMBERED
    _kept: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)

    def __len__(self) -> int:
        return len(self._kept)

    def of(self, who: str) -> int:
        """How often, as far as it is remembered."""
        count, at = self._kept.get(who, (0, 0.0))
        return count if self.clock() - at < FORGOTTEN_AFTER_SECONDS else 0

    def add(self, who: str) -> int:
        """Once more; how often it was with that."""
        return self._put(who, self.of(who) + 1, self.clock())

    def forget(self, who: str) -> None:
        """It never was."""
        self._kept.pop(who, None)

    def take(self, who: str, times: int) -> None:
        """So often less; the last was when it was."""
        count, at = self._kept.get(who, (0, 0.0))
        if count > times:
            self._kept[who] = (count - times, at)
        else:
            self.forget(who)

    def ages(self, most: int) -> dict[str, tuple[int, float]]:
        """Of the newest: how often, and how many seconds ago the last was."""
        now = self.clock()
        newest = list(self._kept.items())[-most:]
        return {
            who: (count, now - at)
            for who, (count, at) in newest
            if now - at < FORGOTTEN_AFTER_SECONDS
        }

    def learn(self, ages: Mapping[str, tuple[int, float]]) -> None:
        """What `ages` said before, the newest last."""
        for who, (count, age_seconds) in ages.items():
            self._put(who, count, self.clock() - age_seconds)

    def _put(self, who: str, count: int, at: float) -> int:
        self._kept.pop(who, None)
        self._kept[who] = (count, at)
        while len(self._kept) > self.most:
            self._kept.popitem(last=False)
        return count


class LoginThrottle:
    """Counts wrong logons by account and address, and says how long the next one waits."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds that only grow."""
        self._accounts = Counts(clock)
        self._addresses = Counts(clock)
        """How often all accounts together have failed from there."""
        self._accounts_at = Counts(clock)
        """Of an account from an address: that much of the above is made good when it is right.

        Counted whenever the address is, so it is never remembered for longer."""

    @property
    def remembered(self) -> int:
        """How many accounts, addresses, and accounts at an address are remembered."""
        return len(self._accounts) + len(self._addresses) + len(self._accounts_at)

    def delay_for(self, address: str) -> float:
        """How long a logon from an address waits before it is looked at."""
        return delay_seconds(self._addresses.of(client_network(address)))

    def failed(self, account: str, address: str) -> float:
        """Note a wrong logon. Returns how long its answer waits."""
        who, network = precis.key(account), client_network(address)
        self._accounts_at.add(_at(who, network))
        counts = self._accounts.add(who), self._addresses.add(network)
        return max(delay_seconds(count) for count in counts)

    def succeeded(self, account: str, address: str) -> None:
        """Forget the failures of who has logged on: of the address, those of this account alone."""
        who, network = precis.key(account), client_network(address)
        self._accounts.forget(who)
        self._addresses.take(network, self._accounts_at.of(_at(who, network)))
        self._accounts_at.forget(_at(who, network))


class FamiliarLogons:
    """Accounts that were right from an address, and hardly wrong since: others make none wait.

    Their own failures there do, and what is guessed at others by them.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """`clock`: seconds that only grow."""
        self._clock = clock
        self._right: OrderedDict[str, float] = OrderedDict()
        """When an account last was, at an address."""
        self._wrong = Counts(clock)
        """How often it was wrong since."""
        self._at_others = Counts(clock)
        """How often it was right, and another one that it named was not; never made good."""

    @property
    def remembered(self) -> int:
        """How many are remembered, and how many of their failures."""
        return len(self._right) + len(self._wrong) + len(self._at_others)

    def is_one(self, account: str, address: str) -> bool:
        """Whether an account need not wait there for what others have failed."""
        pair = _pair(account, address)
        at = self._right.get(pair)
        if at is None or self._clock() - at >= FAMILIAR_SECONDS:
            return False
        return max(self._wrong.of(pair), self._at_others.of(pair)) < FREE_FAILURES

    def succeeded(self, account: str, address: str) -> None:
        """It was right."""
        pair = _pair(account, address)
        self._right[pair] = self._clock()
        self._right.move_to_end(pair)
        while len(self._right) > MOST_REMEMBERED:
            self._right.popitem(last=False)
        self._wrong.forget(pair)

    def failed(self, account: str, address: str, *, at_another: bool = False) -> None:
        """It was wrong; `at_another`: it was right, and another one that it named was wrong."""
        (self._at_others if at_another else self._wrong).add(_pair(account, address))


def _pair(account: str, address: str) -> str:
    return _at(precis.key(account), client_network(address))


def _at(who: str, network: str) -> str:
    return f"{network}\n{who}"
