"""Reachability probe: do tenants who dial an advertised address end up at that gateway?

The manager is not where tenants are, so that a failure is a warning: a NAT device that does not
turn around what comes from inside, for one, lets tenants through and not the manager.
"""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from cloudgate.background import Job
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.host_protocol import reachability as gateways
from cloudgate.manager.host_protocol.gateway_progress import ReachabilityCheck
from cloudgate.manager.jobs.threads import run_in_thread
from cloudgate.network.destinations import is_loopback, is_never, is_own_name
from cloudgate.network.happy_eyeballs import NoAllowedAddressError, open_tls
from cloudgate.trust.unreadable import UNREADABLE
from cloudgate.values.timestamps import has_come

log = structlog.get_logger(__name__)

ANSWER_SECONDS = 3.0
"""How long the gateway has for a TLS handshake."""
LOOK_SECONDS = 10.0
"""How often is looked which gateways are to be dialled again."""
MOST_AT_ONCE = 4
"""How many are dialled at a time."""
_FORGOTTEN_AFTER = timedelta(hours=1)

Prober = Callable[[ReachabilityCheck], Awaitable[str]]


async def dial(reach: ReachabilityCheck) -> str:
    """Why the advertised address does not lead to the gateway; empty when it does."""
    where = f"{reach.address}, port {reach.port}"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # the certificate itself is what is compared
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            _, writer = await open_tls(reach.address, reach.port, context, _may_be(reach))
    except (OSError, UnicodeError, NoAllowedAddressError) as problem:
        return _why_not(problem, where)
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    if not _is_same(shown, reach.certificate_chain_pem):
        return f"Another server than this gateway answers at {where}, as seen from the manager."
    return ""


def _why_not(problem: Exception, where: str) -> str:
    if isinstance(problem, NoAllowedAddressError):
        return (
            f"{where} is not dialled by the manager: it leads to the manager's own machine, or to"
            " no address that a gateway can have."
        )
    if isinstance(problem, TimeoutError):
        return f"Nothing answers at {where}, as seen from the manager."
    if isinstance(problem, ssl.SSLError):
        return f"What answers at {where}, as seen from the manager, does not speak TLS."
    why = "the name is none that DNS could know"
    if isinstance(problem, OSError):
        why = problem.strerror or str(problem) or "the connection was closed"
    return f"{where} cannot be reached from the manager: {why}."


def _may_be(reach: ReachabilityCheck) -> Callable[[str], bool]:
    """Where a gateway's name may lead: it is not to lead the manager to itself."""
    # Who named the manager's own machine itself, and not a name that leads there, was let to.
    may_be_here = reach.is_here or is_loopback(reach.address) or is_own_name(reach.address)
    return lambda address: not is_never(address) and (may_be_here or not is_loopback(address))


def _is_same(shown_der: bytes | None, chain_pem: str) -> bool:
    if not shown_der or not chain_pem:
        return False
    expected = x509.load_pem_x509_certificates(chain_pem.encode())[0]
    try:
        shown = x509.load_der_x509_certificate(shown_der)
    except UNREADABLE:
        return False
    return shown.fingerprint(hashes.SHA256()) == expected.fingerprint(hashes.SHA256())


class ReachabilityMonitor:
    """Dials each gateway that listens, now and then, while the manager runs."""

    def __init__(self, manager: Manager, prober: Prober) -> None:
        self._manager = manager
        self._prober = prober
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._began = manager.clock()
        self._dialled: dict[UUID, tuple[datetime, float]] = {}
        """When each was last dialled, and the share of the interval to wait from then on."""

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Dialling gateways at their advertised addresses",
            attempt=self._attempt,
            interval_seconds=LOOK_SECONDS,
        )

    async def _attempt(self) -> None:
        due = await run_in_thread(self._due)
        done = await asyncio.gather(*map(self._dial, due), return_exceptions=True)
        # One that fails keeps none of the others from being dialled.
        for problem in done:
            if problem is not None:
                raise problem

    def _due(self) -> list[UUID]:
        with self._manager.reading() as work:
            listening = gateways.listening_gateways(
                work, self._manager.figures.reports.has_reported
            )
        for each in listening:
            # At the start all are there at once: chance spreads them over the first interval.
            self._dialled.setdefault(each, (self._began, random.random()))  # noqa: S311  no secret
        for each in self._dialled.keys() - listening.keys():
            if work.now - self._dialled[each][0] > _FORGOTTEN_AFTER:
                del self._dialled[each]
        return [
            each
            for each, warned in listening.items()
            if has_come(
                gateways.due_at(*self._dialled[each], warned=warned),
                work.now,
                gateways.USUAL_INTERVAL * gateways.LONGEST_SHARE,
            )
        ]

    async def _dial(self, gateway_id: UUID) -> None:
        async with self._at_once:
            reach = await run_in_thread(self._reach, gateway_id)
            if reach is None:
                return
            share = random.uniform(0.75, gateways.LONGEST_SHARE)  # noqa: S311  no secret
            self._dialled[gateway_id] = (self._manager.clock(), share)
            warning = await self._prober(reach)
            await run_in_thread(self._keep, reach, warning)

    def _reach(self, gateway_id: UUID) -> ReachabilityCheck | None:
        with self._manager.reading() as work:
            return gateways.reachability_recheck_of(work, gateway_id)

    def _keep(self, reach: ReachabilityCheck, warning: str) -> None:
        with self._manager.reading() as work:
            if not gateways.has_news(work, reach, warning):
                return
        with self._manager.changing() as work:
            is_told = gateways.record_reachability(work, reach, warning)
        if not is_told:
            return
        if warning:
            log.warning("a gateway is not reached", reason=warning)
        else:
            log.info("a gateway is reached again", address=reach.address, port=reach.port)
