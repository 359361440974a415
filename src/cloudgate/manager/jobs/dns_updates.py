"""DNS updates: which gateways does a name lead to? To those that are well, and to some in any case.

Each is dialled where tenants find it, as a machine that has died says nothing. Who misses two dials
in a row is out, unless the manager never reached it: then it is behind a router that lets tenants
through and not the manager, and what its host says counts.
"""

import asyncio
import socket
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog

from cloudgate.background import Job
from cloudgate.errors import UnavailableError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.gateways.operations import is_up, is_wanted, list_gateways
from cloudgate.manager.host_protocol.gateway_progress import (
    ReachabilityCheck,
    reachability_check_of,
)
from cloudgate.manager.jobs.reachability_probe import Prober
from cloudgate.manager.jobs.threads import run_in_thread
from cloudgate.manager.settings.dns_names import DnsNames
from cloudgate.network import hostport
from cloudgate.network.destinations import is_loopback, is_never
from cloudgate.values.enumeration import few

KEEPING = "Keeping the names of gateways in DNS"
LOOK_SECONDS = 3.0
"""From the end of a round of dials, which takes as long at most, to the next: two rounds, and so
whoever has died is out, are 12 seconds."""
MISSED = 2
"""Dials in a row, of who is out."""
MOST_AT_ONCE = 16
AGAIN_SECONDS = 600.0
"""How often a name is put where nothing has changed: somebody may have changed it there."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A gateway that its host says is well."""

    reach: ReachabilityCheck
    was_reached: bool
    """Whether the manager, when it dialled it last, reached it."""


class DnsWorker:
    """Has names lead to the gateways that are well."""

    def __init__(self, manager: Manager, prober: Prober) -> None:
        self._manager = manager
        self._prober = prober
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._missed: dict[UUID, int] = {}
        self._reached: set[UUID] = set()
        self._put: dict[str, tuple[tuple[str, ...], float]] = {}
        """By name: which addresses it has, and since when."""

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name=KEEPING,
            attempt=self._attempt,
            interval_seconds=LOOK_SECONDS,
            longest_pause_seconds=LOOK_SECONDS,
            largest_part=0.5,
        )

    async def _attempt(self) -> None:
        found = await run_in_thread(self._candidates)
        await asyncio.gather(*(self._dial(each) for some in found.values() for each in some))
        known = {each.reach.gateway_id for some in found.values() for each in some}
        self._reached &= known
        self._missed = {key: count for key, count in self._missed.items() if key in known}
        problems = []
        for name, some in found.items():
            living = [each for each in some if self._is_well(each)]
            try:
                await run_in_thread(self._keep, name, living)
            except UnavailableError as problem:
                problems.append(problem.message)
        if problems:
            raise UnavailableError(" ".join(dict.fromkeys(problems)))

    def _candidates(self) -> Mapping[str, list[Candidate]]:
        names = self._manager.dns.names
        found: dict[str, list[Candidate]] = {name: [] for name in names.values()}
        with self._manager.reading() as work:
            for gateway in list_gateways(work):
                name = names.get(gateway.pool.name if gateway.pool else "")
                if name is not None and is_wanted(gateway) and is_up(work, gateway):
                    reach = reachability_check_of(work, gateway)
                    found[name].append(Candidate(reach, not gateway.reach_warning))
        return found

    async def _dial(self, candidate: Candidate) -> None:
        key = candidate.reach.gateway_id
        async with self._at_once:
            warning = await self._prober(candidate.reach)
        if warning:
            self._missed[key] = self._missed.get(key, 0) + 1
        else:
            self._missed.pop(key, None)
            self._reached.add(key)

    def _is_well(self, candidate: Candidate) -> bool:
        key = candidate.reach.gateway_id
        was_reached = candidate.was_reached or key in self._reached
        return not was_reached or self._missed.get(key, 0) < MISSED

    def _keep(self, name: str, living: Iterable[Candidate]) -> None:
        found: set[str] = set()
        problems = []
        for each in living:
            try:
                found.update(_addresses(each, name))
            except UnavailableError as problem:
                problems.append(problem.message)
        if found:  # else none is well, or the manager has lost its line: the last ones stay
            self._keep_addresses(name, tuple(sorted(found)))
        if problems:
            raise UnavailableError(" ".join(dict.fromkeys(problems)))

    def _keep_addresses(self, name: str, addresses: tuple[str, ...]) -> None:
        known, since = self._put.get(name, ((), 0.0))
        if known == addresses and time.monotonic() - since < AGAIN_SECONDS:
            return
        put(self._manager.dns, name, addresses)
        if known != addresses:
            log.info(
                "a name leads elsewhere", name=name, addresses=few(addresses), before=few(known)
            )
        self._put[name] = (addresses, time.monotonic())


def _addresses(candidate: Candidate, name: str) -> Iterable[str]:
    """The IP addresses of a gateway; none of one that is found by that very name, or by none.

    Raises:
        UnavailableError: its name leads to none that means the same elsewhere, as where
            `/etc/hosts` says that a machine's own name is 127.0.1.1.
    """
    host = candidate.reach.address
    if hostport.is_address(host):
        return (host,)
    if host == name:
        return ()
    try:
        listed = socket.getaddrinfo(host, candidate.reach.port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError):  # EAI_NONAME, EAI_AGAIN: nobody finds it by that
        return ()
    found = {str(each[4][0]) for each in listed}
    told = {each for each in found if not (is_loopback(each) or is_never(each))}
    if found and not told:
        raise UnavailableError(
            f"{name} does not lead to the gateway at {host}: on the manager's machine that name is"
            f" {few(sorted(found))}, which no other machine reaches. Correct its DNS, or /etc/hosts"
            " there; or give the gateway's IP address as its external one."
        )
    return told


def put(names: DnsNames, name: str, addresses: tuple[str, ...]) -> None:
    """See to it that a name has these addresses, and no others.

    Raises:
        UnavailableError: whoever is to be told could not be, or refuses.
    """
    from cloudgate.manager.jobs import name_servers  # noqa: PLC0415  few have it

    if names.server is not None:
        name_servers.put(names.server, name, addresses)
    elif names.hook is not None:
        name_servers.put_by_hook(names.hook, name, addresses)
