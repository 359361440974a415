"""Nothing that is signed for a gateway passes as the manager, and the manager as no gateway."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from cloudgate.client.blocking import Transport
from cloudgate.client.core.exchange import Request
from cloudgate.client.verification import Trust
from cloudgate.connector.tls_connection import CertificateError, connect, identity
from cloudgate.errors import InvalidRequestError, UnavailableError
from cloudgate.host.manager_link.client import ManagerClient
from cloudgate.host.manager_link.join import join_host
from cloudgate.manager.security.authority import Authority, open_authority
from cloudgate.network.hostport import HostPort
from cloudgate.protocol import PollRequest
from cloudgate.trust.certificate_roles import Role
from tests.support.certificates.certificate_roles import (
    Impostor,
    make_former_root,
    showing,
    shown_before,
    shown_by,
)
from tests.support.running.manager import RunningManager, running_manager

DAYS = timedelta(days=1)
Ask = Callable[[Path, Impostor], None]


@pytest.fixture(scope="module", params=["made now", "made before"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an authority is kept, of this release or of the one before."""
    made = tmp_path_factory.mktemp("authority")
    if request.param == "made before":
        make_former_root(made)
    open_authority(made)
    return made


@pytest.fixture
def authority(folder: Path) -> Authority:
    return open_authority(folder)


@pytest.fixture
def show(tmp_path: Path) -> Iterator[Callable[[str], Impostor]]:
    with ExitStack() as shown:
        yield lambda pem: shown.enter_context(showing(tmp_path, pem))


def ask_as_operator(folder: Path, there: Impostor) -> None:
    with Transport(Trust(folder / "ca.pem")) as transport:
        logon = Request("POST", "/sessionMngr/", user=("admin", "secret"))
        transport.send(logon.to(there.url))


def ask_as_host(folder: Path, there: Impostor) -> None:
    async def ask() -> None:
        pem = (folder / "ca.pem").read_text()
        async with ManagerClient(there.url, pem, lambda: "secret") as client:
            await client.poll(PollRequest())

    asyncio.run(ask())


def ask_as_joining(folder: Path, there: Impostor) -> None:
    state = folder / "host"
    asyncio.run(join_host(state, there.url, "secret", (folder / "ca.pem").read_text()))


def ask_as_tenant(folder: Path, there: Impostor) -> None:
    async def ask() -> None:
        who = identity("acme", "secret", folder / "ca.pem", None)
        line = await connect(HostPort("localhost", there.port), who, who.http1)
        line.send(b"CONNECT x:1 HTTP/1.1\r\n\r\n")
        await line.room()
        await line.read()
        line.close()

    asyncio.run(ask())


OF_THE_MANAGER = [ask_as_operator, ask_as_host, ask_as_joining]


@pytest.mark.parametrize("ask", OF_THE_MANAGER)
def test_a_gateways_certificate_does_not_pass_as_the_manager_whatever_its_name(
    folder: Path, authority: Authority, show: Callable[[str], Impostor], ask: Ask
) -> None:
    there = show(shown_by(authority, Role.GATEWAY, "localhost", "127.0.0.1"))
    with pytest.raises(UnavailableError, match="signed for a gateway"):
        ask(folder, there)
    assert there.heard == b""


@pytest.mark.parametrize("ask", OF_THE_MANAGER)
def test_the_managers_certificate_passes(
    folder: Path, authority: Authority, show: Callable[[str], Impostor], ask: Ask
) -> None:
    there = show(shown_by(authority, Role.MANAGER, "localhost"))
    with suppress(InvalidRequestError):  # whatever the impostor answers
        ask(folder, there)
    assert there.heard != b""


def test_the_managers_certificate_does_not_pass_as_a_gateway(
    folder: Path, authority: Authority, show: Callable[[str], Impostor]
) -> None:
    there = show(shown_by(authority, Role.MANAGER, "localhost"))
    with pytest.raises(CertificateError, match="no gateway: it was signed for a manager"):
        ask_as_tenant(folder, there)
    assert there.heard == b""


@pytest.mark.parametrize("days", [14, 90])
def test_a_gateway_of_this_release_or_the_one_before_passes_as_one(
    folder: Path, authority: Authority, show: Callable[[str], Impostor], days: int
) -> None:
    for pem in (
        shown_by(authority, Role.GATEWAY, "localhost", term=days * DAYS),
        shown_before(authority, "localhost", days * DAYS),
    ):
        there = show(pem)
        ask_as_tenant(folder, there)
        assert there.heard.startswith(b"CONNECT")


@pytest.mark.parametrize("ask", OF_THE_MANAGER)
def test_what_the_release_before_signed_for_a_gateway_does_not_pass_as_the_manager(
    folder: Path, authority: Authority, show: Callable[[str], Impostor], ask: Ask
) -> None:
    there = show(shown_before(authority, "localhost", 14 * DAYS))
    with pytest.raises(UnavailableError):
        ask(folder, there)
    assert there.heard == b""


def test_a_host_speaks_with_a_manager_of_the_release_before_until_it_has_met_a_newer_one(
    folder: Path, authority: Authority, show: Callable[[str], Impostor]
) -> None:
    former = shown_before(authority, "localhost", 90 * DAYS)
    newer = shown_by(authority, Role.MANAGER, "localhost")
    pem = (folder / "ca.pem").read_text()

    async def says_role(there: Impostor, *, known: bool) -> bool:
        async with ManagerClient(there.url, pem, lambda: "secret", says_role=known) as client:
            with suppress(InvalidRequestError):  # whatever the impostor answers
                await client.poll(PollRequest())
            return client.says_role

    first = show(former)
    assert not asyncio.run(says_role(first, known=False))
    assert first.heard
    assert asyncio.run(says_role(show(newer), known=False))
    later = show(former)
    with pytest.raises(UnavailableError, match="signed for a gateway"):
        asyncio.run(says_role(later, known=True))
    assert later.heard == b""


def test_programs_that_know_the_root_alone_take_both_chains(
    folder: Path, authority: Authority, show: Callable[[str], Impostor], tmp_path: Path
) -> None:
    for role in Role:
        pem = shown_by(authority, role, "localhost")
        there = show(pem)
        context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        assert ssl.get_server_certificate(
            ("localhost", there.port), ca_certs=str(folder / "ca.pem")
        )
        curl = shutil.which("curl")
        if curl:
            command = [curl, "-sS", "--cacert", str(folder / "ca.pem"), there.url]
            done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
            assert done.returncode == 0, done.stderr
            assert there.heard.startswith(b"GET / ")


def test_a_new_root_has_two_authorities_below_it_and_a_former_one_goes_on_alone(
    folder: Path, authority: Authority
) -> None:
    for role in Role:
        shown = shown_by(authority, role, "localhost")
        leaf, *issuers = x509.load_pem_x509_certificates(
            shown[shown.index("-----BEGIN CERT") :].encode()
        )
        assert issuers[-1] == authority.certificate
        assert [each.value for each in leaf.subject][-1] == role.value
        for below, above in zip([leaf, *issuers], issuers, strict=False):
            below.verify_directly_issued_by(above)
    are_apart = authority.managers != authority.gateways
    basic = authority.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert are_apart == (basic.path_length == 1)
    assert (authority.managers == authority.root) == (basic.path_length == 0)


def test_an_installation_of_the_release_before_moves_over_at_the_first_start(
    tmp_path: Path,
) -> None:
    with running_manager(tmp_path) as before:
        assert before.ca_file.exists()
    for file in ("ca.key", "ca.pem", "manager.pem", "manager-issuer.pem", "gateway-issuer.pem"):
        (tmp_path / file).unlink()
    make_former_root(tmp_path)
    known = (tmp_path / "ca.pem").read_bytes()
    (tmp_path / "manager.pem").write_text(
        shown_before(open_authority(tmp_path), "localhost", 90 * DAYS)
    )
    with running_manager(tmp_path, site=None) as started:
        moved_over(started)
    assert (tmp_path / "ca.pem").read_bytes() == known


def moved_over(started: RunningManager) -> None:
    with Transport(Trust(started.ca_file)) as transport:
        assert transport.send(Request("GET", "/", url=started.url)).status in (200, 401)
    started.client().get("/").raise_for_status()
