"""Deaths: what is lost when one of two managers is killed, while operators write?"""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.support.observation.monitored_product import Site
from tests.support.running.managers import PATIENCE_SECONDS, Managers, logged_on, names, spec
from tests.support.running.tunnel import Tunnel, open_tunnel, repository
from tests.support.waiting import until

HOST, TARGET, LOGIN = "gw1.example", "vault.example:8443", "acme:s3cret-enough"
WRITERS = 2
"""At each manager."""
PAUSE_SECONDS = 0.1
"""Between two writes of one of them."""
TUNNELS = 8
PIECE_BYTES = 64 * 1024
LONGEST_LIFE_SECONDS = 3.0
"""Within which a manager is killed, from when both are ready."""
OF_LEADERS = 0.7
"""Part of the rounds in which the one that leads is killed, and not the other."""


@dataclass(frozen=True)
class Outcome:
    """What came of all rounds."""

    rounds: int
    waits_seconds: list[float]
    """From the death of one that led to the next write that was accepted."""
    asked: int
    accepted: int
    lost: int
    tunnels: int
    cut: int
    carried_bytes: int


@dataclass
class Writers:
    """Operators, who write without a pause for long."""

    over: threading.Event = field(default_factory=threading.Event)
    asked: int = 0
    refused: int = 0
    """Answered that the database or whoever leads is away, and to try again."""
    accepted: list[tuple[str, float]] = field(default_factory=list)
    """Names, with when each was begun that was accepted."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self, site: Site, who: str) -> None:
        """Until it is over; whatever is refused or lost is not tried again."""
        number = 0
        while not self.over.wait(PAUSE_SECONDS):
            with suppress(httpx2.HTTPError), site.client() as client:
                while not self.over.wait(PAUSE_SECONDS):
                    number += 1
                    name, began = f"{who}-{number}.example", time.monotonic()
                    with self.lock:
                        self.asked += 1
                    answer = client.http.post("/repositories", json=spec(name))
                    if answer.status_code == 201:
                        with self.lock:
                            self.accepted.append((name, began))
                    elif answer.status_code == 503:
                        with self.lock:
                            self.refused += 1
                    elif answer.status_code == 401:
                        break

    def has_accepted_since(self, moment: float) -> bool:
        """Whether something was that was begun after a moment."""
        with self.lock:
            return any(began > moment for _, began in self.accepted[-20:])

    def lost(self, both: Managers) -> int:
        """How much that was accepted is not there."""
        with logged_on(both.leading()[0]) as client:
            kept = set(names(client))
        return len({name for name, _ in self.accepted} - kept)


@contextmanager
def writing(both: Managers, prefix: str) -> Iterator[Writers]:
    """Operators at both managers; what they make is called by the prefix."""
    writers = Writers()
    at_work = [
        threading.Thread(target=writers.write, args=[site, f"{prefix}{place}-{number}"])
        for place, site in enumerate(both.sites)
        for number in range(WRITERS)
    ]
    for each in at_work:
        each.start()
    try:
        yield writers
    finally:
        writers.over.set()
        for each in at_work:
            each.join()


class _Line:
    """Tunnels that carry something all the time."""

    def __init__(self, tunnels: list[Tunnel]) -> None:
        self._tunnels = tunnels
        self._over = threading.Event()
        self.carried_bytes = 0
        self.cut = 0
        self._carrying = [threading.Thread(target=self._carry, args=[each]) for each in tunnels]
        for each in self._carrying:
            each.start()

    def _carry(self, tunnel: Tunnel) -> None:
        try:
            while not self._over.wait(PAUSE_SECONDS):
                tunnel.exchange(PIECE_BYTES, PIECE_BYTES)
                self.carried_bytes += 2 * PIECE_BYTES
        except (OSError, AssertionError):
            self.cut += 1

    def end(self) -> None:
        """Carry no more."""
        self._over.set()
        for each in self._carrying:
            each.join()
        for tunnel in self._tunnels:
            tunnel.close()


def kill_while_writing(both: Managers, rounds: int) -> Outcome:
    """So many times a manager is killed, and started again."""
    chance, waits = random.Random(1), list[float]()
    with _tunnels(both) as tunnels:
        line = _Line(tunnels)
        try:
            with writing(both, "w") as writers:
                for _ in range(rounds):
                    waits += _round(both, writers, chance)
        finally:
            line.end()
    counts = writers.asked, len(writers.accepted), writers.lost(both)
    return Outcome(rounds, waits, *counts, len(tunnels), line.cut, line.carried_bytes)


def _round(both: Managers, writers: Writers, chance: random.Random) -> list[float]:
    leader, other = both.leading()
    victim = leader if chance.random() < OF_LEADERS else other
    time.sleep(chance.uniform(0, LONGEST_LIFE_SECONDS))
    victim.manager.process.kill()
    killed = time.monotonic()
    victim.manager.process.wait()
    until(lambda: writers.has_accepted_since(killed), PATIENCE_SECONDS)
    waited = time.monotonic() - killed
    victim.start_manager()
    return [waited] if victim is leader else []


@contextmanager
def _tunnels(both: Managers) -> Iterator[list[Tunnel]]:
    """Of a tenant, through a gateway that hears from these managers."""
    site, _ = both.leading()
    site.add_host(HOST)
    until(lambda: _is_gateway(site), PATIENCE_SECONDS)
    with ExitStack() as stack:
        address = stack.enter_context(repository())
        with site.client() as client:
            vault = client.add_repository("vault", TARGET, address)
            client.add_tenant(*LOGIN.split(":"), vault)
        ca_file, found = Path(site.ca_file), list[Tunnel]()

        def is_let_in() -> bool:
            made = open_tunnel(site.gateway_port, ca_file, TARGET, LOGIN)
            if made.status != 200:
                made.close()
                return False
            found.append(made)
            return True

        for _ in range(TUNNELS):
            until(is_let_in, PATIENCE_SECONDS)
        yield found


def _is_gateway(site: Site) -> bool:
    """Whether the host has become one; on a busy machine it may not, in the time that it has."""
    with site.client() as client:
        task = client.create_gateway(site.gateway_port, HOST, ExternalIp="localhost")
    return bool(task["Result"]["Success"])
