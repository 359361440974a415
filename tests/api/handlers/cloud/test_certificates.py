"""Do gateways show what an operator brings, and is nothing wrong taken?"""

import ssl
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from cloudgate.manager.gateways.operations import list_gateways
from cloudgate.manager.host_protocol import gateway_certificates
from cloudgate.manager.host_protocol.updates import current_assignment
from cloudgate.manager.jobs import presence_persistence, scheduler
from cloudgate.manager.security.authority import PortCertificate
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.protocol import GatewayState
from cloudgate.trust.certificate_names import not_covered
from tests.support.certificates.brought import Made, pem_of
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished, running_manager
from tests.support.waiting import PATIENCE_SECONDS, until


@pytest.fixture
def host(running: RunningManager) -> Iterator[ScriptedHost]:
    """A machine that says no more of itself than the manager sees."""
    joined = ScriptedHost(running, addresses=("127.0.0.1",))
    yield joined
    joined.close()


def gateway_of(client: httpx2.Client, host: ScriptedHost) -> dict[str, str]:
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task = client.post("/cloud/gateways", json=spec).json()
    host.obey()
    return dict(client.get(finished(client, task)["Links"][1]["Href"]).json())


def shown(host: ScriptedHost) -> tuple[str, str | None]:
    host.poll()
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    return host.assignment.gateway.certificate_chain_pem, host.assignment.gateway.private_key_pem


@pytest.mark.parametrize("form", ["Pem", "Pfx"])
def test_a_certificate_that_was_brought_is_shown_until_it_is_taken_away(
    running: RunningManager, host: ScriptedHost, form: str
) -> None:
    client = running.logged_on()
    gateway = gateway_of(client, host)
    made = Made("gw1.example", "*.example.org")
    spec = {"Pem": made.pem} if form == "Pem" else {"Pfx": made.pfx("p"), "Password": "p"}
    answer = client.post("/cloud/certificates", json=spec)
    assert answer.status_code == 201, answer.text
    entity = answer.json()
    assert entity["Names"] == "gw1.example, *.example.org"
    assert entity["Warning"] == (
        f"gw1.example is dialled as {gateway['ExternalIP']}, which its certificate is not for:"
        " tenants will not trust it. It is for gw1.example, *.example.org. Bring one for that name,"
        " or change ExternalIP."
    )
    assert "PRIVATE" not in answer.text
    chain, key = shown(host)
    assert chain == pem_of(made.leaf) + pem_of(made.issuer)
    assert key == made.key_pem
    assert client.get(answer.headers["Location"]).json() == entity
    assert client.delete(entity["Href"]).status_code == 204
    chain, key = shown(host)
    assert key is None
    assert client.get("/cloud/certificates").json()["CloudCertificates"] == []
    database = running.ca_file.parent / "cloudgate.db"
    assert made.key_pem.splitlines()[1].encode() not in database.read_bytes()
    assert [event.code for event in running.audited()][-2:] == [24180, 24180]


def test_the_certificate_of_a_gateway_goes_before_the_one_for_all(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    gateway = gateway_of(client, host)
    own, general, newer = Made("own.example"), Made("all.example"), Made("newer.example")
    own_spec = {"Pem": own.pem, "CloudGatewayUid": gateway["UID"]}
    for spec in (own_spec, {"Pem": general.pem}, {"Pem": newer.pem}):
        assert client.post("/cloud/certificates", json=spec).status_code == 201
    listed = client.get("/cloud/certificates").json()["CloudCertificates"]
    assert [(each["Name"], each["CloudGateway"]) for each in listed] == [
        ("newer.example", None),
        ("own.example", "gw1.example"),
    ]
    assert shown(host)[1] == own.key_pem
    client.delete(listed[1]["Href"])
    assert shown(host)[1] == newer.key_pem


def warning_of(client: httpx2.Client, gateway: dict[str, str]) -> str | None:
    found: str | None = client.get(gateway["Href"]).json().get("Warning")
    return found


def test_a_name_that_the_certificate_is_not_for_is_a_warning_on_the_gateway(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    gateway = gateway_of(client, host)
    assert warning_of(client, gateway) is None
    made = client.post("/cloud/certificates", json={"Pem": Made("gate.example").pem}).json()
    told = warning_of(client, gateway)
    assert told is not None
    assert "which its certificate is not for" in told
    host.obey()
    task = client.put(gateway["Href"], json={**gateway, "ExternalIP": "gate.example"}).json()
    host.obey()
    finished(client, task)
    assert warning_of(client, gateway) is None
    host.report(GatewayState.LISTENING)
    client.delete(made["Href"])
    assert warning_of(client, gateway) is None


def test_a_certificate_that_is_soon_to_end_is_a_warning_on_the_gateway(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    gateway = gateway_of(client, host)
    made = Made("gate.example", gateway["ExternalIP"], days=9)
    client.post("/cloud/certificates", json={"Pem": made.pem}).raise_for_status()
    told = warning_of(client, gateway)
    assert told is not None
    assert told.startswith("The certificate expires at ")
    assert "Bring its successor." in told


def test_a_gateways_own_certificate_is_replaced_every_day(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    gateway_of(client, host)
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    found = before = host.assignment.gateway.certificate_chain_pem
    for hours, is_replaced in ((23, False), (25, True)):
        running.clock.ahead = timedelta(hours=hours)
        with running.manager.changing() as work:
            gateway_certificates.renew_certificates(work)
            server = get_managed_server(work, host.server_id)
            wanted = current_assignment(work, server).gateway
            assert wanted is not None
            found = wanted.certificate_chain_pem
            assert (found != before) is is_replaced
    assert shown(host)[0] == found
    leaf = x509.load_pem_x509_certificates(found.encode())[0]
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc
    assert timedelta(days=14) <= life < timedelta(days=17)


def test_all_gateways_get_new_certificates_some_at_a_time(running: RunningManager) -> None:
    hosts = [
        ScriptedHost(running, f"gw{number}.example", ("127.0.0.1",), is_told=False)
        for number in range(3)
    ]
    for each in hosts:
        gateway_of(running.logged_on(), each)
    running.clock.ahead = timedelta(hours=25)
    after, rounds = None, 0
    while after is not None or rounds == 0:
        with running.manager.changing() as work:
            before = {each.name: each.certificate_pem for each in list_gateways(work)}
            after = gateway_certificates.renew_certificates(work, after, most=1)
            new = [
                each.name
                for each in list_gateways(work)
                if each.certificate_pem != before[each.name]
            ]
        rounds += 1
        assert len(new) == (1 if after else 0)
    assert rounds == len(hosts) + 1
    for each in hosts:
        each.close()


def certificates_of(running: RunningManager) -> set[str]:
    with running.manager.reading() as work:
        return {each.certificate_pem for each in list_gateways(work)}


def test_between_the_certificates_of_some_gateways_and_of_the_next_others_have_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_manager(tmp_path / "data") as first:
        for number in range(3):
            host = ScriptedHost(first, f"gw{number}.example", ("127.0.0.1",), is_told=False)
            gateway_of(first.logged_on(), host)
            host.close()
        before = certificates_of(first)
    one = partial(gateway_certificates.renew_certificates, most=1)
    monkeypatch.setattr(gateway_certificates, "renew_certificates", one)
    monkeypatch.setattr(scheduler, "RENEWING_REST_SECONDS", PATIENCE_SECONDS)
    with running_manager(tmp_path / "data", site=None, ahead=timedelta(hours=25)) as later:
        until(lambda: certificates_of(later) - before)
        later.logged_on()
        assert len(certificates_of(later) - before) == 1


def test_a_machine_that_is_away_for_long_has_a_warning_of_its_certificates_end(
    running: RunningManager, host: ScriptedHost
) -> None:
    gateway = gateway_of(running.logged_on(), host)
    for days, is_warned in ((7, False), (10, True)):
        running.clock.ahead = timedelta(days=days)
        with running.manager.changing() as work:
            presence_persistence.persist_presence(work)
            gateway_certificates.renew_certificates(work)
        told = warning_of(running.logged_on(), gateway)
        assert ("A new one waits for gw1.example" in (told or "")) is is_warned


def test_the_managers_own_port_gets_a_new_certificate_while_it_runs(tmp_path: Path) -> None:
    with running_manager(tmp_path, port=PortCertificate) as running:
        where = ("localhost", int(running.url.rpartition(":")[2]))
        before = ssl.get_server_certificate(where)
        running.clock.ahead = timedelta(days=61)
        running.wake()
        until(lambda: ssl.get_server_certificate(where) != before)


def test_what_a_machine_is_troubled_by_is_a_warning_until_it_is_over(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    gateway = gateway_of(client, host)
    assert host.assignment is not None
    revision = host.assignment.revision
    for trouble in ("Its clock is 24 hours ahead of the manager's. Set it right.", ""):
        host.facts = host.facts.model_copy(update={"trouble": trouble})
        host.report(GatewayState.LISTENING, facts=host.facts)
        assert (warning_of(client, gateway) or "") == trouble
        server = client.get(f"/managedServers/{host.server_id}?format=Entity").json()
        assert (server.get("Warning") or "") == trouble
    with running.manager.reading() as work:
        wanted = current_assignment(work, get_managed_server(work, host.server_id))
    assert wanted.revision == revision, "the gateway has nothing to do"


def wrong() -> dict[str, tuple[dict[str, str], str]]:
    good, other, old = Made("a.example"), Made("b.example"), Made("c.example", days=-1)
    client = Made("e.example", usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    weak = Made("d.example", key=rsa.generate_private_key(65537, 1024))
    return {
        "nothing": ({}, "one of the two"),
        "both": ({"Pem": good.pem, "Pfx": good.pfx("p")}, "one of the two"),
        "no PEM": ({"Pem": "hello"}, "each as PEM"),
        "no key": ({"Pem": pem_of(good.leaf)}, "each as PEM"),
        "another key": ({"Pem": other.key_pem + pem_of(good.leaf)}, "not the one of any"),
        "expired": ({"Pem": old.pem}, "has expired"),
        "a client's": ({"Pem": client.pem}, "serverAuth"),
        "weak": ({"Pem": weak.pem}, "1024 bits"),
        "no base64": ({"Pfx": "!"}, "expected base64"),
        "wrong password": ({"Pfx": good.pfx("p"), "Password": "q"}, "password is wrong"),
        "no gateway": (
            {"Pem": good.pem, "CloudGatewayUid": "6b27c1f8-1111-4a6b-9c2d-0123456789ab"},
            "There is no cloud gateway",
        ),
    }


@pytest.mark.parametrize("case", list(wrong()))
def test_what_is_no_certificate_for_a_gateway_is_refused(
    running: RunningManager, case: str
) -> None:
    spec, reason = wrong()[case]
    client = running.logged_on()
    answer = client.post("/cloud/certificates", json=spec)
    assert answer.status_code in (400, 404)
    assert reason in answer.json()["Message"]
    assert client.get("/cloud/certificates").json()["CloudCertificates"] == []


def test_a_wildcard_is_for_one_label() -> None:
    certificate = Made("*.example.org", "plain.example").leaf
    asked = ("a.example.org", "A.Example.ORG.", "plain.example", "a.b.example.org", "example.org")
    assert not_covered(asked, certificate) == ("a.b.example.org", "example.org")
    assert not_covered(["192.0.2.1"], certificate) == ("192.0.2.1",)
