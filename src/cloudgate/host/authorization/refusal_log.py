"""Refused requests in the log: which have a line of their own, and how are the rest summed up?

Who is refused costs next to nothing to be so again, many times a second; a log that has a line for
each fills a disk, and hides what matters.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import structlog

from cloudgate.errors import UnavailableError
from cloudgate.host.access_log.record import LEFT_OUT
from cloudgate.host.envoy.admin_client import AdminClient
from cloudgate.trust.login_throttle import client_network

SUMMED_SECONDS = 60.0
"""How long refusals are put together before they are told."""
TOLD_ONE_BY_ONE = 20
"""Refusals in that time that have a line of their own."""
MOST_KINDS = 20
"""Kinds of refusals in that time that are told apart; more are told as others."""
MOST_ADDRESSES = 10_000
"""Addresses in that time that are told apart."""
OTHERS = "others"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class RefusedRequest:
    """A request that became no tunnel."""

    tenant: str
    target: str
    status: int
    reason: str
    address: str = ""
    """IP address that it came from."""


@dataclass
class RefusalLog:
    """Counts requests that became no tunnel, until they are summed up in the log."""

    _told: int = 0
    _kinds: Counter[tuple[int, str]] = field(default_factory=Counter)
    _addresses: Counter[str] = field(default_factory=Counter)
    _given_up: int = 0
    _left_out: int = 0
    """What Envoy has counted so far of lines that it left out of the access log."""

    def record(self, refused: RefusedRequest) -> None:
        """This was refused."""
        self._addresses[
            self._bounded_name(client_network(refused.address), self._addresses, MOST_ADDRESSES)
        ] += 1
        if self._told < TOLD_ONE_BY_ONE:
            self._told += 1
            _log.info(
                "tunnel refused",
                tenant=refused.tenant,
                target=refused.target,
                status=refused.status,
                reason=refused.reason,
            )
            return
        kind = refused.status, refused.reason
        if kind not in self._kinds and len(self._kinds) >= MOST_KINDS:
            kind = refused.status, OTHERS
        self._kinds[kind] += 1

    def record_given_up(self) -> None:
        """Who asked went away before there was an answer."""
        self._given_up += 1

    async def run(self, admin: AdminClient) -> None:
        """Sum up for ever."""
        while True:
            await asyncio.sleep(SUMMED_SECONDS)
            self.sum_up(await self._newly_left_out(admin))

    def sum_up(self, left_out: int = 0) -> None:
        """Tell of all that has no line of its own, and begin anew.

        Args:
            left_out: requests since the last time that have no line in the access log.
        """
        for (status, reason), times in self._kinds.most_common():
            _log.info("tunnels refused", times=times, status=status, reason=reason)
        if self._kinds or self._given_up or left_out:
            most_from, most = next(iter(self._addresses.most_common(1)), ("", 0))
            _log.warning(
                "refused requests are summed up",
                seconds=SUMMED_SECONDS,
                refused=sum(self._addresses.values()),
                given_up=self._given_up,
                addresses=len(self._addresses),
                most_from=most_from,
                most=most,
                left_out_of_the_access_log=left_out,
            )
        self._told = self._given_up = 0
        self._kinds.clear()
        self._addresses.clear()

    async def _newly_left_out(self, admin: AdminClient) -> int:
        try:
            counted = (await admin.counters(LEFT_OUT)).get(LEFT_OUT, 0)
        except UnavailableError:
            return 0  # there is none, or it is asked again
        before, self._left_out = self._left_out, counted
        return counted - before if counted >= before else counted  # an Envoy that began anew

    @staticmethod
    def _bounded_name(who: str, among: Counter[str], most: int) -> str:
        return who if who in among or len(among) < most else OTHERS
