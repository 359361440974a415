"""Peer health: do other gateways answer? Asked only when a tenant's failover depends on it."""

import asyncio
import errno
import ssl
import time
from collections.abc import Callable, Collection, Coroutine, Sequence
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from cryptography import x509

from cloudgate.host.authorization.singleflight import SingleFlight
from cloudgate.host.platform.addresses import host_addresses
from cloudgate.network.happy_eyeballs import connect_to
from cloudgate.network.lookups import LOOKUPS, nobody_answers
from cloudgate.protocol import Peer
from cloudgate.trust.certificate_names import not_covered
from cloudgate.trust.unreadable import UNREADABLE

_OUR_OWN_LACK = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL)
FRESH_SECONDS = 2.0
"""How long an answer counts."""
ANSWER_SECONDS = 1.5
"""How long a gateway has to take a connection before it counts as down."""


# Their certificates may be from anybody. Nothing is told to them, and little depends on it.
_anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_anybody.check_hostname = False
_anybody.verify_mode = ssl.CERT_NONE


class PeerHealthChecker:
    """Says whether other gateways answer, by dialling them; what it found is good for a moment."""

    def __init__(
        self,
        clock_seconds: Callable[[], float] = time.monotonic,
        own: Callable[[], Collection[str]] | None = None,
    ) -> None:
        """`own`: the addresses of this machine at which others may reach it."""
        self._clock_seconds = clock_seconds
        self._own = own or _reachable
        self._found: dict[UUID, tuple[float, bool]] = {}
        self._asked: SingleFlight[UUID, bool] = SingleFlight(goes_on=True)

    async def all_down(self, peers: Sequence[Peer]) -> bool:
        """Whether none of them takes a connection."""
        return not any(await asyncio.gather(*(self._is_healthy(peer) for peer in peers)))

    async def _is_healthy(self, peer: Peer) -> bool:
        known = self._found.get(peer.gateway_id)
        if known is not None and known[0] > self._clock_seconds():
            return known[1]
        return await self._asked.do(peer.gateway_id, lambda: self._ask(peer))

    def close(self) -> None:
        """Ask nobody any more."""
        self._asked.close()

    async def _ask(self, peer: Peer) -> bool:
        up = await _answers(peer, self._own())
        self._found[peer.gateway_id] = (self._clock_seconds() + FRESH_SECONDS, up)
        return up


def _reachable() -> Collection[str]:
    return [each for each in host_addresses() if not ip_address(each).is_loopback]


async def _answers(peer: Peer, own: Collection[str]) -> bool:
    """Whether it does where tenants find it, or inside the provider's network.

    Not every router turns around what comes from inside and is meant for its outside. Where this
    machine has the same address, it would meet itself.
    """
    others = (each for each in peer.inside_addresses if each not in own)
    inside = (_is_self(each, peer) for each in others)
    lookup = asyncio.create_task(LOOKUPS.look_up(peer.address, peer.port))
    try:
        is_up = await _first_true((_takes_connections(lookup, peer.port), *inside))
        # A name server that is silent, and so was given up, says nothing of the peer.
        return is_up or lookup.cancelled()
    finally:
        lookup.cancel()


async def _first_true(questions: Sequence[Coroutine[Any, Any, bool]]) -> bool:
    """Whether one of the answers is yes, by the first that is."""
    asking = {asyncio.create_task(each) for each in questions}
    try:
        for answer in asyncio.as_completed(asking, timeout=ANSWER_SECONDS):
            if await answer:
                return True
    except TimeoutError:
        pass
    finally:
        for each in asking:
            each.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
    return False


async def _takes_connections(lookup: asyncio.Task[list[str]], port: int) -> bool:
    try:
        (await connect_to(await lookup, port))[1].close()
    except OSError as error:
        return _says_nothing(error)
    except UnicodeError:
        return False
    return True


async def _is_self(address: str, peer: Peer) -> bool:
    """Whether it is this gateway that answers there: private addresses are used more than once."""
    try:
        _, writer = await asyncio.open_connection(address, peer.inside_port, ssl=_anybody)
    except OSError as error:
        return _says_nothing(error)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    if shown is None:
        return False
    names = {peer.name, peer.address}
    try:
        return len(not_covered(names, x509.load_der_x509_certificate(shown))) < len(names)
    except UNREADABLE:
        return False


def _says_nothing(error: OSError) -> bool:
    """Whether a peer is not down by that: what failed is here, or with who knows names."""
    return error.errno in _OUR_OWN_LACK or nobody_answers(error)
