"""What does an ACME server get that means no good? Nothing but the end of its order."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.manager.certificates import acme_dialling, acme_server
from cloudgate.manager.certificates.orders import Order, OrderRequest
from cloudgate.manager.registries.acme_challenges import DNS, AcmeChallenges
from cloudgate.manager.security.authority import new_key_pem
from tests.support.certificates.brought import Made
from tests.support.programs.hostile_acme import HostileAcme, hostile_acme


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HostileAcme]:
    with hostile_acme(tmp_path) as running:
        yield running


@pytest.fixture
def hook_log(tmp_path: Path) -> Path:
    return tmp_path / "hook.log"


@pytest.fixture
def challenges(tmp_path: Path, hook_log: Path) -> AcmeChallenges:
    """With an operator's program that writes down what it is called for."""
    hook = tmp_path / "hook"
    hook.write_text(f'#!/bin/sh\necho "$1 $2" >> "{hook_log}"\n')
    hook.chmod(0o755)
    return AcmeChallenges(hook)


def why_not(server: HostileAcme, challenges: AcmeChallenges, *names: str) -> str:
    """Why there is no certificate."""
    request = OrderRequest(
        directory_url=f"{server.root}/dir",
        names=names or ("gate.example",),
        challenge=DNS,
        authority_pem=server.ca_pem,
    )
    with pytest.raises(UnavailableError) as problem:
        acme_server.ask(Order(UUID(int=1), request, new_key_pem()), challenges)
    return problem.value.message


@pytest.mark.parametrize(
    "wanted",
    [
        ["gate.example\n_acme-challenge.bank.example", "bank.example"],
        ["bank.example"],
        ["gate.example", "gate.example"],
        ["gate.example", "other.gate.example"],
    ],
)
def test_nothing_is_put_into_dns_but_names_that_were_ordered_each_once(
    server: HostileAcme, challenges: AcmeChallenges, hook_log: Path, wanted: list[str]
) -> None:
    server.wants(*wanted)
    assert "was not ordered" in why_not(server, challenges)
    assert not hook_log.exists(), "its program was called"


def test_a_name_and_its_wildcard_are_shown_as_one(
    server: HostileAcme, challenges: AcmeChallenges, hook_log: Path
) -> None:
    server.wants("gate.example", "GATE.example")
    why_not(server, challenges, "gate.example", "*.gate.example")
    record = "_acme-challenge.gate.example"
    calls = [f"{verb} {record}" for verb in ("present", "present", "cleanup", "cleanup")]
    assert hook_log.read_text().splitlines() == calls


def test_an_answer_that_unpacks_to_a_thousand_times_as_much_is_not_unpacked(
    server: HostileAcme, challenges: AcmeChallenges
) -> None:
    packed = gzip.compress(b"{" + b" " * 64 * 1024 * 1024)
    server.said["/dir"] = {"Content-Encoding": "gzip"}, packed
    assert "compresses its answers" in why_not(server, challenges)


def test_an_answer_is_read_no_further_than_it_may_be(
    server: HostileAcme, challenges: AcmeChallenges
) -> None:
    server.said["/order"] = {}, b"[" + b" " * (2 * acme_dialling.ANSWER_BYTES) + b"]"
    assert "says more than is kept: 1 MB in one answer" in why_not(server, challenges)


def test_many_answers_end_with_what_all_of_them_may_be(
    server: HostileAcme, challenges: AcmeChallenges
) -> None:
    server.wants(*["gate.example"] * 40)
    whole = json.dumps(server.authorizations[0]).encode()
    for number in range(40):
        padded = whole + b" " * (acme_dialling.ANSWER_BYTES - len(whole))
        server.said[f"/authorization/{number}"] = {}, padded
    assert "16 MB for one order" in why_not(server, challenges)
    assert len([each for each in server.asked if "authorization" in each]) <= 17


def test_an_answer_that_comes_byte_by_byte_is_given_up_in_its_time(
    server: HostileAcme, challenges: AcmeChallenges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acme_dialling, "ANSWER_SECONDS", 1.0)
    # On the connection of the answers before, and on one of its own.
    for server.drips in ("/order", "/dir"):
        assert "took longer than 1 seconds in all" in why_not(server, challenges)
    assert not server.ended.is_set()


def test_all_answers_together_have_their_time(
    server: HostileAcme, challenges: AcmeChallenges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acme_dialling, "EXCHANGE_SECONDS", 0.0)
    assert "took longer than 0 seconds in all" in why_not(server, challenges)


@pytest.mark.parametrize(
    "where", ["http://localhost:1/order", "https://127.0.0.1:1/order", "http://[bad/", "x"]
)
def test_nothing_is_asked_at_another_address_than_the_directorys(
    server: HostileAcme, challenges: AcmeChallenges, where: str
) -> None:
    known = json.loads(server.answer("/dir")[1])
    server.said["/dir"] = {}, json.dumps({**known, "newOrder": where}).encode()
    said = why_not(server, challenges)
    assert "another address" in said or "cannot be reached" in said
    assert "Connection refused" not in said, "it was dialled"


def test_a_redirect_elsewhere_is_not_followed(
    server: HostileAcme, challenges: AcmeChallenges
) -> None:
    server.status["/dir"] = 302
    server.said["/dir"] = {"Location": "http://127.0.0.1:1/dir"}, b""
    assert "another address" in why_not(server, challenges)


@pytest.mark.parametrize("has_key", [True, False])
def test_a_certificate_for_another_key_is_not_put_into_force_not_even_with_that_key(
    server: HostileAcme, challenges: AcmeChallenges, *, has_key: bool
) -> None:
    theirs = Made("gate.example")
    said = (
        theirs.pem_in_order if has_key else theirs.pem_in_order.partition("END PRIVATE KEY-----")[2]
    )
    server.said["/certificate"] = {}, said.encode()
    assert "gave what was not ordered: The key is not the one" in why_not(server, challenges)


@pytest.mark.parametrize("said", [b"[]", b"[" * 100_000, b'{"authorizations": 1}', b"null"])
def test_what_is_no_order_ends_in_a_sentence(
    server: HostileAcme, challenges: AcmeChallenges, said: bytes
) -> None:
    server.said["/order"] = {}, said
    assert why_not(server, challenges).startswith("The ACME server ")
