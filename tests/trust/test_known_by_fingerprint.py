"""Is somebody in the manager's place, who shows its genuine authority, told nothing?"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloudgate.client.asynchronous import AsyncTransport
from cloudgate.client.blocking import Transport
from cloudgate.client.core.exchange import Request
from cloudgate.client.verification import Trust
from cloudgate.errors import CloudgateError, NotAuthenticatedError, UnavailableError
from cloudgate.host.manager_link.join import authority_by_fingerprint, join_host
from cloudgate.host.state.paths import state_paths
from cloudgate.manager.security.authority import Authority, fingerprint, open_authority
from cloudgate.trust.certificate_roles import Role
from tests.support.certificates.certificate_roles import Impostor, showing, shown_by

Ask = Callable[[Path, Impostor, str], None]
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
def answering(tmp_path: Path, own: Authority) -> Iterator[Callable[[bytes], Impostor]]:
    """Whoever answers to everything with the same, by a certificate of his own authority."""
    pem = shown_by(own, Role.MANAGER, "localhost")
    with ExitStack() as shown:
        yield lambda says: shown.enter_context(showing(tmp_path, pem, says))


def answer(body: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return (head + body).encode()


def join(folder: Path, there: Impostor, pin: str) -> None:
    async def by_fingerprint() -> None:
        known = await authority_by_fingerprint(there.url, pin)
        await join_host(folder / "host", there.url, "secret", known)

    asyncio.run(by_fingerprint())


LOGON = Request("POST", "/sessionMngr/", user=("admin", "secret"))


def log_on(folder: Path, there: Impostor, pin: str) -> None:
    del folder
    with Transport(Trust(fingerprint=pin)) as transport:
        transport.send(LOGON.to(there.url))


def log_on_beside_others(folder: Path, there: Impostor, pin: str) -> None:
    del folder

    async def send() -> None:
        async with AsyncTransport(Trust(fingerprint=pin)) as transport:
            await transport.send(LOGON.to(there.url))

    asyncio.run(send())


EVERYBODY = pytest.mark.parametrize("ask", [join, log_on, log_on_beside_others])


@EVERYBODY
def test_who_shows_his_own_authority_beside_the_genuine_one_is_told_nothing(
    tmp_path: Path,
    genuine: Authority,
    own: Authority,
    answering: Callable[[bytes], Impostor],
    ask: Ask,
) -> None:
    both = (genuine.certificate_pem, own.certificate_pem)
    for shown in (both, both[::-1]):
        there = answering(answer("".join(shown)))
        with pytest.raises(CloudgateError) as problem:
            ask(tmp_path, there, fingerprint(genuine.certificate))
        assert isinstance(problem.value, UnavailableError | NotAuthenticatedError)
        assert there.heard.startswith(b"GET /host/v1/authority "), "and that was all"
        assert there.heard.count(b"HTTP/1.1") == 1
        assert SECRET not in there.heard
        assert not state_paths(tmp_path / "host").manager_ca.exists()
