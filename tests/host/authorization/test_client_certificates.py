"""Does a certificate of a tenant open its tunnels at a real gateway, and nothing else?"""

import asyncio
import base64
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata
from cloudgate.host.envoy.data_path.choice import DataPathKind
from cloudgate.host.envoy.xds_listener import CERTIFICATE_HEADER
from cloudgate.manager.security.authority import (
    CertificateRequest,
    gateway_term,
    open_authority,
)
from cloudgate.manager.security.tenant_authority import TenantAuthority, new_tenant_authority
from cloudgate.protocol import (
    EndedCertificate,
    GatewayState,
    Refusal,
    Tenant,
    User,
)
from cloudgate.trust.certificate_roles import Role
from cloudgate.trust.tenant_certificates import AUTHORITY_NAME, uri_of
from tests.support.certificates.certificate_roles import public_pem
from tests.support.certificates.client_certificates import issued, key_pem, new_key, write
from tests.support.observation.access_log import access_lines
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import PASSWORD, PASSWORD_HASH, tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import until_async

REPO = "repo.example:443"
ACME, LAPTOP, OTHER = UUID(int=1), UUID(int=9), UUID(int=2)
pytestmark = pytest.mark.anyio
both_ways = pytest.mark.parametrize("way", list(DataPathKind), indirect=True)


@dataclass
class Office:
    """Who signs, and where the files are."""

    signer: TenantAuthority
    folder: Path

    def issue(
        self, client: Client, user_id: UUID | None = None, ends_in: timedelta = timedelta(days=1)
    ) -> UUID:
        """Have the client show a new certificate of Acme's or its user's; its id."""
        client.shows = self.folder / "shown.pem"
        return issued(self.signer, client.shows, ACME, user_id, ends_in)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(new_tenant_authority(datetime.now(UTC)), tmp_path)


@pytest.fixture
async def port(machine: Machine, office: Office, repository_port: int, way: DataPathKind) -> int:
    """Of a gateway that knows Acme, with a user, and its tenants' authority."""
    found = free_port()
    wanted = machine.gateway(found, client_authorities=(office.signer.pem,))
    await machine.bring(wanted, GatewayState.LISTENING)
    assert machine.envoy.data_path.way is way
    machine.know(_acme(repository_port))
    return found


def _acme(repository_port: int, **changes: object) -> Tenant:
    targets = tenant(repository_port).targets
    user = User(user_id=LAPTOP, name="laptop", password_hash=PASSWORD_HASH, targets=targets)
    return tenant(repository_port, **{"users": (user,), **changes})


async def _status(client: Client, port: int, login: str = "") -> tuple[int, str]:
    found = await client.connect(port, REPO, login)
    return found.status, found.body


@both_ways
async def test_it_opens_a_tunnel_without_a_password_and_the_same_name_may_come_along(
    machine: Machine, client: Client, port: int, office: Office, way: DataPathKind
) -> None:
    assert (await _status(client, port))[0] == 407, "none is shown"
    assert (await _status(client, port, f"acme:{PASSWORD}"))[0] == 200
    identifier = office.issue(client)
    tunnel = await client.connect(port, REPO, "")
    assert tunnel.status == 200, tunnel.body
    assert await tunnel.echoes()
    listed = await client.ask(port, "GET /.well-known/cloudgate HTTP/1.1\r\nHost: x\r\n\r\n")
    assert listed.status == 200
    assert (await _status(client, port, "ACME:not looked at"))[0] == 200
    for name in ("other", "acme\\laptop", "acme\\nobody"):
        status, body = await _status(client, port, f"{name}:{PASSWORD}")
        assert status == 403, name
        assert "not of the same tenant or user" in body
    assert machine.authorizer.meter.refused[Refusal.CERTIFICATE] == 3
    await until_async(lambda: identifier in {each.certificate_id for each in machine.tracker.live})
    assert not machine.guesses.pending()


async def test_a_users_certificate_has_its_rights_and_ends_with_it(
    machine: Machine, client: Client, port: int, office: Office, repository_port: int
) -> None:
    office.issue(client, LAPTOP)
    tunnel = await client.connect(port, REPO, "")
    assert tunnel.status == 200, tunnel.body
    await until_async(lambda: {each.user_id for each in machine.tracker.live} == {LAPTOP})
    user = User(user_id=LAPTOP, name="laptop", password_hash=PASSWORD_HASH, enabled=False)
    machine.know(_acme(repository_port, users=(user,)))
    assert await tunnel.is_cut()
    assert (await _status(client, port)) == (403, "This user of the tenant is disabled.\n")
    machine.know(_acme(repository_port, users=()))
    assert (await _status(client, port))[0] == 407


@both_ways
async def test_when_it_has_ended_or_was_revoked_it_opens_nothing_and_a_password_still_does(
    machine: Machine, client: Client, port: int, office: Office, repository_port: int
) -> None:
    office.issue(client, ends_in=timedelta(seconds=-1))
    status, body = await _status(client, port)
    assert (status, "has ended" in body) == (407, True)
    assert (await _status(client, port, f"acme:{PASSWORD}"))[0] == 200
    assert (await _status(client, port, "acme:wrong"))[0] == 407

    by_one = office.issue(client)
    live = await client.connect(port, REPO, "")
    first = office.folder / "first.pem"
    (office.folder / "shown.pem").rename(first)
    by_another = office.issue(client)
    other = await client.connect(port, REPO, "")
    by_password = await client.connect(port, REPO)
    assert {each.status for each in (live, other, by_password)} == {200}

    ended = EndedCertificate(certificate_id=by_another)
    machine.know(_acme(repository_port, ended_certificates=(ended,)))
    status, body = await _status(client, port)
    assert (status, "not good any more" in body) == (407, True)
    revoked = EndedCertificate(certificate_id=by_one, tunnels_end=True)
    machine.know(_acme(repository_port, ended_certificates=(ended, revoked)))
    assert await live.is_cut()
    assert await other.echoes(), "of one that is replaced, live tunnels go on"
    assert await by_password.echoes()
    client.shows = first
    assert (await _status(client, port))[0] == 407
    machine.know(_acme(repository_port, enabled=False))
    assert await other.is_cut()


async def test_what_is_asked_of_a_password_is_asked_of_a_certificate(
    machine: Machine, client: Client, port: int, office: Office, repository_port: int
) -> None:
    office.issue(client)
    for changes, words in (
        ({"enabled": False}, "The tenant is disabled."),
        ({"expires_at": datetime.now(UTC)}, "lease has expired"),
        ({"networks": ("198.51.100.0/24",)}, "may not come from 127.0.0.1"),
        ({"pool_ids": (UUID(int=5),)}, "set apart for others"),
    ):
        machine.know(_acme(repository_port, **changes))
        status, body = await _status(client, port)
        assert (status, words in body) == (403, True), words
    machine.know(_acme(repository_port, password_hash=""))
    assert (await _status(client, port))[0] == 407, "a tenant that this gateway lets nobody in of"
    machine.know()
    assert (await _status(client, port))[0] == 407


def _forgeries(folder: Path) -> dict[str, Path]:
    """Certificates that are no tenant's of this provider, each with its key."""
    folder.mkdir()
    now = datetime.now(UTC)
    found: dict[str, Path] = {}
    found["another provider's"] = folder / "another.pem"
    issued(new_tenant_authority(now), found["another provider's"], ACME)
    ours = open_authority(folder)
    key = new_key()
    for role in Role:
        wanted = CertificateRequest(public_pem(key), (str(ACME), "acme"), role, gateway_term())
        found[role.value] = folder / f"{role.name}.pem"
        found[role.value].write_text(key_pem(key) + ours.issue(wanted, now))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, AUTHORITY_NAME)])
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri_of(ACME, None))])
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    itself = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(uri, critical=False)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    found["signed by itself"] = folder / "itself.pem"
    write(found["signed by itself"], key, itself)
    named = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(60_000))
    large = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(5)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(named, critical=False)
        .sign(key, hashes.SHA256())
    )
    found["large"] = folder / "large.pem"
    write(found["large"], key, large)
    return found


@both_ways
async def test_one_of_nobodys_is_as_none_and_shuts_out_no_program(
    machine: Machine, client: Client, port: int, office: Office, way: DataPathKind
) -> None:
    for what, file in _forgeries(office.folder / "authority").items():
        client.shows = file
        assert (await _status(client, port)) == (
            407,
            "Name or password are missing or wrong.\n",
        ), what
        assert (await _status(client, port, f"acme:{PASSWORD}"))[0] == 200, what
    assert not machine.authorizer.meter.refused[Refusal.CERTIFICATE]


@both_ways
async def test_a_gateway_that_begins_to_ask_cuts_no_tunnel(
    machine: Machine, client: Client, office: Office, repository_port: int, way: DataPathKind
) -> None:
    port = free_port()
    wanted = machine.gateway(port)
    await machine.bring(wanted, GatewayState.LISTENING)
    machine.know(_acme(repository_port))
    live = await client.connect(port, REPO)
    office.issue(client)
    assert (await _status(client, port))[0] == 407, "nobody asks for it"
    asking = wanted.model_copy(update={"client_authorities": (office.signer.pem,)})
    await machine.bring(asking, GatewayState.LISTENING)
    assert (await _status(client, port))[0] == 200
    second = new_tenant_authority(datetime.now(UTC))
    believed = {"proxy_networks": ("127.0.0.2/32",)}
    authorities = {"client_authorities": (office.signer.pem, second.pem)}
    both = wanted.model_copy(update={**authorities, **believed})
    await machine.bring(both, GatewayState.LISTENING)
    by_both = await client.connect(port, REPO, "")
    office.signer = second
    office.issue(client)
    assert (await _status(client, port))[0] == 200
    assert await live.echoes()
    assert await by_both.echoes()


@pytest.mark.parametrize("way", [DataPathKind.MODULE], indirect=True)
async def test_only_who_shows_one_goes_by_http_where_there_is_a_module(
    machine: Machine, client: Client, port: int, office: Office, way: DataPathKind
) -> None:
    assert (await client.connect(port, REPO)).status == 200
    office.issue(client)
    assert (await client.connect(port, REPO, "")).status == 200
    begun = await access_lines(machine.paths.access_log, 2)
    # By TCP alone, a line does not tell the one HTTP/1 from the other.
    assert [each["protocol"] for each in begun] == ["HTTP/1", "HTTP/1.1"]


@both_ways
async def test_a_certificate_that_is_only_said_is_none(
    machine: Machine, client: Client, port: int, office: Office, way: DataPathKind
) -> None:
    office.issue(client)
    shown, client.shows = client.shows, None
    assert shown
    said = f"{CERTIFICATE_HEADER}: {quote(shown.read_text(), safe='')}\r\n"
    for request in (f"CONNECT {REPO}", "GET /.well-known/cloudgate"):
        found = await client.ask(port, f"{request} HTTP/1.1\r\nHost: x\r\n{said}\r\n")
        assert found.status in (407, 401), request
    by_password = await client.connect(port, REPO)
    assert by_password.status == 200


async def test_curl_comes_by_it(
    machine: Machine, client: Client, port: int, office: Office
) -> None:
    curl = shutil.which("curl")
    assert curl, "install curl"
    office.issue(client)
    trusted = office.folder / "ca.pem"
    trusted.write_text(client.ca_pem)
    # The repository's answer is no HTTP, at which curl ends.
    found = await asyncio.create_subprocess_exec(
        curl,
        *("--silent", "--output", "/dev/null", "--write-out", "%{http_connect}"),
        *("--proxy", f"https://localhost:{port}", "--proxy-cacert", str(trusted)),
        *("--proxy-cert", str(client.shows), "--proxytunnel", f"http://{REPO}/"),
        stdout=asyncio.subprocess.PIPE,
        env={"PATH": "/usr/bin:/bin"},
    )
    said, _ = await found.communicate()
    assert said == b"200"


def test_what_a_tunnel_came_in_by_outlives_the_host_service() -> None:
    known = TunnelMetadata(slot_id="p", tenant_id=ACME, certificate_id=UUID(int=7))
    assert TunnelMetadata.read(str(known)) == known
    assert TunnelMetadata.read(str(TunnelMetadata("p", ACME))).certificate_id is None


@both_ways
async def test_what_a_tenant_wants_for_itself_waits_for_the_manager_whichever_way_tunnels_go(
    machine: Machine, client: Client, port: int, way: DataPathKind
) -> None:
    body = '{"Password": "another long password"}'

    async def request(login: str) -> tuple[int, str]:
        encoded = base64.b64encode(login.encode()).decode()
        found = await client.ask(
            port,
            "PUT /.well-known/cloudgate/password HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Basic {encoded}\r\nContent-Length: {len(body)}\r\n\r\n{body}",
        )
        return found.status, found.body

    status, text = await request(f"acme:{PASSWORD}")
    assert (status, "manager does not answer" in text) == (503, True)
    assert (await request("acme:wrong"))[0] == 401
    assert machine.authorizer.meter.refused[Refusal.CREDENTIALS] == 1
