"""Happy Eyeballs (RFC 8305): which of a name's addresses takes a connection, and soonest?

They are tried one beside the other, the families in turn. What worked is tried first the next time,
by whoever dials in this process, and what failed comes last for a while.
"""

import asyncio
import socket
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address

from cloudgate.network.lookups import LOOKUPS, ask_the_system
from cloudgate.network.race import race

ATTEMPT_DELAY_SECONDS = 0.25
"""How long an address is waited for alone (RFC 8305, section 5)."""
LONGEST_PATIENCE_SECONDS = 10.0
"""How long several addresses have to take a connection, where nobody says so."""
FAILED_SECONDS = 600.0
"""How long an address that failed comes after those that did not."""
WORKED_SECONDS = 24 * 3600.0
"""How long an address that worked comes before those of which nothing is known."""
KEPT = 4096
"""Addresses that something is known of at most; the oldest go first."""


def interleaved(addresses: Iterable[str]) -> list[str]:
    """The addresses with the families in turn, beginning with that of the first. Pure.

    RFC 8305, section 4: that a whole family does not work costs one delay, however many there are.
    """
    each = list(dict.fromkeys(addresses))
    first = [address for address in each if _is_v6(address) == _is_v6(each[0])]
    other = [address for address in each if _is_v6(address) != _is_v6(each[0])]
    found = []
    for at in range(max(len(first), len(other))):
        found += [*first[at : at + 1], *other[at : at + 1]]
    return found


@dataclass(frozen=True)
class _Outcome:
    worked: bool
    at_seconds: float


class AddressHistory:
    """What is known of addresses with ports, by whether they took a connection the last time."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        """`clock_seconds`: a clock that only goes on."""
        self._clock_seconds = clock_seconds
        self._known: OrderedDict[tuple[str, int], _Outcome] = OrderedDict()

    def record(self, address: str, port: int, *, worked: bool) -> None:
        """How a connection has ended that was tried."""
        self._known[address, port] = _Outcome(worked, self._clock_seconds())
        self._known.move_to_end((address, port))
        while len(self._known) > KEPT:
            self._known.popitem(last=False)

    def in_order(self, addresses: Iterable[str], port: int) -> list[str]:
        """The addresses in the order in which to try them: RFC 8305's, but for what is known."""
        return sorted(interleaved(addresses), key=lambda address: self._rank(address, port))

    def _rank(self, address: str, port: int) -> int:
        known = self._known.get((address, port))
        if known is None:
            return 1
        age_seconds = self._clock_seconds() - known.at_seconds
        if known.worked:
            return 0 if age_seconds < WORKED_SECONDS else 1
        return 2 if age_seconds < FAILED_SECONDS else 1


EXPERIENCE = AddressHistory()
"""Of this process."""


class NoAllowedAddressError(Exception):
    """A name leads to addresses, but to none that may be dialled."""


def anywhere(_address: str) -> bool:
    """Every address may be dialled."""
    return True


def _allowed(addresses: Iterable[str], allows: Callable[[str], bool]) -> list[str]:
    """The addresses of a name, as far as they may be dialled.

    Raises:
        NoAllowedAddressError: none of them may.
    """
    found = [each for each in addresses if allows(each)]
    if not found:
        raise NoAllowedAddressError
    return found


async def connect(
    host: str,
    port: int,
    experience: AddressHistory = EXPERIENCE,
    allows: Callable[[str], bool] = anywhere,
) -> socket.socket:
    """A connection to a host name or IP address. Cancel it to give up.

    Raises:
        OSError: the name has no address (`socket.gaierror`), or none of them takes a connection:
            the last one's reason.
        UnicodeError: DNS could have no such name.
        NoAllowedAddressError: it leads only where `allows` forbids.
    """
    found = await LOOKUPS.look_up(host, port)
    return (await connect_to(_allowed(found, allows), port, experience))[1]


async def open_tls(
    host: str,
    port: int,
    context: ssl.SSLContext,
    allows: Callable[[str], bool] = anywhere,
    *,
    limit_bytes: int = 2**16,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TLS connection to a host name or IP address. Cancel it to give up.

    Raises:
        OSError: as `connect`, or TLS fails (`ssl.SSLError`).
        UnicodeError: as `connect`.
    """
    with _closed_where_it_fails(await connect(host, port, allows=allows)) as connection:
        return await asyncio.open_connection(
            sock=connection, ssl=context, server_hostname=host, limit=limit_bytes
        )


async def open_tls_transport(
    protocol: Callable[[], asyncio.Protocol], host: str, port: int, context: ssl.SSLContext
) -> asyncio.Transport:
    """The same with a protocol of asyncio's on it.

    Raises:
        OSError, UnicodeError: as `open_tls`.
    """
    with _closed_where_it_fails(await connect(host, port)) as connection:
        transport, _ = await asyncio.get_running_loop().create_connection(
            protocol, sock=connection, ssl=context, server_hostname=host
        )
    return transport


@contextmanager
def _closed_where_it_fails(connection: socket.socket) -> Iterator[socket.socket]:
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


async def connect_to(
    addresses: Sequence[str], port: int, experience: AddressHistory = EXPERIENCE
) -> tuple[str, socket.socket]:
    """The first of the addresses that takes a connection, and the connection.

    Raises:
        OSError: none does: the last one's reason.
    """
    last: BaseException = OSError("the name has no address")
    begun: list[str] = []

    async def attempt(address: str) -> socket.socket:
        begun.append(address)
        return await _connected(address, port)

    def failed(address: str, problem: BaseException) -> None:
        nonlocal last
        if not isinstance(problem, OSError):
            raise problem
        experience.record(address, port, worked=False)
        last = problem

    found = await race(
        experience.in_order(addresses, port),
        attempt,
        patience_seconds=ATTEMPT_DELAY_SECONDS,
        failed=failed,
        discard=lambda connection: connection.close(),
    )
    if found is None:
        raise last
    for late in begun[: begun.index(found[0])]:
        # It had its time alone, and another one that began later was there before it.
        experience.record(late, port, worked=False)
    experience.record(found[0], port, worked=True)
    return found


async def in_order_now(
    addresses: Sequence[str],
    port: int,
    patience_seconds: float,
    experience: AddressHistory = EXPERIENCE,
) -> list[str]:
    """The addresses, the best first: where there are several, they are tried.

    When none takes a connection within `patience_seconds`, by what is known.
    """
    if len(set(addresses)) > 1:
        try:
            async with asyncio.timeout(patience_seconds):
                (await connect_to(addresses, port, experience))[1].close()
        except (
            OSError
        ):  # ECONNREFUSED, TimeoutError and so on: who dials them finds out what is wrong
            pass
    return experience.in_order(addresses, port)


def best_address(
    host: str,
    port: int,
    patience_seconds: float | None,
    experience: AddressHistory = EXPERIENCE,
    allows: Callable[[str], bool] = anywhere,
) -> str:
    """The address to dial for a host name or IP address, in a thread without an event loop.

    Raises:
        socket.gaierror: the name has no address.
        UnicodeError: DNS could have no such name.
        NoAllowedAddressError: it leads only where `allows` forbids.
    """
    addresses = _allowed(ask_the_system(host, port), allows)
    if len(set(addresses)) == 1:
        return addresses[0]
    return asyncio.run(in_order_now(addresses, port, _patience(patience_seconds), experience))[0]


async def find_best_address(
    host: str, port: int, patience_seconds: float | None, experience: AddressHistory = EXPERIENCE
) -> str:
    """The same where there is an event loop.

    Raises:
        socket.gaierror, UnicodeError: as `best_address`.
    """
    addresses = _allowed(await LOOKUPS.look_up(host, port), anywhere)
    return (await in_order_now(addresses, port, _patience(patience_seconds), experience))[0]


def _patience(seconds: float | None) -> float:
    return LONGEST_PATIENCE_SECONDS if seconds is None else seconds


async def _connected(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if _is_v6(address) else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(0)
        await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException:
        connection.close()
        raise
    return connection


def _is_v6(address: str) -> bool:
    return ip_address(address.partition("%")[0]).version == 6  # noqa: PLR2004  of the protocol
