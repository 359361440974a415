"""Resolver: which IP addresses has the host that a tunnel goes to, and which of them answers?

What a name server says is not to be trusted: it may belong to a tenant. A name leads to no address
that only this machine means, or that is this machine. An operator who wants that names the address.

Of several addresses the one comes first that has just taken a connection: Envoy tries them one
after the other, and would wait for one that is dead.

Name servers fail, too: what one said last is used for a day while none answers (RFC 8767), and one
that is slow keeps nobody waiting who comes again.
"""

import asyncio
import ipaddress
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

import structlog

from cloudgate.errors import AccessDeniedError, UnavailableError
from cloudgate.host.authorization.singleflight import SingleFlight
from cloudgate.host.envoy.xds_resources import MOST_OTHER_ADDRESSES
from cloudgate.host.platform.addresses import host_addresses
from cloudgate.network import hostport
from cloudgate.network.destinations import final_address, is_loopback, is_never
from cloudgate.network.happy_eyeballs import AddressHistory, in_order_now
from cloudgate.network.lookups import Find, Lookups, ask_the_system, nobody_answers

FRESH_SECONDS = 10.0
"""How long an answer is used again; short, so that a repository that moves is found."""
STALE_SECONDS = 24 * 3600.0
"""How long it is used while no name server answers."""
LOOKUP_SECONDS = 5.0
LOOKUP_AGAIN_SECONDS = 1.0
"""How long a new answer is waited for where there is an old one."""
ANSWER_SECONDS = 3.0
"""How long the addresses of a name have to take a connection before they are told as they are."""
MOST_ADDRESSES = 1 + MOST_OTHER_ADDRESSES
"""That one tunnel tries."""
KEPT = 4096
"""Answers that are kept at most; the oldest go first."""
_MOST_LOOKUPS = 8
"""Names of targets at a time, beside those that this host dials itself."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Answer:
    addresses: tuple[str, ...]
    """IP and port of each, the best first."""
    at_seconds: float


class _SilentError(UnavailableError):
    """No name server answers, or none was asked; that says nothing of the name."""


class Resolver:
    """Finds an address of a name that takes connections; answers are remembered for a while."""

    def __init__(
        self,
        clock_seconds: Callable[[], float] = time.monotonic,
        own: Callable[[], Collection[str]] = host_addresses,
        find: Find | None = None,
    ) -> None:
        """What it asks.

        Args:
            clock_seconds: a clock that only goes on.
            own: the addresses of this machine.
            find: the addresses of a host and port; it blocks. By the system if not given.
        """
        self._own = own
        self._clock_seconds = clock_seconds
        self._lookups = Lookups(_MOST_LOOKUPS, find or ask_the_system)
        self._answers: OrderedDict[str, _Answer] = OrderedDict()
        self._experience = AddressHistory(clock_seconds)
        self._looking: SingleFlight[str, tuple[str, ...]] = SingleFlight(goes_on=True)

    async def resolve(self, address: str) -> tuple[str, ...]:
        """`IP:port` for a `host:port`; of each address that it has, the best first.

        Raises:
            AccessDeniedError: The name leads to this machine, or to nowhere else.
            UnavailableError: The name has no address, or nobody who knows it answers.
        """
        known = self._answers.get(address)
        age_seconds = self._clock_seconds() - known.at_seconds if known else STALE_SECONDS
        if known is not None and age_seconds < FRESH_SECONDS:
            return known.addresses
        usable = known if age_seconds < STALE_SECONDS else None
        try:
            async with asyncio.timeout(LOOKUP_AGAIN_SECONDS if usable else LOOKUP_SECONDS):
                return await self._looking.do(address, lambda: self._look_up(address))
        except (TimeoutError, _SilentError) as problem:
            if (now := self._answers.get(address)) is not known and now is not None:
                return now.addresses  # they are known, and none has answered yet
            host, _ = hostport.split(address)
            reason = f"No name server tells the address of {host}."
            if isinstance(problem, _SilentError):
                reason = problem.message
            if usable is None:
                raise UnavailableError(reason) from None
            _log.warning("an old address is used: no name server answers", name=host, reason=reason)
            return usable.addresses

    def close(self) -> None:
        """Ask nobody any more."""
        self._looking.close()

    async def _look_up(self, address: str) -> tuple[str, ...]:
        """The answer now; it is remembered, also when nobody waits for it any more."""
        host, port = hostport.split(address)
        found = await self._ask(host, port)
        self._remember(address, self._experience.in_order(found, port))
        best = await in_order_now(found, port, ANSWER_SECONDS, self._experience)
        return self._remember(address, best)

    def _remember(self, address: str, found: Iterable[str]) -> tuple[str, ...]:
        _, port = hostport.split(address)
        addresses = tuple(hostport.join(each, port) for each in found)[:MOST_ADDRESSES]
        self._answers[address] = _Answer(addresses, self._clock_seconds())
        self._answers.move_to_end(address)
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)
        return addresses

    async def _ask(self, host: str, port: int) -> list[str]:
        try:
            found = await self._lookups.look_up(host, port)
        except socket.gaierror as error:
            if nobody_answers(error):
                raise _SilentError(f"No name server tells the address of {host}.") from None
            raise UnavailableError(f"The name {host} has no address.") from None
        except UnicodeError:
            raise UnavailableError(f"The name {host} has no address.") from None
        except OSError as error:  # EMFILE, ENOMEM: nobody was asked
            raise _SilentError(
                f"No name server can be asked for {host}: {error.strerror}."
            ) from None
        if _is_literal(host):
            if is_never(host):
                raise AccessDeniedError(
                    f"{host} is no address that a repository can have; nobody is connected there."
                )
        else:
            own = self._own()
            found = [each for each in found if is_elsewhere(each, own)]
        if not found:
            raise AccessDeniedError(
                f"The name {host} leads to the gateway itself, where nobody is connected. If it is"
                " right, give the repository an Address with the IP address."
            )
        return found


def is_elsewhere(address: str, own: Collection[str]) -> bool:
    """Whether an IP address is that of another machine. Pure.

    Args:
        address: what a name server said.
        own: the addresses of this machine.
    """
    return (
        not is_never(address)
        and not is_loopback(address)
        and str(final_address(address)) not in own
        and address.partition("%")[0] not in own
    )


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
