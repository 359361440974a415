"""Does a tenant get a certificate, from the provider or by its password, and when is it over?"""

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from cloudgate.errors import AccessDeniedError, NotAuthenticatedError
from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.manager.tenants import certificates
from cloudgate.protocol import EndedCertificate
from cloudgate.trust.tenant_certificates import Holder, holder_of
from tests.support.certificates.client_certificates import new_key, request_pem
from tests.support.running.customers import SECRET, Customer, add_vault
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished, running_manager
from tests.support.waiting import until

OWN, OWN_ISSUED = "/cloud/certificate", "IssueOwnCloudTenantCertificate"
NEW = "another long password"


@pytest.fixture
def acme(client: httpx2.Client) -> Customer:
    return Customer(client, "acme", add_vault(client))


def issue(client: httpx2.Client, acme: Customer, **body: Any) -> dict[str, Any]:
    spec = {"CertificateRequest": request_pem(new_key()), **body}
    answer = client.post(f"{acme.path}/certificates", json=spec)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    assert answer.headers["Location"] == made["Href"]
    return made


def get_own(client: httpx2.Client, name: str = "acme", password: str = SECRET) -> httpx2.Response:
    body = {"CertificateRequest": request_pem(new_key()), "ValidSeconds": 3600}
    return client.post(OWN, auth=(name, password), json=body)


def allow(client: httpx2.Client, acme: Customer, *, allowed: bool = True) -> None:
    finished(client, client.put(acme.path, json={"MayGetCertificates": allowed}).json())


def listed(client: httpx2.Client, acme: Customer) -> dict[str, str]:
    """By id: whether it is good."""
    found = client.get(f"{acme.path}/certificates").json()["CloudTenantCertificates"]
    return {each["Id"]: each["Status"] for each in found}


def told(host: ScriptedHost) -> tuple[EndedCertificate, ...]:
    """What gateways hear of certificates that are good no more."""
    host.directory_revision = 0
    directory = host.poll().directory
    assert directory is not None
    (tenant,) = directory.tenants
    return tenant.ended_certificates


def holder(client: httpx2.Client, host: ScriptedHost, pem: str) -> Holder:
    """Whose it is, as a gateway finds by what it was told."""
    body = {"ServerHostName": host.name, "NetworkType": "Direct"}
    client.post("/cloud/gateways", json=body)
    host.obey()
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    found = holder_of(pem, host.assignment.gateway.client_authorities)
    assert found is not None
    return found


def test_the_provider_issues_one_that_gateways_know_and_revokes_it(
    running: RunningManager, client: httpx2.Client, acme: Customer, host: ScriptedHost
) -> None:
    of_tenant = issue(client, acme)
    of_user = issue(client, acme, SubtenantId=str(acme.user_id("ann")), ValidSeconds=300)
    assert (of_tenant["Login"], of_user["Login"]) == ("acme", "acme\\ann")
    whose = holder(client, host, of_user["Certificate"])
    assert (whose.tenant_id, whose.user_id) == (acme.id, acme.user_id("ann"))
    assert str(whose.certificate_id) == of_user["Id"]
    assert whose.is_in_time(datetime.now(UTC))
    assert not whose.is_in_time(datetime.now(UTC) + timedelta(seconds=301))
    lasts = datetime.fromisoformat(of_tenant["ExpirationTime"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=59) < lasts <= timedelta(hours=24)
    assert listed(client, acme) == {of_tenant["Id"]: "Good", of_user["Id"]: "Good"}
    assert told(host) == ()
    assert client.get(of_user["Href"]).json()["Thumbprint"] == of_user["Thumbprint"]

    task = client.delete(of_user["Href"]).json()
    host.obey()
    finished(client, task)
    revoked = EndedCertificate(certificate_id=UUID(of_user["Id"]), tunnels_end=True)
    assert told(host) == (revoked,)
    assert listed(client, acme)[of_user["Id"]] == "Revoked"
    noted = [each for each in running.audited() if "CloudTenantCertificate" in each.operation]
    assert [(each.operation[:6], each.object_name) for each in noted] == [
        ("IssueC", "acme"),
        ("IssueC", "acme\\ann"),
        ("Revoke", "acme\\ann"),
    ]
    running.clock.ahead = timedelta(days=3)
    assert told(host) == ()
    assert listed(running.logged_on(), acme) == {}


@pytest.mark.both_databases
def test_who_shows_its_password_gets_one_that_is_good_as_long_as_that_is(
    running: RunningManager, client: httpx2.Client, acme: Customer, host: ScriptedHost
) -> None:
    refused = get_own(client)
    assert refused.status_code == 403
    assert "does not let acme get certificates" in refused.json()["Message"]
    allow(client, acme)
    assert get_own(client, password="wrong").status_code == 401
    made = get_own(client)
    assert made.status_code == 200, made.text
    of_user = get_own(client, "acme\\ann").json()
    issued = issue(client, acme)
    rotate = f"{acme.path}?action=rotatePassword"
    body = {"Password": NEW, "OldPasswordSeconds": 600}
    finished(client, client.post(rotate, json=body).json())
    assert set(listed(client, acme).values()) == {"Good"}, "the old password is good, too"
    assert told(host) == ()
    finished(client, client.post(f"{acme.path}?action=endOldPassword").json())
    assert listed(client, acme) == {
        made.json()["Id"]: "Replaced",
        of_user["Id"]: "Good",
        issued["Id"]: "Good",
    }
    (ended,) = told(host)
    assert ended == EndedCertificate(certificate_id=UUID(made.json()["Id"]))
    by_itself = [
        each.account for each in running.audited() if each.operation == OWN_ISSUED and each.success
    ]
    assert by_itself == ["acme", "acme\\ann"]
    finished(client, client.put(acme.path, json={"AllowedNetworks": {"Networks": ["::/0"]}}).json())
    assert get_own(client, password=NEW).status_code == 403


def test_one_is_renewed_by_its_own_key_for_the_time_that_it_had_and_not_once_it_is_over(
    running: RunningManager, client: httpx2.Client, acme: Customer
) -> None:
    allow(client, acme)
    key = new_key()
    body = {"CertificateRequest": request_pem(key), "ValidSeconds": 3600}
    made = client.post(OWN, auth=("acme", SECRET), json=body).json()

    def renew(identifier: str, request: str) -> str:
        with running.manager.changing("acme", "127.0.0.1", administers=False) as work:
            tenant = work.session.get_one(CloudTenant, acme.id)
            return str(certificates.renew(work, tenant, UUID(identifier), request).id)

    running.clock.ahead = timedelta(minutes=40)
    second = renew(made["Id"], request_pem(key))
    shown = running.logged_on().get(f"{acme.path}/certificates/{second}").json()
    ends = datetime.fromisoformat(shown["ExpirationTime"])
    assert timedelta(minutes=59) < ends - running.clock() <= timedelta(minutes=60)
    pem = shown["Certificate"].encode()
    assert x509.load_pem_x509_certificate(pem).public_key() == key.public_key()
    with pytest.raises(NotAuthenticatedError, match="its key is not that"):
        renew(made["Id"], request_pem(new_key()))
    allow(running.logged_on(), acme, allowed=False)
    with pytest.raises(AccessDeniedError):
        renew(second, request_pem(key))
    allow(running.logged_on(), acme)
    edited = running.logged_on()
    finished(edited, edited.put(acme.path, json={"Password": NEW}).json())
    with pytest.raises(NotAuthenticatedError, match="not good any more"):
        renew(second, request_pem(key))
    with pytest.raises(NotAuthenticatedError, match="not good any more"):
        renew(str(acme.id), request_pem(key))
    assert set(listed(running.logged_on(), acme).values()) == {"Replaced"}


def test_what_a_stolen_gateway_has_seen_and_sends_again_takes_nobodys_room(
    running: RunningManager, client: httpx2.Client, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow(client, acme)
    request = request_pem(new_key())
    body = {"CertificateRequest": request, "ValidSeconds": 3600}
    last = client.post(OWN, auth=("acme", SECRET), json=body).json()["Id"]

    def renew(identifier: str) -> str:
        with running.manager.changing("acme", "127.0.0.1", administers=False) as work:
            tenant = work.session.get_one(CloudTenant, acme.id)
            return str(certificates.renew(work, tenant, UUID(identifier), request).id)

    for _ in range(2 * certificates.MOST_OF_KEY):
        last = renew(last)
    assert len(listed(client, acme)) == certificates.MOST_OF_KEY
    running.clock.ahead = timedelta(minutes=31)
    assert renew(last) != last
    monkeypatch.setattr(certificates, "MOST_KEPT", len(listed(running.logged_on(), acme)))
    refused = get_own(client)
    assert refused.status_code == 400
    assert "in these days" in refused.json()["Message"]
    assert issue(running.logged_on(), acme)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"CertificateRequest": "no request"}, "expected a certificate request"),
        (
            {"CertificateRequest": request_pem(ed25519.Ed25519PrivateKey.generate())},
            "expected a key of the curve P-256",
        ),
        (
            {"CertificateRequest": request_pem(rsa.generate_private_key(65537, 1024))},
            "2048 to 4096 bits",
        ),
        ({"ValidSeconds": 604801}, "300 to 604800 seconds"),
        ({"ValidSeconds": 299}, "300 to 604800 seconds"),
    ],
    ids=["none", "ed25519", "weak", "long", "short"],
)
def test_what_no_certificate_is_made_of_is_400_and_says_why(
    client: httpx2.Client, acme: Customer, change: dict[str, Any], words: str
) -> None:
    spec = {"CertificateRequest": request_pem(new_key()), **change}
    answer = client.post(f"{acme.path}/certificates", json=spec)
    assert answer.status_code == 400
    assert words in answer.json()["Message"]


def test_a_request_that_another_key_has_signed_is_refused(
    client: httpx2.Client, acme: Customer
) -> None:
    good = x509.load_pem_x509_csr(request_pem(new_key()).encode())
    other = x509.load_pem_x509_csr(request_pem(new_key()).encode())
    raw = good.public_bytes(Encoding.DER)
    forged = raw[: -len(good.signature)] + other.signature
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{b64encode(forged).decode()}\n"
    spec = {"CertificateRequest": f"{pem}-----END CERTIFICATE REQUEST-----\n"}
    answer = client.post(f"{acme.path}/certificates", json=spec)
    assert answer.status_code == 400
    assert "CertificateRequest" in answer.json()["Message"]


def test_a_tenant_sees_and_revokes_its_own_and_a_user_its_own_alone(
    running: RunningManager, client: httpx2.Client, acme: Customer
) -> None:
    other = Customer(client, "other", client.get("/repositories").json()["Refs"][0]["UID"], ())
    foreign = issue(client, other)
    of_tenant = issue(client, acme)
    of_ann = issue(client, acme, SubtenantId=str(acme.user_id("ann")))

    def session(name: str) -> httpx2.Client:
        own = running.client(Accept="application/json")
        own.post("/sessionMngr/?as=tenant", auth=(name, SECRET)).raise_for_status()
        return own

    def ids(own: httpx2.Client) -> set[str]:
        found = own.get("/cloud/self/certificates").json()["CloudTenantCertificates"] or []
        return {each["Id"] for each in found}

    tenant, ann, bob = session("acme"), session("acme\\ann"), session("acme\\bob")
    assert ids(tenant) == {of_tenant["Id"], of_ann["Id"]}
    assert (ids(ann), ids(bob)) == ({of_ann["Id"]}, set())
    path = "/cloud/self/certificates"
    for own, made in ((bob, of_ann), (ann, of_tenant), (tenant, foreign)):
        assert own.delete(f"{path}/{made['Id']}").status_code == 404
    assert ann.delete(f"{path}/{of_ann['Id']}").status_code == 204
    assert tenant.delete(f"{path}/{of_tenant['Id']}").status_code == 204
    assert set(listed(client, acme).values()) == {"Revoked"}
    assert set(listed(client, other).values()) == {"Good"}

    def who_revoked() -> set[str]:
        return {
            each.account
            for each in running.audited()
            if each.operation.startswith("RevokeCloudTenantC")
        }

    until(lambda: who_revoked() == {"acme", "acme\\ann"})


def test_a_user_leaves_room_to_others_and_what_is_good_no_more_takes_none(
    client: httpx2.Client, acme: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "MOST_OF_USER", 2)
    monkeypatch.setattr(certificates, "MOST_OF_TENANT", 4)
    allow(client, acme)
    for name, status in (("acme\\ann", 200), ("acme\\ann", 200), ("acme\\ann", 400)):
        assert get_own(client, name).status_code == status
    for status in (200, 200, 400):
        answer = get_own(client)
        assert answer.status_code == status
    assert "acme has 4 certificates that are good" in answer.json()["Message"]
    finished(client, client.put(acme.path, json={"Password": NEW}).json())
    assert sorted(listed(client, acme).values()) == ["Good", "Good", "Replaced", "Replaced"]
    assert get_own(client, password=NEW).status_code == 200


def test_one_that_was_revoked_is_so_also_after_the_clock_was_ahead_for_a_moment(
    running: RunningManager, client: httpx2.Client, acme: Customer, host: ScriptedHost
) -> None:
    revoked = issue(client, acme)
    task = client.delete(revoked["Href"]).json()
    host.obey()
    finished(client, task)
    running.manager.hosts.listening.beat(running.manager.clock())
    running.clock.stepped += timedelta(days=3650)
    issue(running.logged_on(), acme)
    running.clock.stepped -= timedelta(days=3650)
    assert listed(running.logged_on(), acme)[revoked["Id"]] == "Revoked"


def test_a_tenant_of_any_name_has_one(client: httpx2.Client) -> None:
    named = Customer(client, "株式会社バックアップ復旧管理東京第一営業所本店", add_vault(client))
    assert issue(client, named)["Login"] == "株式会社バックアップ復旧管理東京第一営業所本店"


def test_of_another_tenant_there_is_none(client: httpx2.Client, acme: Customer) -> None:
    other = Customer(client, "other", client.get("/repositories").json()["Refs"][0]["UID"], ())
    made = issue(client, acme)
    for path in (f"{other.path}/certificates/{made['Id']}", f"{acme.path}/certificates/{acme.id}"):
        assert client.get(path).status_code == 404
        assert client.delete(path).status_code == 404
    spec = {"CertificateRequest": request_pem(new_key()), "SubtenantId": str(acme.user_id("ann"))}
    assert client.post(f"{other.path}/certificates", json=spec).status_code == 404


def test_who_signs_is_the_same_after_a_restart_and_its_key_is_nowhere_in_the_clear(
    tmp_path: Path,
) -> None:
    with running_manager(tmp_path) as running, running.manager.changing() as work:
        first = certificates.authority(work)
    secret = first.key_pem.splitlines()[1].encode()
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or secret not in file.read_bytes()
    with running_manager(tmp_path, site=None) as again, again.manager.reading() as work:
        assert certificates.authority(work).pem == first.pem
        assert certificates.authority(work).key_pem == first.key_pem
