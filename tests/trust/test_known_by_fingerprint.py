"""Is somebody in the manager's place, who shows its genuine authority, told nothing?"""

import asyncio
import gzip
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloudgate.client.asynchronous import AsyncTransport
from cloudgate.client.blocking import Transport
from cloudgate.client.core.exchange import Request
from cloudgate.client.verification import Trust
from cloudgate.errors import CloudgateError, NotAuthenticatedError, UnavailableError
from cloudgate.host.manager_link import join as join_module
from cloudgate.host.manager_link.join import authority_by_fingerprint, join_host
from cloudgate.host.state.paths import state_paths
from cloudgate.manager.security.authority import Authority, fingerprint, open_authority
from cloudgate.trust.certificate_roles import Role
from tests.support.certificates.certificate_roles import Impostor, showing, shown_by

Ask = Callable[[Path, Impostor, str], None]
Answering = Callable[[Iterable[bytes]], Impostor]
SECRET = b"secret"


def opened(folder: Path) -> Authority:
    folder.mkdir()
    return open_authority(folder)


@pytest.fixture
def genuine(tmp_path: Path) -> Authority:
    return opened(tmp_path / "genuine")


@pytest.fixture
def own(tmp_path: Path) -> Authority:
    """The impostor's: nobody can make it sign less than he wants."""
    return opened(tmp_path / "own")


@pytest.fixture
def answering(tmp_path: Path, own: Authority) -> Iterator[Answering]:
    """Whoever answers to everything with the same, by a certificate of his own authority."""
    pem = shown_by(own, Role.MANAGER, "localhost")
    with ExitStack() as shown:
        yield lambda says: shown.enter_context(showing(tmp_path, pem, says))


def answer(body: bytes, *more: str) -> tuple[bytes]:
    head = ("HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *more, "Connection: close", "\r\n")
    return ("\r\n".join(head).encode() + body,)


@pytest.fixture
def hurried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where somebody keeps what he knows who waits for no answer longer than a second."""
    monkeypatch.setattr(join_module, "ANSWER_SECONDS", 1.0)
    return tmp_path


def join(folder: Path, there: Impostor, pin: str) -> None:
    async def by_fingerprint() -> None:
        known = await authority_by_fingerprint(there.url, pin)
        await join_host(folder / "host", there.url, "secret", known)

    asyncio.run(by_fingerprint())


LOGON = Request("POST", "/sessionMngr/", user=("admin", "secret"))


def log_on(folder: Path, there: Impostor, pin: str) -> None:
    del folder
    with Transport(Trust(fingerprint=pin), timeout_seconds=join_module.ANSWER_SECONDS) as transport:
        transport.send(LOGON.to(there.url))


def log_on_beside_others(folder: Path, there: Impostor, pin: str) -> None:
    del folder

    async def send() -> None:
        async with AsyncTransport(
            Trust(fingerprint=pin), timeout_seconds=join_module.ANSWER_SECONDS
        ) as transport:
            await transport.send(LOGON.to(there.url))

    asyncio.run(send())


EVERYBODY = pytest.mark.parametrize("ask", [join, log_on, log_on_beside_others])


@EVERYBODY
def test_who_shows_his_own_authority_beside_the_genuine_one_is_told_nothing(
    tmp_path: Path,
    genuine: Authority,
    own: Authority,
    answering: Answering,
    ask: Ask,
) -> None:
    both = (genuine.certificate_pem, own.certificate_pem)
    for shown in (both, both[::-1]):
        there = answering(answer("".join(shown).encode()))
        with pytest.raises(CloudgateError) as problem:
            ask(tmp_path, there, fingerprint(genuine.certificate))
        assert isinstance(problem.value, UnavailableError | NotAuthenticatedError)
        assert there.heard.startswith(b"GET /host/v1/authority "), "and that was all"
        assert there.heard.count(b"HTTP/1.1") == 1
        assert SECRET not in there.heard
        assert not state_paths(tmp_path / "host").manager_ca.exists()


@EVERYBODY
def test_who_packs_the_genuine_authority_though_nobody_asked_for_that_is_told_nothing(
    tmp_path: Path, genuine: Authority, answering: Answering, ask: Ask
) -> None:
    packed = gzip.compress(genuine.certificate_pem.encode())
    there = answering(answer(packed, "Content-Encoding: gzip"))
    with pytest.raises(UnavailableError, match="not as a manager does"):
        ask(tmp_path, there, fingerprint(genuine.certificate))
    assert b"\r\naccept-encoding: identity\r\n" in there.heard.lower()
    assert SECRET not in there.heard


class Endless:
    """What somebody says who never ends it, as far as it is taken, and a test goes on."""

    MOST_PIECES = 400

    def __init__(self, first: bytes, piece: bytes, pause_seconds: float = 0.0) -> None:
        self._first = first
        self._piece = piece
        self._pause_seconds = pause_seconds
        self.pieces = 0

    def __iter__(self) -> Iterator[bytes]:
        yield self._first
        while self.pieces < self.MOST_PIECES:
            self.pieces += 1
            yield self._piece
            threading.Event().wait(self._pause_seconds)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n"


@EVERYBODY
def test_an_answer_is_not_read_further_than_a_certificate_can_be_long(
    tmp_path: Path, genuine: Authority, answering: Answering, ask: Ask
) -> None:
    said = Endless(HEAD + genuine.certificate_pem.encode(), b"x" * 65536)
    there = answering(said)
    with pytest.raises(UnavailableError, match="not as a manager does"):
        ask(tmp_path, there, fingerprint(genuine.certificate))
    assert SECRET not in there.heard
    assert said.pieces < Endless.MOST_PIECES


@EVERYBODY
@pytest.mark.parametrize(
    ("first", "piece"),
    [(HEAD, b"x"), (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"), (b"", b"HTTP/1.1 100 \r\n\r\n")],
    ids=["of the body", "of the headers", "of what is none yet"],
)
def test_an_answer_that_comes_in_drips_is_given_up_when_its_time_is_over(
    answering: Answering, ask: Ask, first: bytes, piece: bytes, hurried: Path
) -> None:
    said = Endless(first, piece, pause_seconds=0.05)
    there = answering(said)
    with pytest.raises(UnavailableError, match=r"in time|within 1 seconds"):
        ask(hurried, there, "ab" * 32)
    assert SECRET not in there.heard
    assert said.pieces < Endless.MOST_PIECES
