"""Do gateways show what an operator brings, and is nothing wrong taken?"""

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from cloudgate.manager.certificates.rules import uncovered_names
from tests.support.certificates import Made, pem_of
from tests.support.host import ScriptedHost
from tests.support.manager import RunningManager, finished


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
        f"gw1.example is dialled as {gateway['ExternalIP']}, which it is not for."
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


def wrong() -> dict[str, tuple[dict[str, str], str]]:
    good, other, old = Made("a.example"), Made("b.example"), Made("c.example", days=-1)
    weak = Made("d.example", key=rsa.generate_private_key(65537, 1024))
    return {
        "nothing": ({}, "one of the two"),
        "both": ({"Pem": good.pem, "Pfx": good.pfx("p")}, "one of the two"),
        "no PEM": ({"Pem": "hello"}, "each as PEM"),
        "no key": ({"Pem": pem_of(good.leaf)}, "each as PEM"),
        "another key": ({"Pem": other.key_pem + pem_of(good.leaf)}, "not the one of any"),
        "expired": ({"Pem": old.pem}, "has expired"),
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
    pem = pem_of(Made("*.example.org", "plain.example").leaf)
    asked = ("a.example.org", "A.Example.ORG.", "plain.example", "a.b.example.org", "example.org")
    assert uncovered_names(pem, asked) == ("a.b.example.org", "example.org")
    assert uncovered_names(pem, ["192.0.2.1"]) == ("192.0.2.1",)
