"""Does a connector have a certificate that is good, at a gateway whose manager is the test?"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from structlog.testing import capture_logs

from cloudgate.connector import own_certificate
from cloudgate.connector.balancer import Balancer
from cloudgate.connector.own_certificate import CertificateKeeper, read_certificate
from cloudgate.connector.run import Output, run_connector, run_standard_streams
from cloudgate.connector.settings import Forward
from cloudgate.errors import (
    CloudgateError,
    InvalidRequestError,
    NotAuthenticatedError,
    UnavailableError,
)
from cloudgate.manager.security.tenant_authority import (
    CertificateSubject,
    TenantAuthority,
    new_tenant_authority,
    requested_key,
)
from cloudgate.network.hostport import HostPort
from cloudgate.protocol import EndedCertificate, GatewayState, OwnAnswer, OwnRequest
from tests.connector.support import TARGET
from tests.support.certificates.authority import Authority
from tests.support.certificates.client_certificates import key_pem, new_key, write
from tests.support.certificates.kept_certificate import KeptCertificate
from tests.support.ports import free_port
from tests.support.running.jobs import running_job
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio
DAY = timedelta(days=1)
OVERDUE = timedelta(hours=17)
AHEAD = OVERDUE + timedelta(hours=1)
"""A certificate of a day is wanted anew by then, and good yet."""


class Office:
    """A gateway whose manager is this: it signs what is asked for, or what a test wants."""

    def __init__(self, machine: Machine, signer: TenantAuthority, port: int) -> None:
        self.machine = machine
        self.signer = signer
        self.gateway = HostPort("localhost", port)
        self.issued: list[UUID] = []
        self.key: ec.EllipticCurvePublicKey | None = None
        """For which it signs in place of the one that is asked for."""
        self.refusal = ""
        machine.authorizer.own.ask = self.answer

    async def answer(self, wanted: OwnRequest) -> OwnAnswer:
        """What the manager says."""
        if self.refusal:
            return OwnAnswer(status=403, message=self.refusal)
        now, identifier = datetime.now(UTC), uuid4()
        key = self.key or requested_key(wanted.certificate_request or "")
        subject = CertificateSubject(identifier, wanted.tenant_id, None, "acme", key, now + DAY)
        self.issued.append(identifier)
        pem = self.signer.issue(subject, now).public_bytes(serialization.Encoding.PEM)
        return OwnAnswer(status=200, certificate_pem=pem.decode())

    def know(self, *ended: UUID) -> None:
        """Have the gateway know the tenant, and that these certificates are not good any more."""
        gone = tuple(EndedCertificate(certificate_id=each) for each in ended)
        self.machine.know(tenant(1, ended_certificates=gone))


@pytest.fixture
async def office(
    tmp_path: Path, authority: Authority, anyio_backend: object
) -> AsyncIterator[Office]:
    signer, port = new_tenant_authority(datetime.now(UTC)), free_port()
    async with running_machine(tmp_path / "state", authority) as machine:
        made = Office(machine, signer, port)
        made.know()
        wanted = machine.gateway(port, client_authorities=(signer.pem,))
        await machine.bring(wanted, GatewayState.LISTENING)
        yield made


def kept_in(folder: Path, ca: Path, *gateways: HostPort, password: str | None) -> KeptCertificate:
    """Of the tenant Acme, in a folder."""
    return KeptCertificate(folder / "own.pem", "acme", ca, gateways, password)


async def test_it_is_got_by_the_password_renewed_with_its_key_and_got_anew_once_it_is_refused(
    tmp_path: Path, office: Office, ca_file: Path
) -> None:
    nobody = HostPort("localhost", free_port())
    kept = kept_in(tmp_path, ca_file, nobody, office.gateway, password=PASSWORD)
    await kept.keeper.begin()
    first = kept.file.read_text()
    await kept.keeper.begin()
    assert kept.file.read_text() == first, "it is young"
    assert await kept.discovers()

    key, kept.password, kept.ahead = kept.key, None, OVERDUE
    await kept.keeper.begin()
    assert (kept.key, kept.file.read_text() != first) == (key, True)
    assert await kept.discovers()

    office.know(*office.issued)
    with pytest.raises(NotAuthenticatedError, match="not good any more"):
        await kept.discovers()
    kept.ahead, kept.password = timedelta(), PASSWORD
    async with running_job(kept.keeper):
        kept.keeper.refused()
        await until_async(lambda: kept.key != key)
    # The old one, which is refused, is not renewed; the password is good for a new key.
    assert await kept.discovers()


async def test_while_it_is_good_that_it_is_not_renewed_is_said_and_tried_again(
    tmp_path: Path, office: Office, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_certificate, "FIRST_PAUSE_SECONDS", 1.0)
    kept = kept_in(tmp_path, ca_file, office.gateway, password=PASSWORD)
    await kept.keeper.begin()
    kept.password, office.refusal, kept.ahead = None, "Not today.", AHEAD
    first = kept.file.read_text()
    with capture_logs() as logs:
        await kept.keeper.begin()
        async with running_job(kept.keeper):
            await until_async(lambda: kept.keeper.failures == 2)
            office.refusal, kept.ahead = "", OVERDUE  # it is put back
            await until_async(lambda: kept.file.read_text() != first)
    said = [each for each in logs if each["event"] == "the certificate is not renewed yet"]
    assert [each["next_in_seconds"] for each in said] == [1, 2]
    assert "Not today." in said[0]["reason"]
    assert kept.keeper.failures == 0


@pytest.mark.parametrize("above", ["", "Bag Attributes\n    friendlyName: acme\n"])
async def test_one_that_another_program_wrote_certificate_first_is_renewed_with_its_key(
    tmp_path: Path, office: Office, ca_file: Path, above: str
) -> None:
    made, key = datetime.now(UTC), new_key()
    subject = CertificateSubject(uuid4(), UUID(int=1), None, "acme", key.public_key(), made + DAY)
    certificate = office.signer.issue(subject, made).public_bytes(serialization.Encoding.PEM)
    written = above + certificate.decode() + above + key_pem(key)
    (tmp_path / "own.pem").write_text(written)
    kept = kept_in(tmp_path, ca_file, office.gateway, password=None)
    kept.ahead = OVERDUE
    await kept.keeper.begin()
    assert kept.key == key_pem(key)
    assert kept.file.read_text().startswith(key_pem(key))
    assert certificate.decode() not in kept.file.read_text()
    assert await kept.discovers()


async def test_one_that_is_due_as_soon_as_it_comes_is_not_asked_for_again_at_once(
    tmp_path: Path, office: Office, ca_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_certificate, "_LOOK_SECONDS", 0.01)
    kept = kept_in(tmp_path, ca_file, office.gateway, password=PASSWORD)
    kept.ahead = OVERDUE
    await kept.keeper.begin()
    async with running_job(kept.keeper):
        await until_async(lambda: kept.clock_was_read > 50)
    assert len(office.issued) == 1


async def test_one_that_has_ended_and_cannot_be_renewed_is_said_at_the_start(
    tmp_path: Path, office: Office, ca_file: Path
) -> None:
    kept = kept_in(tmp_path, ca_file, office.gateway, password=PASSWORD)
    await kept.keeper.begin()
    kept.password, kept.ahead = None, DAY
    with pytest.raises(NotAuthenticatedError, match="give --password-file"):
        await kept.keeper.begin()
    office.know(*office.issued)
    kept.ahead = OVERDUE
    before = kept.keeper.failures
    await kept.keeper.begin()
    assert kept.keeper.failures == before + 1, "it has not ended, and may be good at others"


async def test_the_connector_is_ready_once_it_has_one_and_ends_at_a_signal(
    tmp_path: Path, office: Office, ca_file: Path
) -> None:
    kept = kept_in(tmp_path, ca_file, office.gateway, password=None)
    fleet = Balancer([office.gateway], kept.who, half_close=False)
    with pytest.raises(NotAuthenticatedError, match="give --password-file"):
        await run_standard_streams(fleet, TARGET, kept.keeper)
    kept.password = PASSWORD
    said = asyncio.Queue[str]()
    forward = Forward(HostPort("127.0.0.1", 0), TARGET)
    work = asyncio.create_task(
        run_connector(fleet, [forward], Output(said.put_nowait), kept.keeper)
    )
    assert "leads to repo.example:443" in await said.get()
    assert await said.get() == "ready"
    assert await kept.discovers()
    os.kill(os.getpid(), signal.SIGTERM)
    await work


async def test_what_keeps_a_certificate_from_being_had_is_said(
    tmp_path: Path, office: Office, ca_file: Path
) -> None:
    async def problem(kind: type[CloudgateError], words: str, kept: KeptCertificate) -> None:
        with pytest.raises(kind, match=words):
            await kept.keeper.begin()

    nobody = HostPort("localhost", free_port())
    usual = kept_in(tmp_path, ca_file, office.gateway, password=PASSWORD)
    none = kept_in(tmp_path, ca_file, password=PASSWORD)
    await problem(InvalidRequestError, "No gateway is named", none)
    away = kept_in(tmp_path, ca_file, nobody, password=PASSWORD)
    await problem(UnavailableError, f"The gateway {nobody} does not answer", away)
    absent = kept_in(tmp_path / "absent", ca_file, office.gateway, password=PASSWORD)
    await problem(InvalidRequestError, "Cannot write into the folder", absent)
    office.refusal = "The provider does not let acme get certificates."
    await problem(CloudgateError, "does not let acme", usual)
    office.refusal, office.key = "", new_key().public_key()
    await problem(CloudgateError, "is no certificate of the key", usual)
    assert not usual.file.exists(), "what is of no use replaces nothing"
    office.key = None
    usual.file.mkdir()  # as what cannot be replaced
    await problem(InvalidRequestError, f"Cannot write {usual.file}", usual)


async def test_a_file_that_is_of_no_use_is_named_with_what_is_wrong(
    tmp_path: Path, office: Office, ca_file: Path
) -> None:
    file = tmp_path / "own.pem"

    def keeper() -> CertificateKeeper:
        return kept_in(tmp_path, ca_file, office.gateway, password=None).keeper

    assert read_certificate(file) is None
    file.mkdir()
    with pytest.raises(InvalidRequestError, match=r"Cannot read the certificate file .*directory"):
        keeper()
    file.rmdir()
    file.write_bytes(b"\xff")
    with pytest.raises(InvalidRequestError, match="Cannot read the certificate file"):
        keeper()
    made, key = datetime.now(UTC), new_key()
    subject = CertificateSubject(
        uuid4(), UUID(int=1), None, "acme", new_key().public_key(), made + DAY
    )
    for text in ("no certificate", key_pem(key)):
        file.write_text(text)
        with pytest.raises(InvalidRequestError, match="must have a private key and its"):
            keeper()
    write(file, key, office.signer.issue(subject, made))
    with pytest.raises(InvalidRequestError, match="must have a private key and its certificate"):
        keeper()
    weak = rsa.generate_private_key(65537, 1024)
    subject = CertificateSubject(uuid4(), UUID(int=1), None, "acme", weak.public_key(), made + DAY)
    write(file, weak, office.signer.issue(subject, made))
    with pytest.raises(InvalidRequestError, match=r"cannot be shown: .*KEY_TOO_SMALL"):
        await keeper().begin()
