"""Certificates from an ACME server: a real one looks for tokens and records, and signs."""

import os
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from sqlalchemy import select, text

from cloudgate.api.server import ServerOptions, open_listener
from cloudgate.manager.certificates import acme_server as asking
from cloudgate.manager.certificates.orders import Order, order_pause
from cloudgate.manager.certificates.rules import BroughtCertificate
from cloudgate.manager.registries.acme_challenges import AcmeChallenges
from cloudgate.manager.storage.tables import CertificateOrder
from cloudgate.protocol import Gateway
from tests.support.ports import free_port
from tests.support.programs.acme import AcmeServer, acme_server, needs_pebble
from tests.support.running.host import ScriptedHost, become_gateway
from tests.support.running.manager import RunningManager, finished, running_manager
from tests.support.waiting import PATIENCE_SECONDS, until


@pytest.fixture
def http_port() -> int:
    return free_port()


@pytest.fixture
def running(tmp_path: Path, http_port: int) -> Iterator[RunningManager]:
    with closing(open_listener("127.0.0.1", http_port)) as listener:
        extras = ServerOptions(http_listener=listener)
        with running_manager(tmp_path / "manager", extras=extras) as started:
            yield started


@pytest.fixture
def acme(tmp_path: Path, http_port: int) -> Iterator[AcmeServer]:
    with acme_server(tmp_path / "acme", http_port) as started:
        yield started


def ordered(client: httpx2.Client, server: AcmeServer, *names: str, **more: Any) -> dict[str, Any]:
    """The finished task of an order."""
    order = {
        "DirectoryUrl": server.url,
        "Names": ", ".join(names),
        "CaFile": server.ca_pem,
        **more,
    }
    answer = client.post("/cloud/certificates?action=order", json=order)
    assert answer.status_code == 202, answer.text
    return finished(client, answer.json())


def certificates(client: httpx2.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/cloud/certificates").json()["CloudCertificates"]
    return found


def told(host: ScriptedHost) -> Gateway:
    host.obey()
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    return host.assignment.gateway


@needs_pebble
def test_a_certificate_comes_by_http_and_reaches_the_gateway(
    client: httpx2.Client, acme: AcmeServer, host: ScriptedHost, running: RunningManager
) -> None:
    become_gateway(client, host, ExternalIp="gate.example")
    task = ordered(client, acme, "gate.example", "Two.Gate.Example", Email="me@gate.example")
    assert task["Result"] == {"Success": True, "Message": "Ok"}
    entity = client.get(task["Links"][1]["Href"]).json()
    assert (entity["Source"], entity.get("Warning")) == ("Acme", None)
    assert sorted(entity["Names"].split(", ")) == ["gate.example", "two.gate.example"]
    gateway = told(host)
    chain = x509.load_pem_x509_certificates(gateway.certificate_chain_pem.encode())
    root = x509.load_pem_x509_certificate(acme.root_pem.encode())
    chain[-1].verify_directly_issued_by(root)
    assert gateway.private_key_pem is not None
    event = running.audited()[-1]
    assert (event.code, event.operation, event.success) == (24180, "OrderCloudCertificate", True)
    assert running.manager.challenges._tokens == {}, "nothing is left to be seen"


@needs_pebble
def test_a_wildcard_comes_by_dns_through_the_operators_program(
    client: httpx2.Client, acme: AcmeServer, running: RunningManager
) -> None:
    running.manager.challenges.dns_hook = acme.dns_hook
    task = ordered(client, acme, "*.gate.example", Challenge="dns-01")
    assert task["Result"]["Success"] is True, task
    (entity,) = certificates(client)
    assert entity["Name"] == "*.gate.example"
    record = "_acme-challenge.gate.example"
    assert acme.hook_log.read_text().splitlines() == [f"present {record}", f"cleanup {record}"]


@needs_pebble
def test_a_certificate_is_renewed_when_a_third_of_its_life_is_left(
    client: httpx2.Client, acme: AcmeServer, running: RunningManager, host: ScriptedHost
) -> None:
    become_gateway(client, host, ExternalIp="gate.example")
    ordered(client, acme, "gate.example")
    (before,) = certificates(client)
    key_before = told(host).private_key_pem
    life = datetime.fromisoformat(before["ValidTo"]) - datetime.fromisoformat(before["ValidFrom"])
    running.clock.ahead = life * 2 / 3 + timedelta(minutes=1)
    running.wake()
    while told(host).private_key_pem == key_before:
        pass  # each poll waits for news, and there are others after so long a time
    (after,) = certificates(running.logged_on())
    assert after["UID"] == before["UID"]
    assert after["Thumbprint"] != before["Thumbprint"]
    (event,) = [each for each in running.audited() if each.operation == "RenewCloudCertificate"]
    assert (event.account, event.success) == ("Cloudgate", True)


@needs_pebble
def test_a_renewal_that_fails_is_told_and_the_certificate_stays(
    tmp_path: Path, running: RunningManager, client: httpx2.Client, http_port: int
) -> None:
    with acme_server(tmp_path / "acme", http_port) as acme:
        ordered(client, acme, "gate.example")
    (before,) = certificates(client)
    life = datetime.fromisoformat(before["ValidTo"]) - datetime.now(UTC)
    running.clock.ahead = life * 2 / 3 + timedelta(hours=6)
    running.wake()
    until(lambda: running.audited()[-1].operation == "RenewCloudCertificate")
    event = running.audited()[-1]
    assert event.success is False
    (after,) = certificates(running.logged_on())
    assert after["Thumbprint"] == before["Thumbprint"]
    assert "renewal has failed: The ACME server" in after["Warning"]
    assert "cannot be reached" in after["Warning"]
    assert [pause_hours(number, days=30) for number in (1, 2, 5, 6, 99)] == [1, 2, 16, 24, 24]
    assert [pause_hours(number, days=-1) for number in (1, 99)] == [1, 1]


def pause_hours(failures: int, **left: float) -> float:
    return order_pause(failures, timedelta(**left)) / timedelta(hours=1)


@needs_pebble
def test_a_name_that_is_not_ours_ends_the_task_with_the_servers_reason(
    tmp_path: Path, running: RunningManager, client: httpx2.Client
) -> None:
    with acme_server(tmp_path / "acme", free_port()) as acme:
        task = ordered(client, acme, "gate.example")
    assert task["Result"]["Success"] is False
    message = task["Result"]["Message"]
    assert "could not see that the names are ours: gate.example: " in message
    assert "--http-port" in message
    assert certificates(client) == []
    with running.manager.reading() as work:
        assert work.session.scalars(select(CertificateOrder)).all() == []
    assert running.audited()[-1].success is False


@needs_pebble
def test_a_server_that_is_not_trusted_or_not_there_is_named(
    client: httpx2.Client, acme: AcmeServer
) -> None:
    untrusted = ordered(client, acme, "gate.example", CaFile="")
    assert "cannot be trusted" in untrusted["Result"]["Message"]
    assert "CaFile" in untrusted["Result"]["Message"]
    gone = ordered(client, acme, "gate.example", DirectoryUrl=f"https://localhost:{free_port()}/")
    assert "cannot be reached" in gone["Result"]["Message"]
    no_directory = ordered(client, acme, "gate.example", DirectoryUrl=f"{acme.url}ectory")
    assert "has refused" in no_directory["Result"]["Message"]


@needs_pebble
def test_an_order_outlives_the_manager(tmp_path: Path) -> None:
    folder, fifo, hook = tmp_path / "manager", tmp_path / "fifo", tmp_path / "hook"
    os.mkfifo(fifo)
    hook.write_text(f'#!/bin/sh\n[ "$1" = cleanup ] || cat {fifo}\nexit 1\n')
    hook.chmod(0o755)
    with acme_server(tmp_path / "acme", free_port()) as acme:
        with running_manager(folder, dns_hook=hook) as first:
            order = {
                "DirectoryUrl": acme.url,
                "Names": "gate.example",
                "CaFile": acme.ca_pem,
                "Challenge": "dns-01",
            }
            answer = first.logged_on().post("/cloud/certificates?action=order", json=order)
            called = fifo.open("w")  # returns when the hook reads
        with running_manager(folder, site=None, dns_hook=acme.dns_hook) as second:
            client = second.logged_on()
            path = answer.json()["Href"].partition("/api")[2]
            task = finished(client, {"Href": path})
            assert task["Result"]["Success"] is True, task
            called.close()
            assert [each["Name"] for each in certificates(client)] == ["gate.example"]


@needs_pebble
def test_a_hook_that_fails_is_told_with_what_it_said(
    tmp_path: Path, client: httpx2.Client, acme: AcmeServer, running: RunningManager
) -> None:
    hook = tmp_path / "hook"
    hook.write_text("#!/bin/sh\necho 'The zone is locked.' >&2\nexit 3\n")
    hook.chmod(0o755)
    running.manager.challenges.dns_hook = hook
    task = ordered(client, acme, "gate.example", Challenge="dns-01")
    assert "failed with status 3: The zone is locked." in task["Result"]["Message"]


@needs_pebble
def test_a_record_that_stays_in_dns_keeps_no_certificate_away_and_hides_no_reason(
    tmp_path: Path, client: httpx2.Client, acme: AcmeServer, running: RunningManager
) -> None:
    hook, presents = tmp_path / "hook", tmp_path / "presents"
    presents.symlink_to(acme.dns_hook)
    hook.write_text(
        f'#!/bin/sh\n[ "$1" = present ] && exec {presents} "$@"\necho "Too many." >&2\nexit 1\n'
    )
    hook.chmod(0o755)
    running.manager.challenges.dns_hook = hook
    task = ordered(client, acme, "gate.example", Challenge="dns-01")
    assert task["Result"] == {"Success": True, "Message": "Ok"}
    stays = "(cleanup _acme-challenge.gate.example) failed with status 1: Too many."
    assert stays in client.get("/warnings").text
    presents.unlink()
    presents.symlink_to("/bin/true")
    task = ordered(client, acme, "other.example", Challenge="dns-01")
    assert "could not see that the names are ours" in task["Result"]["Message"]


@needs_pebble
def test_a_certificate_that_cannot_be_written_down_is_not_ordered_again(
    client: httpx2.Client,
    acme: AcmeServer,
    running: RunningManager,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked, usual = [], asking.ask

    def ask(order: Order, challenges: AcmeChallenges) -> BroughtCertificate:
        asked.append(order)
        return usual(order, challenges)

    monkeypatch.setattr(asking, "ask", ask)
    running.manager.challenges.dns_hook = acme.dns_hook
    with running.manager.changing() as work:
        refusal = "BEFORE INSERT ON cloud_certificates BEGIN SELECT RAISE(FAIL, 'no'); END"
        work.session.execute(text(f"CREATE TRIGGER refusal {refusal}"))
    order = {
        "Names": "gate.example",
        "Challenge": "dns-01",
        "DirectoryUrl": acme.url,
        "CaFile": acme.ca_pem,
    }
    task = client.post("/cloud/certificates?action=order", json=order).raise_for_status().json()
    until(lambda: "certificates from ACME servers has failed" in client.get("/warnings").text)
    with running.manager.changing() as work:
        work.session.execute(text("DROP TRIGGER refusal"))
    assert finished(client, task)["Result"]["Success"] is True
    assert [each["Name"] for each in certificates(client)] == ["gate.example"]
    assert len(asked) == 1


@needs_pebble
def test_the_account_key_is_sealed_at_rest(
    tmp_path: Path, client: httpx2.Client, acme: AcmeServer, running: RunningManager
) -> None:
    ordered(client, acme, "gate.example")
    with running.manager.reading() as work:
        (found,) = work.session.scalars(select(CertificateOrder))
        key = work.sealing.open(found.sealed_account_key, f"AcmeAccount {found.id}")
    for file in (tmp_path / "manager").rglob("*"):
        assert not file.is_file() or key.splitlines()[1].encode() not in file.read_bytes(), file


@pytest.mark.parametrize(
    ("names", "more", "reason"),
    [
        ([], {}, "Names is missing"),
        ([" ", " "], {}, "at least one"),
        (["192.0.2.1"], {}, "expected a DNS name"),
        (["a_b.example"], {}, "expected a DNS name"),
        (["*.gate.example"], {}, "wildcard"),
        (["gate.example"], {"Challenge": "dns-01"}, "--acme-dns-hook"),
        (["gate.example"], {"CaFile": "nonsense"}, "CaFile"),
        (["gate.example"], {"DirectoryUrl": "http://acme.example/"}, "DirectoryUrl"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_at_once(
    client: httpx2.Client, names: list[str], more: dict[str, Any], reason: str
) -> None:
    order = {"DirectoryUrl": "https://acme.example/", "Names": ",".join(names), **more}
    answer = client.post("/cloud/certificates?action=order", json=order)
    assert answer.status_code == 400
    assert reason in answer.json()["Message"]
    assert client.get("/tasks").json()["Tasks"] == []


def test_nothing_but_a_token_is_answered_below_well_known(
    running: RunningManager, http_port: int
) -> None:
    running.manager.challenges.show("token-1", "token-1.thumbprint")
    root = f"http://127.0.0.1:{http_port}/.well-known"
    assert (
        httpx2.get(f"{root}/acme-challenge/token-1", timeout=PATIENCE_SECONDS).text
        == "token-1.thumbprint"
    )
    running.manager.challenges.hide("token-1")
    for path in ("acme-challenge/token-1", "acme-challenge/", "other", "acme-challenge/../x"):
        assert httpx2.get(f"{root}/{path}", timeout=PATIENCE_SECONDS).status_code == 404
