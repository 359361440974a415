"""Attacks on a gateway: what do strangers reach? Guesses, floods, and silent connections."""

import contextlib
import itertools
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

from bench.attacks import attackers
from bench.attacks.attacked import Row
from bench.attacks.attackers import TARGET, Attack, attacking
from bench.testbed.accounting import cpu_seconds
from bench.testbed.gateway import host_service
from bench.testbed.load import load
from bench.testbed.tunnels import client_context, connect_request, ping
from cloudgate.host.settings import CONNECTIONS_VARIABLE
from cloudgate.host.state.paths import state_paths
from tests.support.ports import free_port
from tests.support.running.product import Product, product

TENANTS = 12
"""That were there before the attack, and as many that come for the first time in it."""
GATHERED_SECONDS = 5.0
"""How long an attack goes on before it is measured."""
FLOOD_SECONDS = 15.0
PATIENCE_SECONDS = 60.0
WANTED_FAMILIAR_SECONDS, WANTED_NEW_SECONDS = 2.0, 5.0
WANTED_TUNNEL_MS, WANTED_ECHO_MS = 250.0, 100.0
WANTED_LOG_MIB = 1.0
_WORKING = 0.5
_CONTEXT = client_context()
_HONEST = "127.0.0.9"
_HOMES = "127.9.0.{}"
_NEW = "127.9.1.{}"


@dataclass
class Site:
    """A gateway that is attacked, with tenants that have nothing to do with it."""

    started: Product
    port: int
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def host_pid(self) -> int:
        """The process of the host service."""
        return host_service(self.started.process.pid)

    def log_bytes(self) -> int:
        """What all logs of the gateway hold, and that of its host service."""
        folder = state_paths(self.started.data / "host").access_log.parent
        found = [*folder.iterdir(), self.started.log_file]
        return sum(each.stat().st_size for each in found)


@contextmanager
def _site(folder: Path) -> Iterator[Site]:
    with ExitStack() as stack:
        many = os.environ.pop(CONNECTIONS_VARIABLE, None)
        if many is not None:  # an attacker gets no more than outside of a bench
            stack.callback(os.environ.__setitem__, CONNECTIONS_VARIABLE, many)
        vault = stack.enter_context(load())
        started = stack.enter_context(product(folder / "data"))
        client = stack.enter_context(started.client())
        port = free_port()
        task = client.create_gateway(port)
        if task["Result"]["Success"] is not True:
            raise RuntimeError(f"There is no gateway: {task['Result']['Message']}")
        uid = client.add_repository("vault", TARGET, f"127.0.0.1:{vault.port}")
        client.add_tenant("acme", "the password of acme", uid)
        for number in range(2 * TENANTS):
            client.add_tenant(_name(number), _password(number), uid)
        site = Site(started, port)
        _let_in(site, "acme", "the password of acme", _HONEST)
        yield site


def _name(number: int) -> str:
    return f"tenant{number}"


def _password(number: int) -> str:
    return f"the password of {number}"


def guesses(folder: Path) -> Iterator[Row]:
    """Wrong passwords from many addresses, for one tenant, and for names that nobody has."""
    kinds: tuple[tuple[str, str, Attack], ...] = (
        ("one", "one tenant", attackers.guess_one_tenant),
        ("nobody", "unknown names", attackers.guess_nobody),
    )
    for key, whose, attack in kinds:
        place = folder / key
        place.mkdir()
        with _site(place) as site:
            yield from _guesses(site, key, whose, attack)


def _guesses(site: Site, key: str, whose: str, attack: Attack) -> Iterator[Row]:
    alone = [
        _let_in(site, _name(number), _password(number), _HOMES.format(number + 1))
        for number in range(TENANTS)
    ]
    what = f"{attackers.ADDRESSES} addresses guess passwords of {whose}"
    with attacking(attack, site.port):
        time.sleep(GATHERED_SECONDS)
        os.kill(site.host_pid, signal.SIGHUP)  # as `systemctl reload` does
        restarted = _let_in(site, "acme", "the password of acme", _HONEST)
        used, begun = cpu_seconds([site.host_pid]), time.monotonic()
        familiar, new = [], []
        for number in range(TENANTS):
            home, other = _HOMES.format(number + 1), number + TENANTS
            familiar.append(_let_in(site, _name(number), _password(number), home))
            address = _NEW.format(number + 1)
            new.append(_let_in(site, _name(other), _password(other), address))
        cores = (cpu_seconds([site.host_pid]) - used) / (time.monotonic() - begun)
    time.sleep(1)
    used = cpu_seconds([site.host_pid])
    time.sleep(5)
    in_vain = cpu_seconds([site.host_pid]) - used
    # Of this, how busy the machine is with other things: what follows is two of them at best.
    yield Row(
        f"guess_{key}_alone",
        "nobody attacks: a tenant's first tunnel, half of them within, s",
        "-",
        f"{median(alone):.2g}",
    )
    yield _below(
        f"guess_{key}_familiar",
        f"{what}: the slowest of {TENANTS} that were right from their address before, s",
        WANTED_FAMILIAR_SECONDS,
        max(familiar),
    )
    yield _below(
        f"guess_{key}_new",
        f"the same: the slowest of {TENANTS} from new addresses, s",
        WANTED_NEW_SECONDS,
        max(new),
    )
    yield _below(
        f"guess_{key}_restart",
        "the same: let in after the host service was started anew in the middle of it, s",
        WANTED_NEW_SECONDS,
        restarted,
    )
    yield _below(f"guess_{key}_cores", "the same: cores of the host service", 1.2, cores)
    yield _below(
        f"guess_{key}_left",
        "the same: CPU of the host service in 5 s after all have left, s",
        _WORKING,
        in_vain,
    )


def floods(folder: Path) -> Iterator[Row]:
    """What fills a processor, or all connections, while others work."""
    flooders = attackers.FLOODERS
    kinds: tuple[tuple[str, str, Attack], ...] = (
        ("reset", f"HTTP/2 rapid reset by {flooders} connections", attackers.rapid_reset),
        ("pings", "PING", attackers.pings),
        ("settings", "SETTINGS", attackers.settings),
        ("continuations", "CONTINUATION", attackers.continuations),
        ("headers", "headers that are huge unpacked", attackers.large_headers),
        ("empty", "empty DATA", attackers.empty_data),
        ("pipelined", "requests without a pause, HTTP/1.1", attackers.pipelined),
        (
            "handshakes",
            f"TLS again and again, {attackers.HANDSHAKES} at once",
            attackers.handshakes,
        ),
        ("silence", f"{attackers.SILENT} connections that say half or nothing", attackers.silence),
    )
    with _site(folder) as site:
        yield from _flooded(site, "quiet", "nobody attacks", None)
        for key, what, attack in kinds:
            yield from _flooded(site, key, what, attack)


def _flooded(site: Site, key: str, what: str, attack: Attack | None) -> Iterator[Row]:
    meanwhile = attacking(attack, site.port) if attack else contextlib.nullcontext()
    before_bytes = site.log_bytes()
    with meanwhile:
        time.sleep(GATHERED_SECONDS)
        tunnel_ms, echo_ms, refused = _work(site, FLOOD_SECONDS)
    more_mib = (site.log_bytes() - before_bytes) / 2**20
    failed = f", {refused} refused" if refused else ""
    yield _below(
        f"{key}_tunnel", f"{what}: p99 of a new tunnel, ms", WANTED_TUNNEL_MS, tunnel_ms, failed
    )
    yield _below(
        f"{key}_echo", "the same: p99 of an echo in a live one, ms", WANTED_ECHO_MS, echo_ms
    )
    yield _below(f"{key}_log", "the same: log, MiB", WANTED_LOG_MIB, more_mib)


def _work(site: Site, seconds: float) -> tuple[float, float, int]:
    """What a tenant sees: p99 of new tunnels and of echoes in a live one, ms; how many failed."""
    end = time.monotonic() + seconds
    request = connect_request(TARGET, "acme", "the password of acme")
    echoes: list[float] = []

    def echo() -> None:
        with _tunnel(site.port, request, _HONEST) as tunnel:
            while time.monotonic() < end:
                begun = time.perf_counter()
                ping(tunnel)
                echoes.append(time.perf_counter() - begun)
                time.sleep(0.01)

    echoing = threading.Thread(target=echo)
    echoing.start()
    opened, refused = [], 0
    while time.monotonic() < end:
        begun = time.perf_counter()
        try:
            with _tunnel(site.port, request, _HONEST) as tunnel:
                ping(tunnel)
        except (OSError, _RefusedError):
            refused += 1
        opened.append(time.perf_counter() - begun)
        time.sleep(0.05)
    echoing.join()
    return _p99_ms(opened), _p99_ms(echoes), refused


def _p99_ms(seconds: list[float]) -> float:
    return 1000 * quantiles(seconds, n=100, method="inclusive")[98]


class _RefusedError(Exception):
    """There is no tunnel."""


@contextmanager
def _tunnel(port: int, request: bytes, source: str) -> Iterator[ssl.SSLSocket]:
    plain = socket.create_connection(
        ("127.0.0.1", port), timeout=PATIENCE_SECONDS, source_address=(source, 0)
    )
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with _CONTEXT.wrap_socket(plain) as tunnel:
        tunnel.sendall(request)
        if not tunnel.recv(4096).startswith(b"HTTP/1.1 200"):
            raise _RefusedError
        yield tunnel


def _let_in(site: Site, name: str, password: str, source: str) -> float:
    """Seconds until there is a tunnel, however often one has to ask."""
    begun = time.monotonic()
    request = connect_request(TARGET, name, password)
    while time.monotonic() - begun < PATIENCE_SECONDS:
        try:
            with _tunnel(site.port, request, source) as tunnel:
                ping(tunnel)
            break
        except (OSError, _RefusedError):
            time.sleep(0.1)
    return time.monotonic() - begun


def _below(key: str, what: str, wanted: float, reached: float, more: str = "") -> Row:
    shown = f"{reached:.0f}" if reached >= 100 else f"{reached:.2g}"
    if reached >= PATIENCE_SECONDS and wanted < PATIENCE_SECONDS / 10:
        shown = f"more than {PATIENCE_SECONDS:.0f}"
    return Row(key, what, f"below {wanted:g}", shown + more, reached < wanted)
