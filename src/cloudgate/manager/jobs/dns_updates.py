"""DNS updates: which gateways does a name lead to? To those that are well, and to some in any case.

Each is dialled where tenants find it, as a machine that has died says nothing. Who misses two dials
in a row is out until it answers, unless no manager ever reached it there: then it is behind a
router that lets tenants through and not the manager, and what its host says counts.
"""

import asyncio
import socket
import time
from collections.abc import Collection, Iterable, Mapping
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
    was_reached,
)
from cloudgate.manager.host_protocol.reachability import note_reached
from cloudgate.manager.jobs.reachability_probe import Prober
from cloudgate.manager.jobs.threads import run_in_thread
from cloudgate.manager.settings.dns_names import DnsNames
from cloudgate.network import hostport
from cloudgate.network.destinations import is_loopback, is_never
from cloudgate.network.lookups import ask_the_system
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
    """Whether a manager has ever reached it there, as far as the database says."""
    is_written_down: bool
    """Whether the database says so for good."""


@dataclass
class Standing:
    """What this manager has found of a gateway where it is."""

    where: str
    is_in: bool | None
    """None while a manager that has just begun does not know whether it was."""
    missed: int = 0
    """Dials in a row."""
    was_reached: bool = False
    """By this manager, also where that could not be written down."""

    def note(self, warning: str, *, was_reached: bool) -> None:
        """What a dial found; `was_reached`: by any manager before."""
        self.missed = self.missed + 1 if warning else 0
        self.was_reached |= not warning
        if not warning or not (was_reached or self.was_reached):
            self.is_in = True
        elif self.missed >= MISSED:
            self.is_in = False


class DnsWorker:
    """Has names lead to the gateways that are well."""

    def __init__(self, manager: Manager, prober: Prober) -> None:
        self._manager = manager
        self._prober = prober
        self._at_once = asyncio.Semaphore(MOST_AT_ONCE)
        self._standings: dict[UUID, Standing] = {}
        self._has_begun = False
        """Whether those that were there as this manager began are known."""
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
        found, there = await run_in_thread(self._candidates)
        candidates = [each for some in found.values() for each in some]
        self._look_at(candidates, there)
        await asyncio.gather(*map(self._dial, candidates))
        problems = []
        for name, some in found.items():
            if any(self._is_well(each) is None for each in some):
                continue  # it stays as who led before has left it
            living = [each for each in some if self._is_well(each)]
            try:
                await run_in_thread(self._keep, name, living)
            except UnavailableError as problem:
                problems.append(problem.message)
        await self._write_down(candidates)
        if problems:
            raise UnavailableError(" ".join(dict.fromkeys(problems)))

    def _candidates(self) -> tuple[Mapping[str, list[Candidate]], frozenset[UUID]]:
        """Those of each name; and all gateways that there are."""
        names = self._manager.dns.names
        found: dict[str, list[Candidate]] = {name: [] for name in names.values()}
        with self._manager.reading() as work:
            gateways = list_gateways(work)
            for gateway in gateways:
                name = names.get(gateway.pool.name if gateway.pool else "")
                if name is not None and is_wanted(gateway) and is_up(work, gateway):
                    reach = reachability_check_of(work, gateway)
                    is_written_down = gateway.reached_address == reach.where
                    found[name].append(
                        Candidate(reach, was_reached(gateway, reach), is_written_down)
                    )
            return found, frozenset(each.id for each in gateways)

    def _look_at(self, candidates: Iterable[Candidate], there: Collection[UUID]) -> None:
        """Forget gateways that are gone. Who is away, or elsewhere, is to answer to be in again."""
        known = self._standings
        self._standings = {key: each for key, each in known.items() if key in there}
        places = {each.reach.gateway_id: each.reach.where for each in candidates}
        for key, standing in self._standings.items():
            if key not in places:
                standing.is_in = False
        for key, where in places.items():
            if key not in self._standings or self._standings[key].where != where:
                self._standings[key] = Standing(where, False if self._has_begun else None)
        self._has_begun = True

    async def _dial(self, candidate: Candidate) -> None:
        standing = self._standings[candidate.reach.gateway_id]
        async with self._at_once:
            warning = await self._prober(candidate.reach)
        standing.note(warning, was_reached=candidate.was_reached)

    def _is_well(self, candidate: Candidate) -> bool | None:
        return self._standings[candidate.reach.gateway_id].is_in

    async def _write_down(self, candidates: Iterable[Candidate]) -> None:
        """Have who leads next know who was reached."""
        found = [
            each.reach
            for each in candidates
            if not each.is_written_down and not self._standings[each.reach.gateway_id].missed
        ]

        def write_down() -> None:
            with self._manager.changing(shown=False) as work:
                for reach in found:
                    note_reached(work, reach)

        if found:
            await run_in_thread(write_down)

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
        self._manager.check_sure()  # else another may lead, which does not look what is there
        self._put.pop(name, None)  # of one that fails nobody knows what became
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
        found = set(ask_the_system(host, candidate.reach.port))
    except (socket.gaierror, UnicodeError):  # EAI_NONAME, EAI_AGAIN: nobody finds it by that
        return ()
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
