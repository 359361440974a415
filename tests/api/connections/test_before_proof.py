"""What may somebody cost the manager who has proved nothing? Guesses, silence, many connections."""

import base64
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.api.connections import acceptor, deadlines
from cloudgate.api.connections.connection_limit import (
    GRACE_SECONDS,
    Admission,
    ConnectionLimiter,
    ConnectionLimits,
    connection_limits,
)
from cloudgate.api.connections.deadlines import MOST_HEADER_BYTES
from cloudgate.api.connections.fair_queue import MOST_OF_ADDRESS
from cloudgate.api.server import ServerOptions, open_listener
from cloudgate.manager.sessions import accounts
from cloudgate.network.waiting_requests import MOST_WAITING
from tests.support.running import manager as manager_of_tests
from tests.support.running.host import ScriptedHost, polling
from tests.support.running.manager import PASSWORD, RunningManager, running_manager
from tests.support.waiting import PATIENCE_SECONDS, until

SHORT_SECONDS = 3.0
"""Enough for who speaks at once, on a busy machine too."""
STRANGER = "127.0.0.2"


def connect(
    running: RunningManager,
    *,
    tls: bool,
    source: str = STRANGER,
    room_bytes: int = 0,
    port: int = 0,
) -> socket.socket:
    """A connection, with room for so much that was not read (0: as the system has it)."""
    port = port or int(running.url.rpartition(":")[2])
    raw = socket.socket()
    raw.settimeout(PATIENCE_SECONDS)
    if room_bytes:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room_bytes)
    raw.bind((source, 0))
    raw.connect(("127.0.0.1", port))
    if not tls:
        return raw
    return running.context.wrap_socket(raw, server_hostname="localhost")


def is_hung_up_on(connection: socket.socket) -> bool:
    try:
        while True:
            said = connection.recv(65536)
            if not said:
                return True
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds are shorter, so that a test need not wait for ten of them."""
    monkeypatch.setattr(deadlines, "SPEAK_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(acceptor, "SPEAK_SECONDS", SHORT_SECONDS)
    monkeypatch.setitem(acceptor._TLS_SECONDS, "ssl_handshake_timeout", SHORT_SECONDS)


HALF_SPOKEN = {
    "nothing": (False, b"", b""),
    "half a client hello": (False, b"\x16\x03\x01\x02\x00\x01\x00", b""),
    "a client hello in drips": (False, b"\x16\x03\x01\x02\x00\x01", b"\0"),
    "TLS and nothing": (True, b"", b""),
    "half a header": (True, b"GET /api/ HTTP/1.1\r\nHost: local", b""),
    "a header in drips": (True, b"GET /api/ HTTP/1.1\r\nX-Slow: ", b"a"),
    "a header without a body": (
        True,
        b"POST /api/sessionMngr/ HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n",
        b"",
    ),
    "a body in drips": (
        True,
        b"POST /host/v1/join HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n{",
        b" ",
    ),
    "a body in drips that nobody wants": (
        True,
        b"PUT /api/tasks HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n{",
        b" ",
    ),
    "chunks in drips": (
        True,
        b"POST /host/v1/join HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"1\r\n \r\n",
    ),
    "a request, and silence": (True, b"GET /api/ HTTP/1.1\r\nHost: a\r\n\r\n", b""),
}


@pytest.mark.usefixtures("short")
def test_who_is_silent_or_slow_is_hung_up_on_and_a_long_poll_is_not(tmp_path: Path) -> None:
    with (
        open_listener("127.0.0.1", 0) as plain,
        running_manager(tmp_path, extras=ServerOptions(http_listener=plain)) as running,
        ExitStack() as stack,
    ):
        port = int(plain.getsockname()[1])
        host = ScriptedHost(running)
        host.poll()
        held = stack.enter_context(polling(host))
        opened = {}
        for name, (tls, _, drip) in HALF_SPOKEN.items():
            opened[name] = (connect(running, tls=tls), drip)
            if tls:
                inside = socket.create_connection(("127.0.0.1", port), PATIENCE_SECONDS)
                opened[f"{name}, without TLS"] = (inside, drip)
        for name, (connection, _) in opened.items():
            stack.enter_context(connection)
            connection.sendall(HALF_SPOKEN[name.removesuffix(", without TLS")][1])
        threads = [
            threading.Thread(target=_drip, args=(connection, drip), daemon=True)
            for connection, drip in opened.values()
            if drip
        ]
        for each in threads:
            each.start()
        open_still = [name for name, (each, _) in opened.items() if not is_hung_up_on(each)]
        assert open_still == []
        assert held.is_alive(), "a long poll is not hung up on"


def _drip(connection: socket.socket, piece: bytes) -> None:
    pause = threading.Event()
    end = time.monotonic() + PATIENCE_SECONDS
    try:
        while time.monotonic() < end:
            connection.sendall(piece)
            pause.wait(0.3)
    except OSError:
        return


def _listener_with_little_room(host: str, port: int) -> socket.socket:
    """The system keeps little for who does not read."""
    listener = open_listener(host, port)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    return listener


@pytest.mark.usefixtures("short")
def test_who_does_not_read_what_was_sent_is_hung_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_of_tests, "open_listener", _listener_with_little_room)
    with (
        _listener_with_little_room("127.0.0.1", 0) as plain,
        running_manager(tmp_path, extras=ServerOptions(http_listener=plain)) as running,
    ):
        without_tls = int(plain.getsockname()[1])
        for connection in (
            connect(running, tls=True, room_bytes=4096),
            connect(running, tls=False, room_bytes=4096, port=without_tls),
        ):
            with connection:
                connection.sendall(b"GET /api/schema HTTP/1.1\r\nHost: a\r\n\r\n" * MOST_WAITING)
                resets = select.poll()
                resets.register(connection, select.POLLERR)
                assert resets.poll(PATIENCE_SECONDS * 1000)


def test_who_waits_for_an_answer_is_not_looked_at_and_is_hung_up_on_for_nonsense(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, looks = acceptor.Connection.enforce_deadlines, Counter[Any]()

    def look(connection: acceptor.Connection, now: float) -> None:
        looks[connection.client] += 1
        usual(connection, now)

    monkeypatch.setattr(acceptor.Connection, "enforce_deadlines", look)
    host = ScriptedHost(running)
    host.poll()
    with connect(running, tls=True) as held, connect(running, tls=True) as silent:
        held.sendall(_held_poll(host))
        waiting, other = held.getsockname(), silent.getsockname()

        def is_left_alone() -> bool:
            before, of_other = looks[waiting], looks[other]
            until(lambda: looks[other] >= of_other + 2)
            return before > 0 and looks[waiting] == before

        until(is_left_alone)
        held.sendall(b"nonsense\r\n\r\n")
        assert is_hung_up_on(held)
    host.close()


def _held_poll(host: ScriptedHost) -> bytes:
    body = host.poll_request().model_dump_json()
    return (
        "POST /host/v1/poll HTTP/1.1\r\nHost: a\r\n"
        f"Authorization: {host.client.headers['Authorization']}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def _send(connection: socket.socket, piece: Callable[[], bytes]) -> None:
    while said := piece():
        connection.sendall(said)


def test_a_header_has_an_end(running: RunningManager) -> None:
    with connect(running, tls=True) as connection:
        connection.sendall(b"GET /api/ HTTP/1.1\r\n")
        with pytest.raises(OSError, match=r"reset|Broken pipe|EOF|closed"):
            _send(connection, lambda: b"X-More: " + b"a" * 10_000 + b"\r\n")


def test_a_header_has_an_end_though_all_of_it_comes_at_once(
    tmp_path: Path, plain: socket.socket
) -> None:
    with (
        running_manager(tmp_path, extras=ServerOptions(http_listener=plain)) as running,
        connect(running, tls=False, port=int(plain.getsockname()[1])) as connection,
    ):
        much = b"a:\r\n" * (MOST_HEADER_BYTES // 3)
        connection.sendall(b"GET /api/ HTTP/1.1\r\nHost: a\r\n" + much + b"\r\n")
        with suppress(ConnectionError):
            assert connection.recv(65536) == b""


def test_silent_connections_leave_room_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloudgate.api.server.allow_many_files", lambda: 256 + 64)
    with running_manager(tmp_path) as running, ExitStack() as stack:
        host = ScriptedHost(running)
        stack.callback(host.close)
        client = running.logged_on()
        for _ in range(200):
            stack.enter_context(connect(running, tls=False))
        assert running.client().get("/").status_code == 200
        assert client.get("/tasks").status_code == 200
        assert host.poll() is not None


def test_a_trusted_proxy_speaks_for_many_and_is_not_bounded_as_one() -> None:
    seats = ConnectionLimiter(
        ConnectionLimits(in_all=100, unproven=80, of_address=8, unproven_of_address=4)
    )
    found = [seats.admit("192.0.2.1", 0.0, trusted=True) for _ in range(50)]
    assert all(found)
    assert [bool(seats.admit("192.0.2.2", 0.0)) for _ in range(6)] == [True] * 4 + [False] * 2


def test_a_thousand_hosts_behind_one_address_keep_their_polls() -> None:
    allowed = connection_limits(20_000)
    seats = ConnectionLimiter(allowed)
    for number in range(1000):
        for _ in range(3):
            seat = seats.admit("192.0.2.1", number / 10)
            assert seat is not None
            seat.prove()
    assert seats.in_use == 3000
    for number in range(2000):
        seats.admit("192.0.2.1", 200 + number / 100)
    assert seats.in_use <= 3000 + allowed.unproven_of_address


def test_newcomers_take_the_seat_of_who_has_said_nothing_for_longest() -> None:
    seats = ConnectionLimiter(
        ConnectionLimits(in_all=10, unproven=10, of_address=10, unproven_of_address=2)
    )
    closed: list[int] = []

    def taken(number: int, at: float) -> Admission | None:
        seat = seats.admit(f"2001:db8::{number}", at)
        if seat is not None:
            seat.close = lambda: closed.append(number)
        return seat

    first, second = taken(1, 0.0), taken(2, 0.5)
    assert first is not None
    assert second is not None
    assert taken(3, 0.9) is None, "all are new; addresses of one IPv6 network count as one"
    assert taken(4, GRACE_SECONDS) is not None
    assert closed == [1]
    second.prove()
    assert taken(5, GRACE_SECONDS + 0.1) is not None
    assert closed == [1], "who has proved who he is stays"


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["take", "prove", "leave"]),
            st.integers(0, 5),
            st.floats(0, 2),
            st.booleans(),
        ),
        max_size=80,
    )
)
def test_there_are_never_more_seats_than_may_be(steps: list[tuple[str, int, float, bool]]) -> None:
    allowed = ConnectionLimits(in_all=8, unproven=6, of_address=5, unproven_of_address=3)
    seats, now = ConnectionLimiter(allowed), 0.0
    held: dict[Admission, None] = {}
    for step, number, later, trusted in steps:
        now += later
        if step == "take":
            seat = seats.admit(f"192.0.2.{number}", now, trusted=trusted)
            if seat is not None:
                held[seat] = None
                seat.close = lambda seat=seat: held.pop(seat, None)
        elif held:
            chosen = list(held)[number % len(held)]
            if step == "prove":
                chosen.prove()
            else:
                chosen.leave()
                del held[chosen]
        assert seats.in_use == len(held) <= allowed.in_all
        for key in {seat.key for seat in held} - {None}:
            mine = [seat for seat in held if seat.key == key]
            assert len(mine) <= allowed.of_address
            unproven = [seat for seat in mine if not seat.is_proven]
            assert len(unproven) <= allowed.unproven_of_address


# Guesses.


class SlowChecks:
    """Checks of passwords that take until the test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[str] = []
        self.go_on = threading.Event()
        self.begun = threading.Semaphore(0)
        self._check = accounts.authenticate
        monkeypatch.setattr(accounts, "authenticate", self._slowly)

    def _slowly(self, manager: object, name: str, password: str) -> object:
        self.names.append(name)
        self.begun.release()
        assert self.go_on.wait(PATIENCE_SECONDS)
        return self._check(manager, name, password)  # type: ignore[arg-type]


@contextmanager
def guessing(port: int, count: int, source: str = STRANGER) -> Iterator[list[socket.socket]]:
    """Logons of names that do not exist, without TLS."""
    with ExitStack() as stack:
        guesses = []
        for number in range(count):
            connection = socket.create_connection(("127.0.0.1", port), 30, (source, 0))
            stack.enter_context(connection)
            connection.sendall(_guess(number))
            guesses.append(connection)
        yield guesses


def _guess(number: int) -> bytes:
    basic = base64.b64encode(f"nobody{number}:guess".encode())
    return (
        b"POST /api/sessionMngr/ HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
        b"Authorization: Basic " + basic + b"\r\n\r\n"
    )


def answered(connections: list[socket.socket]) -> list[socket.socket]:
    return select.select(connections, [], [], 0)[0]


@pytest.fixture
def plain() -> Iterator[socket.socket]:
    with open_listener("127.0.0.1", 0) as listener:
        yield listener


def test_guesses_of_one_address_are_bounded_and_in_nobody_elses_way(
    tmp_path: Path, plain: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_manager(tmp_path, extras=ServerOptions(http_listener=plain)) as running:
        client = running.logged_on()
        checks = SlowChecks(monkeypatch)
        with guessing(plain.getsockname()[1], MOST_OF_ADDRESS + 6) as guesses:
            until(lambda: len(answered(guesses)) == 6)
            for refused in answered(guesses):
                head = refused.recv(4096)
                assert head.startswith(b"HTTP/1.1 429 ")
                assert b"Retry-After:" in head
            assert client.get("/tasks").status_code == 200
            answers: list[int] = []
            newcomer = running.client()
            asking = threading.Thread(
                target=lambda: answers.append(
                    newcomer.post("/sessionMngr/", auth=("admin", PASSWORD)).status_code
                )
            )
            asking.start()
            checks.go_on.set()
            asking.join(PATIENCE_SECONDS)
            assert answers == [201]
            assert checks.names.index("admin") < MOST_OF_ADDRESS / 2, "not behind their line"


@pytest.mark.parametrize("tls", [False, True])
def test_few_requests_wait_behind_an_unanswered_one_and_who_sends_more_is_hung_up_on(
    tmp_path: Path, plain: socket.socket, monkeypatch: pytest.MonkeyPatch, *, tls: bool
) -> None:
    usual, read = acceptor.Connection.on_message_begin, Counter[Any]()

    def begin(connection: acceptor.Connection) -> None:
        read[connection.client] += 1
        usual(connection)

    monkeypatch.setattr(acceptor.Connection, "on_message_begin", begin)
    with running_manager(tmp_path, extras=ServerOptions(http_listener=plain)) as running:
        port = 0 if tls else int(plain.getsockname()[1])
        checks = SlowChecks(monkeypatch)
        with (
            connect(running, tls=tls, port=port) as few,
            connect(running, tls=tls, port=port) as many,
        ):
            few.sendall(_guess(1) + b"GET / HTTP/1.1\r\n\r\n" * MOST_WAITING)
            # Over TLS they come in records of 16 KiB.
            many.sendall(_guess(2) + b"GET / HTTP/1.1\r\n\r\n" * 800)
            assert is_hung_up_on(many)
            assert read[many.getsockname()] == 1 + MOST_WAITING + 1, "no more are even read"
            checks.go_on.set()
            heard = b""
            while heard.count(b"HTTP/1.1 ") <= MOST_WAITING:
                heard += few.recv(65536)
            assert heard.startswith(b"HTTP/1.1 401 ")
            assert heard.count(b"HTTP/1.1 404 ") == MOST_WAITING


def test_a_check_whose_request_is_over_is_not_made(
    tmp_path: Path, plain: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_manager(tmp_path, extras=ServerOptions(http_listener=plain)) as running:
        checks = SlowChecks(monkeypatch)
        port = plain.getsockname()[1]
        with guessing(port, MOST_OF_ADDRESS) as guesses:
            assert checks.begun.acquire(timeout=PATIENCE_SECONDS)
            for each in guesses:
                each.close()
        with guessing(port, MOST_OF_ADDRESS, "127.0.0.3"):
            pass
        checks.go_on.set()
        client = running.client()
        until(lambda: client.post("/sessionMngr/", auth=("admin", PASSWORD)).status_code == 201)
        assert len(checks.names) < MOST_OF_ADDRESS


def test_a_password_beside_a_call_without_a_session_is_not_looked_at(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("A password was checked.")

    monkeypatch.setattr(accounts, "authenticate", never)
    client = running.client()
    for verb, path in (("GET", "/tasks"), ("POST", "/cloud/gateways"), ("GET", "/nowhere")):
        answer = client.request(verb, path, auth=("admin", PASSWORD))
        assert answer.status_code in (401, 404)


def test_who_guesses_the_own_password_with_a_session_is_slowed_as_at_logon(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = running.logged_on()
    seen: list[str] = []

    def failed(_self: object, name: str, _address: str) -> float:
        seen.append(name)
        return 0.0

    monkeypatch.setattr("cloudgate.trust.login_throttle.LoginThrottle.failed", failed)
    spec = {"CurrentPassword": "guess", "Password": "another long password"}
    assert client.put("/security/password", json=spec).status_code == 403
    assert seen == ["admin"]


def test_a_fault_while_a_connection_is_taken_in_shuts_out_nobody_else(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, faults = ConnectionLimiter.admit, [ZeroDivisionError()]

    def take(*args: Any, **named: Any) -> Admission | None:
        if faults:
            raise faults.pop()
        return usual(*args, **named)

    monkeypatch.setattr(ConnectionLimiter, "admit", take)
    with suppress(httpx2.TransportError):
        httpx2.get(f"{running.url}/api/", verify=running.context, timeout=5)
    assert not faults
    httpx2.get(f"{running.url}/api/", verify=running.context, timeout=PATIENCE_SECONDS)


def test_a_fault_with_one_connection_keeps_no_other_from_being_hung_up_on(
    running: RunningManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, faults = acceptor.Connection.enforce_deadlines, [ZeroDivisionError()]

    def look(connection: acceptor.Connection, now: float) -> None:
        if faults:
            raise faults.pop()
        usual(connection, now)

    monkeypatch.setattr(deadlines, "SPEAK_SECONDS", SHORT_SECONDS)
    monkeypatch.setattr(acceptor.Connection, "enforce_deadlines", look)
    with connect(running, tls=True) as one, connect(running, tls=True) as other:
        assert is_hung_up_on(one)
        assert is_hung_up_on(other)
    assert not faults
