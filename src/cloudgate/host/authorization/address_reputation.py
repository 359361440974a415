"""Address reputation: who was right from there before, and who was wrong? Kept over restarts.

It lets nobody in. It decides whose password is looked at first while many wait, so what is lost of
it costs time and nothing else. No password is in it, nor what could be made of one.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import Path
from uuid import UUID

import structlog
from pydantic import BaseModel, ValidationError

from cloudgate.host.state.files import read_if_there, write_private
from cloudgate.trust.login_throttle import FREE_FAILURES, Counts, client_network

FAMILIAR_DAYS = 90
"""How long it is known that somebody was right from an address."""
MOST_FAMILIAR = 20_000
"""Tenants with the addresses that they come from."""
MOST_KEPT = 2000
"""Addresses that were wrong, or asked, whose number is written down; more are remembered."""
KEEP_SECONDS = 10.0
"""How often what is new is written down."""

_SECONDS_A_DAY = 86_400
_IPV4_NETWORK, _IPV6_NETWORK = 24, 48
"""Bits of an address that are the same for neighbours."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Reputation:
    """How somebody at an address has behaved."""

    familiar: bool = False
    """Was right from there for the same tenant before, and hardly wrong since."""
    wrong: int = 0
    """Wrong passwords from there lately."""
    asked: int = 0
    """Passwords that were said from there lately, since one was right."""
    wrong_around: int = 0
    """Wrong passwords lately from there and its neighbours."""


class StoredReputation(BaseModel):
    """The reputation of addresses as it is written down, for the next host service."""

    familiar: dict[str, int] = {}
    """By tenant with an address: the last day, counted from 1970."""
    wrong: dict[str, tuple[int, float]] = {}
    """By address: how often, and how many seconds before `kept_at`."""
    asked: dict[str, tuple[int, float]] = {}
    """The same for what was asked at all."""
    kept_at: float = 0.0
    """Seconds since 1970."""


class AddressReputation:
    """What is remembered of addresses. An IPv6 address stands for its whole network of 64 bits."""

    def __init__(
        self,
        path: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Remember what `path` says, if anything; nothing is written down without one.

        Args:
            path: the file.
            clock: seconds since 1970.
        """
        self._path = path
        self._clock = clock
        self._familiar: OrderedDict[str, int] = OrderedDict()
        self._wrong = Counts(clock)
        self._wrong_around = Counts(clock)
        self._wrong_for = Counts(clock)
        self._asked = Counts(clock)
        self._is_new = self._complained = False
        if path is not None:
            self._read(path)

    def standing_of(self, who: UUID | None, address: str) -> Reputation:
        """How somebody at an IP address stands.

        Args:
            who: the tenant that it says to be; None when nobody has that name.
            address: where it comes from.
        """
        whose = client_network(address)
        pair = f"{who} {whose}"
        familiar = who is not None and self._familiar.get(pair, 0) > self._today - FAMILIAR_DAYS
        return Reputation(
            familiar=familiar and self._wrong_for.of(pair) < FREE_FAILURES,
            wrong=self._wrong.of(whose),
            asked=self._asked.of(whose),
            wrong_around=self._wrong_around.of(_network(address)),
        )

    def record_success(self, who: UUID, address: str) -> None:
        """It has said the right password."""
        pair = f"{who} {client_network(address)}"
        if self._familiar.get(pair) != self._today:
            self._is_new = True
        self._familiar[pair] = self._today
        self._familiar.move_to_end(pair)
        while len(self._familiar) > MOST_FAMILIAR:
            self._familiar.popitem(last=False)
        self._wrong_for.forget(pair)
        self._asked.forget(client_network(address))

    def record_failure(self, who: UUID | None, address: str) -> None:
        """It has said a wrong one."""
        whose = client_network(address)
        self._wrong.add(whose)
        self._wrong_around.add(_network(address))
        if who is not None:
            self._wrong_for.add(f"{who} {whose}")
        self._is_new = True

    def record_attempt(self, address: str) -> None:
        """A password was said from there that has to be looked at."""
        self._asked.add(client_network(address))
        self._is_new = True

    def forget_others(self, known: Callable[[UUID], bool]) -> None:
        """Forget the tenants that are not here any more."""
        for pair in [each for each in self._familiar if not known(UUID(each.partition(" ")[0]))]:
            del self._familiar[pair]
            self._is_new = True

    async def run(self, known: Callable[[UUID], bool]) -> None:
        """Write down for ever what is new.

        Args:
            known: whether a tenant still is here.
        """
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            self.forget_others(known)
            await asyncio.to_thread(self._write, self._news())

    def keep(self) -> None:
        """Write down what is new."""
        self._write(self._news())

    def _news(self) -> str:
        """What has to be written down; empty when nothing is new."""
        if not self._is_new:
            return ""
        self._is_new = False
        return StoredReputation(
            familiar=dict(self._familiar),
            wrong=self._wrong.ages(MOST_KEPT),
            asked=self._asked.ages(MOST_KEPT),
            kept_at=self._clock(),
        ).model_dump_json()

    def _write(self, news: str) -> None:
        if self._path is None or not news:
            return
        try:
            write_private(self._path, news)
        except OSError as error:
            # Whatever is wrong with the disk is told elsewhere; here it costs only time.
            self._is_new = True
            if not self._complained:
                _log.warning("the reputation of addresses is not kept", reason=str(error))
            self._complained = True
        else:
            self._complained = False

    @property
    def _today(self) -> int:
        return int(self._clock() // _SECONDS_A_DAY)

    def _read(self, path: Path) -> None:
        try:
            kept = StoredReputation.model_validate_json(read_if_there(path) or "{}")
            self._familiar.update(kept.familiar)
            for pair in kept.familiar:
                UUID(pair.partition(" ")[0])
        except (OSError, ValidationError, ValueError) as error:
            _log.warning("the reputation of addresses begins anew", problem=type(error).__name__)
            self._familiar.clear()
            return
        age_seconds = max(0.0, self._clock() - kept.kept_at)
        for counts, known in ((self._wrong, kept.wrong), (self._asked, kept.asked)):
            counts.learn({who: (n, age + age_seconds) for who, (n, age) in known.items()})


def _network(address: str) -> str:
    """What is equal for all addresses around this one."""
    try:
        known = ip_address(address)
    except ValueError:
        return address
    if isinstance(known, IPv6Address):
        return str(IPv6Network((int(known), _IPV6_NETWORK), strict=False))
    return str(IPv4Network((int(known), _IPV4_NETWORK), strict=False))
