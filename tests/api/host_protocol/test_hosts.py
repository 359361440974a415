"""The host protocol: who may speak it, and what is refused."""

import threading
import time
from datetime import UTC, datetime, timedelta
from ipaddress import IPv6Address
from typing import Any
from uuid import UUID, uuid4

import httpx2
import lxml.etree
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate import __version__
from cloudgate.manager.host_protocol.authentication import CREDENTIAL_LIFE
from cloudgate.manager.host_protocol.enrolment import TOKEN_LIFE, revoke
from cloudgate.manager.host_protocol.report_handling import update_facts
from cloudgate.manager.jobs import presence_persistence, timeouts
from cloudgate.manager.registries.audit_throttle import (
    MOST_NOTED,
    NOTED_EVERY,
    AuditThrottle,
)
from cloudgate.manager.registries.hosts.fact_changes import CHANGES_AT_ONCE
from cloudgate.manager.registries.hosts.presence import LONGEST_SILENCE, ONLINE_FOR
from cloudgate.manager.servers.managed_servers import (
    delete_managed_server,
    get_managed_server,
    is_online,
    last_seen,
)
from cloudgate.protocol import (
    POLL_SECONDS,
    PROTOCOL,
    REVOKED,
    SERVER_HEADER,
    GatewayState,
    PollRequest,
    Report,
    Update,
)
from cloudgate.trust.login_throttle import client_network
from tests.support.running.host import ScriptedHost, become_gateway
from tests.support.running.manager import RunningManager, finished
from tests.support.waiting import until


def standing(running: RunningManager, host: ScriptedHost) -> tuple[object, ...]:
    """All that a refused message must not change."""
    (gateway,) = running.logged_on().get("/cloud/gateways?format=Entity").json()["CloudGateways"]
    with running.manager.reading() as work:
        server = get_managed_server(work, host.server_id)
        kept = (server.assignment_revision, server.reported_revision, server.reported_state)
        return (*kept, server.facts, server.credential_hash, gateway["State"], gateway["Enabled"])


def refusals(running: RunningManager) -> list[tuple[str, str, str]]:
    """What the audit log says of machines that were refused: what, whom, from where."""
    found = [
        event
        for event in running.audited()
        if event.code == 0 and not event.success and not (event.after or {}).get("Count")
    ]
    assert all(event.message for event in found)
    return [(event.operation, event.object_name, event.address) for event in found]


@pytest.mark.parametrize("kind", ["wrong", "used", "expired"])
def test_a_token_that_is_wrong_used_or_expired_lets_nobody_in_and_that_is_audited(
    running: RunningManager, host: ScriptedHost, kind: str
) -> None:
    become_gateway(running.logged_on(), host)
    renewed = running.logged_on().post(f"/managedServers/{host.server_id}?action=renewJoinToken")
    token = {"wrong": "w" * 43, "used": host.token, "expired": renewed.json()["JoinToken"]}[kind]
    if kind == "expired":
        running.clock.ahead += TOKEN_LIFE + timedelta(seconds=1)
        host.report().raise_for_status()
    before = standing(running, host)
    for _ in range(3):
        with pytest.raises(httpx2.HTTPStatusError) as refused:
            host.join(token)
        assert refused.value.response.status_code == 401
    named = host.name if kind == "expired" else "127.0.0.1"
    assert refusals(running) == [("RefuseJoin", named, "127.0.0.1")]
    assert standing(running, host) == before
    assert token not in str([vars(event) for event in running.audited()])
    running.clock.ahead += NOTED_EVERY
    with pytest.raises(httpx2.HTTPStatusError):
        host.join(token)
    assert len(refusals(running)) == 2


def test_what_a_revoked_host_says_is_refused_audited_and_without_effect(
    running: RunningManager, host: ScriptedHost
) -> None:
    become_gateway(running.logged_on(), host)
    running.logged_on().post(f"/managedServers/{host.server_id}?action=revoke").raise_for_status()
    before = standing(running, host)
    for _ in range(3):
        assert host.report(GatewayState.FAILED, "a lie").status_code == 401
    assert refusals(running) == [("RefuseUnknownHost", "127.0.0.1", "127.0.0.1")]
    assert standing(running, host) == before


@pytest.mark.parametrize("call", ["report", "poll", "usage", "demand", "answer", "own"])
def test_what_a_host_says_malformed_is_refused_audited_and_without_effect(
    running: RunningManager, host: ScriptedHost, call: str
) -> None:
    become_gateway(running.logged_on(), host)
    before = standing(running, host)
    for _ in range(3):
        answer = host.client.post(f"/{call}", content='{"protocol": "x"}')
        assert answer.status_code == 400
    assert refusals(running) == [("RefuseManagedServer", host.name, "127.0.0.1")]
    assert standing(running, host) == before
    assert "malformed" in warning_of(running, host)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_an_ipv6_sender_is_known_by_its_network(one: int, other: int) -> None:
    base = int(IPv6Address("2001:db8::"))
    first, second = (str(IPv6Address(base + each)) for each in (one, other))
    assert client_network(first) == client_network(second) == "2001:db8::/64"
    assert client_network(str(IPv6Address(base + 2**64 + one))) != client_network(first)


def test_no_crowd_of_senders_fills_the_log() -> None:
    noted, now = AuditThrottle(), datetime(2030, 1, 1, tzinfo=UTC)
    said = [noted.allow(f"192.0.2.{each}", "/v1/join", now) for each in range(256)]
    assert sum(said) == MOST_NOTED
    assert noted.allow("192.0.2.1", "/v1/join", now + NOTED_EVERY)


def test_what_a_machine_says_of_itself_and_is_not_written_down_counts_as_no_change(
    running: RunningManager, host: ScriptedHost
) -> None:
    other = host.facts.model_copy(update={"version": "99"})
    for _ in range(CHANGES_AT_ONCE + 1):
        with running.rolled_back() as work:
            update_facts(work, get_managed_server(work, host.server_id), other)
    host.report(GatewayState.ABSENT, facts=other).raise_for_status()


def test_a_host_stays_online_whose_revocation_or_removal_is_not_written_down(
    running: RunningManager, host: ScriptedHost
) -> None:
    for taken_away in (revoke, delete_managed_server):
        with running.rolled_back() as work:
            taken_away(work, get_managed_server(work, host.server_id))
        with running.manager.reading() as work:
            assert work.hosts.presence.last(host.server_id, work.now) is not None


@pytest.mark.parametrize("call", ["poll", "report"])
def test_without_a_credential_nothing_is_told(running: RunningManager, call: str) -> None:
    url = f"{running.url}/host/v1/{call}"
    body = (
        PollRequest()
        if call == "poll"
        else Report(assignment_revision=0, directory_revision=0, state=GatewayState.ABSENT)
    ).model_dump_json()
    client = running.client()
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic d3Jvbmc="}):
        assert client.post(url, content=body, headers=headers).status_code == 401


@pytest.mark.parametrize("body", ["", "{", "[]", "{}", '{"assignment_revision": "x"}', "\x00"])
def test_a_malformed_report_is_refused_without_effect(
    running: RunningManager, host: ScriptedHost, body: str
) -> None:
    answer = host.client.post("/report", content=body)
    assert answer.status_code == 400
    assert "malformed" in answer.json()["message"]


def test_another_version_of_the_protocol_is_refused_in_words(
    running: RunningManager, host: ScriptedHost
) -> None:
    request = PollRequest(protocol=PROTOCOL + 2, oldest_protocol=PROTOCOL + 1)
    answer = host.client.post("/poll", content=request.model_dump_json())
    assert answer.status_code == 400
    assert "bring both to the same release" in answer.json()["message"]


def test_a_newer_host_that_still_understands_this_version_is_listened_to(
    running: RunningManager, host: ScriptedHost
) -> None:
    body = {"protocol": PROTOCOL + 1, "oldest_protocol": PROTOCOL, "news": "of tomorrow"}
    assert host.client.post("/poll", json=body).status_code == 200


def test_a_host_gets_another_credential_every_day_and_loses_none(
    running: RunningManager, host: ScriptedHost
) -> None:
    host.poll()
    running.clock.ahead += CREDENTIAL_LIFE
    lost = host.client.post("/poll", content=PollRequest().model_dump_json()).json()
    assert lost["credential"]
    assert host.poll().credential not in (None, lost["credential"])
    request = PollRequest(assignment_revision=None).model_dump_json()
    before = {"Authorization": f"Bearer {host.credentials[0]}"}
    report = Report(assignment_revision=0, directory_revision=0, state=GatewayState.ABSENT)
    on_its_way = report.model_dump_json()
    assert host.client.post("/report", content=on_its_way, headers=before).status_code == 204
    host.report(GatewayState.ABSENT).raise_for_status()
    for old in (host.credentials[0], lost["credential"]):
        headers = {"Authorization": f"Bearer {old}"}
        assert host.client.post("/poll", content=request, headers=headers).status_code == 401
    assert "credential" not in str(running.audited()[-1].after)


def test_a_revoked_host_is_not_listened_to_until_it_joins_again(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    href = f"/managedServers/{host.server_id}"
    assert client.get(f"{href}?format=Entity").json()["State"] == "Online"
    assert client.post(f"{href}?action=revoke").status_code == 204
    assert client.get(f"{href}?format=Entity").json()["State"] == "Offline"
    who = {SERVER_HEADER: str(host.server_id)}
    said = host.client.post("/report", content="{}", headers=who)
    assert (said.status_code, said.json().get(REVOKED)) == (401, True)
    for other in ("", "nobody", str(UUID(int=7))):
        said = host.client.post("/report", content="{}", headers={SERVER_HEADER: other})
        assert (said.status_code, REVOKED in said.json()) == (401, False)
    renewed = client.post(f"{href}?action=renewJoinToken").json()
    host.client.headers["Authorization"] = f"Bearer {host.join(renewed['JoinToken']).credential}"
    assert host.report(GatewayState.ABSENT).status_code == 204
    told = [event.operation for event in running.audited()[-4:]]
    assert told == [
        "RevokeManagedServer",
        "RefuseUnknownHost",
        "RenewJoinToken",
        "JoinManagedServer",
    ]


def test_a_gateway_whose_machine_is_lost_can_be_taken_away_once_it_is_revoked(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task = client.post("/cloud/gateways", json=spec).json()
    host.obey()
    gateway = finished(client, task)["Links"][1]["Href"].partition("?")[0]
    server = f"/managedServers/{host.server_id}"
    assert client.delete(server).status_code == 400
    client.post(f"{server}?action=revoke").raise_for_status()
    ended = finished(client, client.delete(gateway).json())["Result"]
    assert ended["Success"] is True
    assert "was not told" in ended["Message"]
    assert client.get(gateway).status_code == 404
    assert client.delete(server).status_code == 204


def spoken_by(machine: str) -> str:
    """A poll of another machine that has the host's credential."""
    return PollRequest(machine=machine).model_dump_json()


def warning_of(running: RunningManager, host: ScriptedHost) -> str:
    """What an operator is told of a host; empty when nothing."""
    href = f"/managedServers/{host.server_id}?format=Entity"
    return str(running.logged_on().get(href).json().get("Warning", ""))


def test_a_copy_of_a_hosts_disk_is_refused_while_the_host_is_there(
    running: RunningManager, host: ScriptedHost
) -> None:
    host.facts = host.facts.model_copy(update={"machine": "first"})
    host.poll()
    assert host.client.post("/poll", content=spoken_by("second")).status_code == 503
    host.report(GatewayState.ABSENT).raise_for_status()
    answer = host.client.post("/poll", content=spoken_by("second"))
    assert answer.status_code == 400
    assert "copy of its disk" in answer.json()["message"]
    assert "A second machine speaks as gw1.example" in warning_of(running, host)
    assert "RefuseManagedServer" in {event.operation for event in running.audited()}
    assert host.report(GatewayState.ABSENT).status_code == 204
    running.clock.ahead += ONLINE_FOR
    assert host.client.post("/poll", content=spoken_by("second")).status_code == 200


def test_a_host_that_waits_for_news_is_made_to_speak_when_another_speaks_in_its_name(
    running: RunningManager, host: ScriptedHost
) -> None:
    host.facts = host.facts.model_copy(update={"machine": "first"})
    host.poll()

    def heard() -> datetime | None:
        with running.manager.reading() as work:
            return last_seen(work, get_managed_server(work, host.server_id))

    before = heard()
    waiting = threading.Thread(target=host.poll)
    started = time.monotonic()
    waiting.start()
    # If the second one came before, the first would have spoken since, and had nothing to say.
    until(lambda: heard() != before)
    while waiting.is_alive():
        assert host.client.post("/poll", content=spoken_by("second")).status_code in (400, 503)
        waiting.join(0.1)
    assert time.monotonic() - started < POLL_SECONDS / 2


def test_a_machine_that_is_started_anew_is_no_copy_and_is_let_in_when_its_past_is_silent(
    running: RunningManager, host: ScriptedHost
) -> None:
    host.facts = host.facts.model_copy(update={"machine": "before the start"})
    host.poll()
    host.facts = host.facts.model_copy(update={"machine": "after the start"})
    for _ in range(3):
        answer = host.report(GatewayState.ABSENT)
        assert answer.status_code == 503
        assert "is let in as soon as" in answer.json()["message"]
        running.clock.ahead += timedelta(seconds=5)
    assert warning_of(running, host) == ""
    running.clock.ahead += ONLINE_FOR - timedelta(seconds=15)
    host.report(GatewayState.ABSENT).raise_for_status()
    assert warning_of(running, host) == ""
    assert "RefuseManagedServer" not in {event.operation for event in running.audited()}
    assert host.client.post("/poll", content=spoken_by("before the start")).status_code == 503


def test_the_warning_of_a_copy_goes_once_only_the_right_machine_was_heard_for_a_while(
    running: RunningManager, host: ScriptedHost
) -> None:
    host.facts = host.facts.model_copy(update={"machine": "first"})

    def both_speak() -> None:
        host.report(GatewayState.ABSENT).raise_for_status()
        assert host.client.post("/poll", content=spoken_by("second")).status_code in (503, 400)

    both_speak()
    both_speak()
    running.clock.ahead += ONLINE_FOR / 2
    both_speak()
    running.clock.ahead += ONLINE_FOR / 2
    host.report(GatewayState.ABSENT).raise_for_status()
    with running.manager.reading() as work:
        assert not presence_persistence.presence_changed(work, work.now)
    assert "copy" in warning_of(running, host)
    running.clock.ahead += ONLINE_FOR / 2
    host.report(GatewayState.ABSENT).raise_for_status()
    running.wake()
    until(lambda: not warning_of(running, host))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"gateway_id": str(uuid4())}, "not this host's"),
        ({"revision": 1}, "was heard before"),
    ],
)
def test_a_report_that_cannot_be_true_has_no_effect_and_is_audited(
    running: RunningManager, host: ScriptedHost, said: dict[str, Any], reason: str
) -> None:
    client = running.logged_on()
    uid = client.get("/backupServers?format=Entity").json()["BackupServers"][0]["UID"]
    spec = {"ServerHostName": host.name, "NetworkType": "Direct", "BackupServerUid": uid}
    task = client.post("/cloud/gateways", json=spec).json()
    host.obey()
    assert finished(client, task)["Result"]["Success"]
    answer = host.report(GatewayState.FAILED, "a lie", **said)
    assert answer.status_code == 400
    assert reason in answer.json()["message"]
    (gateway,) = client.get("/cloud/gateways?format=Entity").json()["CloudGateways"]
    assert gateway["State"] == "Listening"
    assert reason in gateway["Warning"]
    last = running.audited()[-1]
    assert (last.operation, last.success) == ("RefuseManagedServer", False)


def test_who_has_gone_is_shown_as_offline(running: RunningManager, host: ScriptedHost) -> None:
    client = running.logged_on()
    href = f"/managedServers/{host.server_id}?format=Entity"
    first = client.get(href).json()
    assert first["State"] == "Online"
    assert first["Version"] == __version__
    running.clock.ahead += ONLINE_FOR
    running.wake()
    until(lambda: client.get(href).json()["State"] == "Offline")
    assert "OnlineSince" not in client.get(href).json()
    host.poll()
    assert client.get(href).json()["State"] == "Online"


@pytest.mark.parametrize("is_new", [False, True], ids=["the same", "after a restart"])
def test_a_host_that_has_gone_is_missed_also_after_the_managers_clock_was_put_back(
    running: RunningManager, host: ScriptedHost, is_new: bool
) -> None:
    client = running.logged_on()
    href = f"/managedServers/{host.server_id}?format=Entity"
    running.clock.ahead = timedelta(hours=5)
    host.report(GatewayState.ABSENT).raise_for_status()
    with running.manager.changing() as work:
        presence_persistence.persist_presence(work)
    if is_new:  # all that another process has, is in the database
        running.manager.hosts.forget(host.server_id)
    running.clock.ahead = timedelta()
    running.wake()
    with running.manager.reading() as work:
        assert is_online(work, get_managed_server(work, host.server_id))
    running.clock.ahead = LONGEST_SILENCE
    running.wake()
    until(lambda: client.get(href).json()["State"] == "Offline")
    host.facts = host.facts.model_copy(update={"machine": "started anew"})
    host.poll()
    assert client.get(href).json()["State"] == "Online"


def test_a_task_ends_in_time_also_where_the_managers_clock_was_put_back(
    running: RunningManager, host: ScriptedHost
) -> None:
    running.clock.ahead = timedelta(hours=5)
    host.report(GatewayState.ABSENT).raise_for_status()
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task = running.logged_on().post("/cloud/gateways", json=spec).json()
    running.clock.ahead = timedelta()
    running.wake()
    with running.manager.changing() as work:
        timeouts.finish_due_tasks(work)
    running.clock.ahead = timedelta(minutes=1)
    running.wake()
    ended = finished(running.logged_on(), task)["Result"]
    assert "did not answer in time" in ended["Message"]


@pytest.mark.parametrize("platform", ["Windows", "Linux"])
def test_the_platform_that_a_machine_reports_is_its_type_in_both_forms(
    running: RunningManager, host: ScriptedHost, platform: str
) -> None:
    told = host.facts.model_copy(update={"platform": platform})
    host.report(GatewayState.ABSENT, facts=told).raise_for_status()
    href = f"/managedServers/{host.server_id}?format=Entity"
    assert running.logged_on().get(href).json()["ManagedServerType"] == platform
    entity = lxml.etree.fromstring(running.logged_on("application/xml").get(href).content)
    assert entity.findtext("{*}ManagedServerType") == platform
    listed = running.logged_on().get("/managedServers?format=Entity").json()["ManagedServers"]
    assert [each["ManagedServerType"] for each in listed] == [platform]


def test_a_poll_is_held_until_there_is_news(running: RunningManager, host: ScriptedHost) -> None:
    host.poll()
    news: list[Update] = []
    waiting = threading.Thread(target=lambda: news.append(host.poll()))
    waiting.start()
    started = time.monotonic()
    running.logged_on().post("/cloud/tenants", json={"Name": "acme"}).raise_for_status()
    waiting.join(POLL_SECONDS)
    assert time.monotonic() - started < POLL_SECONDS / 2
    assert news[0].directory is not None
    assert [tenant.name for tenant in news[0].directory.tenants] == ["acme"]


def test_unknown_calls_are_not_found(running: RunningManager, host: ScriptedHost) -> None:
    assert host.client.post("/nothing").status_code == 404
    assert host.client.get("/poll").status_code == 404
