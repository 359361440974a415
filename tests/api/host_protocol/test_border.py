"""What a host says is checked where it comes in, and rubbish of one host hurts no other."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloudgate import __version__
from cloudgate.api.host_protocol.messages import BODY_LIMITS_BYTES
from cloudgate.manager.gateways.operations import dialled_at
from cloudgate.manager.host_protocol.site_document import MOST_INSIDE
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.storage.tables import CloudGateway
from cloudgate.protocol import PollRequest, Report
from cloudgate.protocol.bounds import LONGEST_REMARK, MOST_ADDRESSES, readable
from tests.support.running.host import ScriptedHost, become_gateway, public_key_pem
from tests.support.running.manager import RunningManager, finished
from tests.support.waiting import until

TENANT = str(uuid4())
MOMENT = "2026-11-01T12:00:00Z"


@pytest.fixture
def other(running: RunningManager) -> Iterator[ScriptedHost]:
    """A second machine of the same site."""
    joined = ScriptedHost(running, "gw2.example", ("192.0.2.20",))
    yield joined
    joined.close()


def facts(**wrong: Any) -> dict[str, Any]:
    return {
        "host_name": "gw1.example",
        "addresses": ["192.0.2.10"],
        "platform": "Linux",
        "version": __version__,
        "envoy_version": "1.40.0",
        "public_key_pem": public_key_pem(),
        **wrong,
    }


def report(**wrong: Any) -> dict[str, Any]:
    return {"assignment_revision": 0, "directory_revision": 0, "state": "absent", **wrong}


def line(**wrong: Any) -> dict[str, Any]:
    return {
        "minute": MOMENT,
        "tenant_id": TENANT,
        "target": "vault.example:8443",
        "tunnels": 1,
        "bytes_up": 2,
        "bytes_down": 3,
        **wrong,
    }


def tunnel(**wrong: Any) -> dict[str, Any]:
    return {
        "tunnel": "t1",
        "tenant_id": TENANT,
        "target": "vault.example:8443",
        "client": "198.51.100.7:50000",
        "started_at": MOMENT,
        "bytes_up": 2,
        "bytes_down": 3,
        **wrong,
    }


LONG = "1" + "0" * 30
NUMBERS = (-1, 10**30, 1.5, "7", True, None)
RUBBISH = [
    *[("report", report(live_tunnels=number)) for number in NUMBERS],
    *[("report", report(finished_tunnels=number)) for number in NUMBERS],
    *[("report", report(directory_revision=number)) for number in NUMBERS],
    *[("report", report(assignment_revision=number)) for number in NUMBERS],
    ("report", report(state="listening\x00")),
    ("report", report(reason="x" * (LONGEST_REMARK + 1))),
    ("report", report(reason="\x1b[2J")),
    ("report", report(reason="to the left\u202e")),
    ("report", report(machine="m" * 65)),
    ("report", report(misplaced={"tunnels": -1, "finished": 0, "closed": 0})),
    ("report", report(facts=facts(addresses=["not-an-ip"]))),
    ("report", report(facts=facts(addresses=["fe80::1%\x1b[2J"]))),
    ("report", report(facts=facts(addresses="192.0.2.10"))),
    ("report", report(facts=facts(addresses=["192.0.2.1"] * (MOST_ADDRESSES + 1)))),
    ("report", report(facts=facts(host_name=""))),
    ("report", report(facts=facts(host_name="gw1\nexample"))),
    ("report", report(facts=facts(host_name="h" * 254))),
    ("report", report(facts=facts(version="\x07"))),
    ("report", report(facts=facts(trouble="\x00"))),
    ("report", report(facts=facts(public_key_pem="PEM"))),
    ("report", report(facts=facts(public_key_pem="x" * 10_000))),
    ("usage", {"batch": "", "usage": [line()]}),
    ("usage", {"batch": "b" * 33, "usage": [line()]}),
    ("usage", {"batch": "b", "usage": [line()] * 5001}),
    *[("usage", {"batch": "b", "usage": [line(bytes_up=number)]}) for number in NUMBERS],
    *[("usage", {"batch": "b", "usage": [line(tunnels=number)]}) for number in NUMBERS],
    ("usage", {"batch": "b", "usage": [line(minute="0001-01-01T00:00:00+23:59")]}),
    ("usage", {"batch": "b", "usage": [line(minute="9999-12-31T23:59:59-23:59")]}),
    ("usage", {"batch": "b", "usage": [line(minute="2026-01-01T00:00:00")]}),
    ("usage", {"batch": "b", "usage": [line(target="\x00:1")]}),
    ("usage", {"batch": "b", "usage": [line(target="t" * 400)]}),
    *[("demand", {"demands": [{"tenant_id": TENANT, "sent_bytes": number}]}) for number in NUMBERS],
    *[("answer", {"question": "q", "tunnels": [tunnel(bytes_up=n)]}) for n in NUMBERS],
    ("answer", {"question": "q", "tunnels": [tunnel(client="\x1b]0;x\x07")]}),
    ("answer", {"question": "q", "measured": {"used_bytes": -1}}),
    ("answer", {"question": "q", "reason": "r" * (LONGEST_REMARK + 1)}),
    *[("poll", {"directory_revision": number}) for number in NUMBERS],
    *[("poll", {"protocol": number}) for number in (-1, 10**30, "1", None)],
]


def say(host: ScriptedHost, call: str, message: dict[str, Any]) -> httpx2.Response:
    return host.client.post(f"/{call}", json=message)


def warning_of(running: RunningManager, host: ScriptedHost) -> str:
    href = f"/managedServers/{host.server_id}?format=Entity"
    return str(running.logged_on().get(href).json().get("Warning", ""))


def kept(running: RunningManager, host: ScriptedHost) -> tuple[Any, ...]:
    with running.manager.reading() as work:
        server = get_managed_server(work, host.server_id)
        return server.facts, server.live_tunnels, server.report, server.usage_batch


def test_whatever_is_no_word_of_the_protocol_is_refused_without_effect_and_shown(
    running: RunningManager, host: ScriptedHost
) -> None:
    before = kept(running, host)
    for call, message in RUBBISH:
        answer = say(host, call, message)
        assert answer.status_code == 400, (call, message, answer.text)
        reason = answer.json()["message"]
        assert reason == readable(reason)
        assert len(reason) < 500
        assert kept(running, host) == before, message
    assert "malformed" in warning_of(running, host)
    assert host.poll().assignment is not None, "it is listened to as before"


CALLS = ("join", "poll", "report", "usage", "demand", "answer", "own")


def test_what_is_not_the_json_of_a_message_is_refused(host: ScriptedHost) -> None:
    for body in (b"", b"{", b"[]", b"nul", b"[" * 10_000, b'{"usage": NaN', b"\xff", b'"\\ud800"'):
        for call in CALLS:
            answer = host.client.post(f"/{call}", content=body)
            assert answer.status_code == 400, (call, body)


def test_a_message_that_is_too_long_is_refused_before_all_of_it_has_come(
    host: ScriptedHost,
) -> None:
    for call, kind in (("poll", PollRequest), ("report", Report)):
        limit = BODY_LIMITS_BYTES[kind]
        fits = b"{" + b" " * (limit - 2) + b"}"
        answer = host.client.post(f"/{call}", content=fits)
        assert "larger" not in answer.text
        answer = host.client.post(f"/{call}", content=fits + b" ")
        assert answer.status_code == 400
        assert f"larger than {limit} bytes" in answer.json()["message"]


def test_who_is_unknown_is_refused_before_what_he_says_is_looked_at(host: ScriptedHost) -> None:
    for call in CALLS[1:]:
        headers = {"Authorization": "Bearer wrong"}
        answer = host.client.post(f"/{call}", content=b"{", headers=headers)
        assert answer.status_code == 401, call


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.sampled_from(sorted(Report.model_fields)),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
            max_leaves=6,
        ),
    )
)
def test_no_report_makes_the_manager_fail(
    running: RunningManager, host: ScriptedHost, said: dict[str, Any]
) -> None:
    body = json.dumps({**report(), **said})
    answer = host.client.post("/report", content=body.encode("utf-8", "replace"))
    assert answer.status_code in (204, 400), answer.text


def new_gateway(running: RunningManager, host: ScriptedHost) -> dict[str, Any]:
    client = running.logged_on()
    become_gateway(client, host)
    found = client.get("/cloud/gateways?format=Entity").json()["CloudGateways"]
    gateway: dict[str, Any] = next(each for each in found if each["Name"] == host.name)
    return gateway


POISON = {
    "addresses": ["not-an-ip", "192.0.2.10", "fe80::1%x", 7, None],
    "host_name": "evil\x1b[2J",
    "trouble": "\x00" * 20_000,
    "version": 3,
    "public_key_pem": "PEM",
}


def poison(running: RunningManager, host: ScriptedHost) -> None:
    """What the release before this one would have kept of a host's reports."""
    with running.manager.changing() as work:
        server = get_managed_server(work, host.server_id)
        server.facts = {**facts(), **POISON}
        reason = "\x1b[31m\x00" * 100_000
        server.report = {**(server.report or {}), "misplaced": {"tunnels": -5}, "reason": reason}
        work.news_for.add(server.backup_server_id)


def test_rubbish_that_was_kept_by_the_release_before_hurts_nobody(
    running: RunningManager, host: ScriptedHost, other: ScriptedHost
) -> None:
    new_gateway(running, host)
    new_gateway(running, other)
    poison(running, host)
    client = running.logged_on()
    task = client.post("/cloud/tenants", json={"Name": "acme"}).json()
    other.site_revision = 0
    site = other.hear_site()
    assert {peer.name for peer in site.gateways} == {host.name, other.name}
    (mine,) = (peer for peer in site.gateways if peer.name == host.name)
    assert mine.inside_addresses == ("192.0.2.10",)
    host.poll()
    for each in (host, other):
        each.report().raise_for_status()
    assert finished(client, task)["Result"]["Success"]
    for accept in ("application/xml", "application/json"):
        reader = running.logged_on(accept)
        for path in ("/cloud/gateways", "/managedServers"):
            text = reader.get(f"{path}?format=Entity").raise_for_status().text
            assert "gw2.example" in text
            assert not any(each in text for each in ("\x1b", "\\u001b", "\\u0000"))


def test_what_cannot_be_told_of_one_gateway_fails_the_document_of_no_other(
    running: RunningManager,
    host: ScriptedHost,
    other: ScriptedHost,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    new_gateway(running, host)
    new_gateway(running, other)
    usual = dialled_at

    def fails(gateway: CloudGateway) -> str:
        if gateway.name == host.name:
            raise ZeroDivisionError
        return usual(gateway)

    monkeypatch.setattr("cloudgate.manager.host_protocol.site_document.dialled_at", fails)
    other.site_revision = 0
    assert [peer.name for peer in other.hear_site().gateways] == [other.name]
    running.wake()
    until(lambda: "manager's log says why" in warning_of(running, host))
    monkeypatch.undo()
    other.site_revision = 0
    assert len(other.hear_site().gateways) == 2


def say_anew(host: ScriptedHost, **said: Any) -> httpx2.Response:
    """Report what the machine is now."""
    revision = host.assignment.revision if host.assignment else 0
    body = report(
        assignment_revision=revision, state="listening", facts=facts(host_name=host.name, **said)
    )
    return say(host, "report", body)


def test_what_a_machine_says_of_itself_sends_the_others_to_no_place_that_is_never_a_service(
    running: RunningManager, host: ScriptedHost, other: ScriptedHost
) -> None:
    new_gateway(running, host)
    new_gateway(running, other)
    many = [f"198.51.100.{number}" for number in range(200)]
    never = ["169.254.169.254", "127.0.0.1", "::ffff:127.0.0.2", "0.0.0.0", "100.100.100.200"]
    say_anew(host, addresses=[*never, *many]).raise_for_status()
    (mine,) = (peer for peer in other.hear_site().gateways if peer.name == host.name)
    assert mine.inside_addresses == tuple(many[:MOST_INSIDE])


def test_a_machine_that_says_something_else_all_the_time_wakes_nobody_by_that(
    running: RunningManager, host: ScriptedHost, other: ScriptedHost
) -> None:
    new_gateway(running, host)
    new_gateway(running, other)

    def site_revision() -> int:
        with running.manager.reading() as work:
            return get_managed_server(work, other.server_id).backup_server.site_revision

    before = site_revision()
    say_anew(host, version="0.1.1").raise_for_status()
    say_anew(host, addresses=["192.0.2.10", "127.0.0.7"]).raise_for_status()
    assert site_revision() == before
    answers = [say_anew(host, addresses=[f"192.0.2.{number}"]) for number in range(100)]
    assert {each.status_code for each in answers} == {204, 400}
    assert site_revision() > before
    refused = [each for each in answers if each.status_code == 400]
    assert len(refused) > 50
    assert "all the time" in warning_of(running, host)
    # What stays as it was is heard throughout.
    revision = host.assignment.revision if host.assignment else 0
    usual = report(assignment_revision=revision, state="listening")
    say(host, "report", usual).raise_for_status()


def test_an_error_that_nobody_foresaw_is_a_503_with_an_id_that_is_in_the_log_and_the_warning(
    running: RunningManager,
    host: ScriptedHost,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new_gateway(running, host)

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("cloudgate.manager.host_protocol.updates.site_document", fails)
    request = PollRequest(assignment_revision=1, machine=host.facts.machine).model_dump_json()
    answer = host.client.post("/poll", content=request)
    assert answer.status_code == 503
    name = answer.json()["message"].rpartition("under ")[2].rstrip(".")
    assert len(name) == 12
    logged = capsys.readouterr()
    assert name in logged.out + logged.err
    assert "ZeroDivisionError" in logged.out + logged.err
    assert name in warning_of(running, host)


def test_a_host_that_hears_of_no_change_is_not_shown_online_though_it_reports(
    running: RunningManager, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_gateway(running, host)

    def state() -> tuple[str, str]:
        client = running.logged_on()
        server = client.get(f"/managedServers/{host.server_id}?format=Entity").json()
        (gateway,) = client.get("/cloud/gateways?format=Entity").json()["CloudGateways"]
        return server["State"], gateway["State"]

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    assert state() == ("Online", "Listening")
    monkeypatch.setattr("cloudgate.manager.host_protocol.updates.site_document", fails)
    request = PollRequest(assignment_revision=1, machine=host.facts.machine).model_dump_json()
    assert host.client.post("/poll", content=request).status_code == 503
    host.report().raise_for_status()
    running.wake()
    until(lambda: state() == ("Offline", "Offline"))
    assert "hears of no change" in warning_of(running, host)
    host.report().raise_for_status()
    assert state() == ("Offline", "Offline")
    client = running.logged_on()
    task = client.post("/cloud/tenants", json={"Name": "acme"}).json()
    assert f"as soon as they are there: {host.name}" in finished(client, task)["Result"]["Message"]
    monkeypatch.undo()
    host.poll()
    until(lambda: state() == ("Online", "Listening"))
    running.clock.ahead += ONLINE_FOR + timedelta(seconds=1)
    host.report().raise_for_status()
    running.wake()
    until(lambda: not warning_of(running, host))
