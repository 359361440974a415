"""Attacks on the manager: what do strangers reach? Guesses, silence, and many connections."""

import asyncio
import base64
import contextlib
import http.client
import multiprocessing
import resource
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from statistics import quantiles

from bench.attacks.attacked import Row
from tests.support.running.product import PASSWORD, Product, product

LOGONS = 400
ATTACK_SECONDS = 20.0
QUIET_SECONDS = 5.0
SILENT = 300
WATCHED_SECONDS = 30.0
WANTED_HUNG_UP_SECONDS = 12.0
"""The limit is 10 s; who hangs up looks once a second, and the machine is busy."""
CONNECTIONS = 1_100
SOFT_FILES = 1_024
PATIENCE_SECONDS = 90.0
WANTED_LOGON_SECONDS = 2.0
WANTED_SLOWDOWN = 4.0
_GUESSER, _SILENT, _MANY = "127.0.0.2", "127.0.0.3", "127.0.0.4"
_BASIC = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()


def logons(folder: Path) -> Iterator[Row]:
    """Guesses from one address, beside an administrator at another."""
    with product(folder / "data") as started:
        caller = _Caller(started.port)
        caller.log_on()
        usual = caller.p99_ms(QUIET_SECONDS)
        before_mib = _peak_mib(started.process.pid)
        taken: list[float] = []
        with _attacker(_guess, started.port):
            newcomer = threading.Thread(target=lambda: taken.append(_logon_seconds(started.port)))
            newcomer.start()
            under_attack = caller.p99_ms(ATTACK_SECONDS - 2)
        afterwards = _logon_seconds(started.port)
        newcomer.join()
        more_mib = _peak_mib(started.process.pid) - before_mib
    slowdown = under_attack / usual
    yield _row(
        "logon",
        f"{LOGONS} logons at once with unknown names: an administrator logs on, s",
        f"below {WANTED_LOGON_SECONDS:.0f}",
        _seconds(taken[0]),
        met=taken[0] < WANTED_LOGON_SECONDS,
    )
    yield _row(
        "get",
        "the same: p99 of a GET of one who is logged on, times its usual",
        f"below {WANTED_SLOWDOWN:.0f}",
        f"{slowdown:.1f} ({usual:.1f} to {under_attack:.1f} ms)",
        met=slowdown < WANTED_SLOWDOWN,
    )
    yield _row(
        "after",
        "the same, when the guessers have hung up: an administrator logs on, s",
        f"below {WANTED_LOGON_SECONDS:.0f}",
        _seconds(afterwards),
        met=afterwards < WANTED_LOGON_SECONDS,
    )
    yield Row("memory", "the same: more memory, MiB", "bounded", f"{more_mib:.0f}")


def silence(folder: Path) -> Iterator[Row]:
    """Connections on which nothing, or not all, is said."""
    with product(folder / "data") as started:
        lasted = asyncio.run(_silence(started.port))
    late = [each for each in lasted if each >= WANTED_HUNG_UP_SECONDS]
    yield _row(
        "silent",
        f"{SILENT} silent or half-spoken connections: open after {WANTED_HUNG_UP_SECONDS:.0f} s",
        "0",
        str(len(late)),
        met=not late,
    )
    slowest = max(lasted)
    shown = f"more than {WATCHED_SECONDS:.0f}" if slowest >= WATCHED_SECONDS else f"{slowest:.1f}"
    yield Row("silent_longest", "the same: the longest was hung up after, s", "10", shown)


def files(folder: Path) -> Iterator[Row]:
    """More connections than a process may have files, as many systems set it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SOFT_FILES, hard))
    try:
        context = product(folder / "data")
        started = context.__enter__()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    try:
        with _attacker(_connect_often, started.port):
            gone = _longest_gap(started, ATTACK_SECONDS - 2)
    finally:
        context.__exit__(None, None, None)
    yield _row(
        "files",
        f"{CONNECTIONS} silent connections, soft limit {SOFT_FILES} files: no answer to others, s",
        "below 2",
        _seconds(gone),
        met=gone < WANTED_LOGON_SECONDS,
    )


def _row(key: str, what: str, wanted: str, reached: str, *, met: bool) -> Row:
    return Row(key, what, wanted, reached, met)


def _seconds(value: float) -> str:
    return f"more than {PATIENCE_SECONDS:.0f}" if value >= PATIENCE_SECONDS else f"{value:.2f}"


class _Caller:
    """Somebody who is logged on, over one connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._token = ""
        self._connection = _https(port)

    def log_on(self) -> None:
        self._connection.request(
            "POST", "/api/sessionMngr/", headers={"Authorization": f"Basic {_BASIC}"}
        )
        answer = self._connection.getresponse()
        answer.read()
        self._token = answer.headers["X-RestSvcSessionId"]

    def p99_ms(self, seconds: float) -> float:
        """Of a GET, one each 10 ms, for so long."""
        taken = []
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            begun = time.perf_counter()
            self._connection.request(
                "GET", "/api/backupServers", headers={"X-RestSvcSessionId": self._token}
            )
            answer = self._connection.getresponse()
            answer.read()
            assert answer.status == 200
            taken.append(1000 * (time.perf_counter() - begun))
            time.sleep(0.01)
        return quantiles(taken, n=100)[98]


def _https(port: int, timeout: float = PATIENCE_SECONDS) -> http.client.HTTPSConnection:
    return http.client.HTTPSConnection(
        "127.0.0.1",
        port,
        context=ssl._create_unverified_context(),  # noqa: SLF001
        timeout=timeout,
    )


def _logon_seconds(port: int) -> float:
    """How long a logon over a new connection takes until it succeeds."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_SECONDS:
        connection = _https(port, PATIENCE_SECONDS - (time.monotonic() - begun))
        try:
            connection.request(
                "POST", "/api/sessionMngr/", headers={"Authorization": f"Basic {_BASIC}"}
            )
            if connection.getresponse().status == 201:
                return time.monotonic() - begun
        except (OSError, http.client.HTTPException):
            time.sleep(0.1)
        finally:
            connection.close()
    return PATIENCE_SECONDS


def _longest_gap(started: Product, seconds: float) -> float:
    """The longest time in which no new connection got an answer."""
    longest, answered = 0.0, time.monotonic()
    end = answered + seconds
    while time.monotonic() < end or time.monotonic() - answered > WANTED_LOGON_SECONDS:
        connection = _https(started.port, 5)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", "/api/")
            connection.getresponse().read()
            now = time.monotonic()
            longest, answered = max(longest, now - answered), now
        connection.close()
        if time.monotonic() - answered > PATIENCE_SECONDS:
            return PATIENCE_SECONDS
        time.sleep(0.1)
    return longest


def _peak_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"The kernel does not tell the memory of process {pid}.")


Attack = Callable[[int, Callable[[], None]], Awaitable[None]]
"""Gets the port, and what is to be called for each attacker that has begun."""


@contextmanager
def _attacker(attack: Attack, port: int) -> Iterator[None]:
    """Attacks meanwhile, from a process of its own; goes on when all attackers have begun."""
    spawning = multiprocessing.get_context("spawn")
    ready = spawning.Event()
    process = spawning.Process(target=_run, args=(attack, port, ready))
    process.start()
    try:
        ready.wait(PATIENCE_SECONDS)
        yield
        process.join(ATTACK_SECONDS + PATIENCE_SECONDS)
    finally:
        process.kill()
        process.join()


def _run(attack: Attack, port: int, ready: Event) -> None:
    wanted = LOGONS if attack is _guess else CONNECTIONS
    begun, all_of_them = 0, asyncio.Event()

    def begin() -> None:
        nonlocal begun
        begun += 1
        if begun == wanted:
            all_of_them.set()
            ready.set()

    async def attacking() -> None:
        running = asyncio.ensure_future(attack(port, begin))
        await all_of_them.wait()
        await asyncio.wait([running], timeout=ATTACK_SECONDS)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(attacking())


async def _guess(port: int, begun: Callable[[], None]) -> None:
    """Names that do not exist, all at once; who was answered guesses again."""
    await asyncio.gather(*(_guesses(port, number, begun) for number in range(LOGONS)))


async def _guesses(port: int, number: int, begun: Callable[[], None]) -> None:
    context = ssl._create_unverified_context()  # noqa: SLF001
    basic = base64.b64encode(f"nobody{number}:guess".encode()).decode()
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", port, ssl=context, local_addr=(_GUESSER, 0)
            )
            writer.write(
                b"POST /api/sessionMngr/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                b"Connection: close\r\nAuthorization: Basic " + basic.encode() + b"\r\n\r\n"
            )
            begun()
            await reader.read()
            writer.close()
        await asyncio.sleep(1)


async def _connect_often(port: int, begun: Callable[[], None]) -> None:
    """Connections that say nothing; what is closed is opened anew."""
    await asyncio.gather(*(_connects(port, begun) for _ in range(CONNECTIONS)))


async def _connects(port: int, begun: Callable[[], None]) -> None:
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(_MANY, 0))
            begun()
            await reader.read()
            writer.close()
        await asyncio.sleep(1)


async def _silence(port: int) -> list[float]:
    """How long each connection lasted, in seconds."""
    kinds = (
        (False, b"", b""),
        (False, b"\x16\x03\x01\x02\x00\x01\x00", b""),
        (False, b"\x16\x03\x01\x02\x00\x01", b"\x00"),
        (True, b"", b""),
        (True, b"GET /api/ HTTP/1.1\r\nHost: local", b""),
        (True, b"GET /api/ HTTP/1.1\r\nX-Slow: ", b"a"),
        (True, b"POST /api/sessionMngr/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n<", b""),
        (True, b"POST /host/v1/join HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n{", b" "),
    )
    return await asyncio.gather(
        *(_lasts(port, *kinds[number % len(kinds)]) for number in range(SILENT))
    )


async def _lasts(port: int, tls: bool, said: bytes, each_second: bytes) -> float:  # noqa: FBT001
    context = ssl._create_unverified_context() if tls else None  # noqa: SLF001
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, local_addr=(_SILENT, 0)
    )
    begun = time.monotonic()
    writer.write(said)

    async def drip() -> None:
        while each_second:
            await asyncio.sleep(1)
            writer.write(each_second)

    dripping = asyncio.create_task(drip())
    try:
        await asyncio.wait_for(reader.read(), WATCHED_SECONDS)
    except (TimeoutError, OSError):
        pass
    finally:
        dripping.cancel()
        with contextlib.suppress(OSError):
            writer.transport.abort()
    return time.monotonic() - begun
