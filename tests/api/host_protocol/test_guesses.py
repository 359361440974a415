"""Do wrong passwords at gateways get into the audit log?"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event

from cloudgate.manager.audit.sums import write_sums
from cloudgate.manager.host_protocol.enrolment import revoke
from cloudgate.manager.registries.audit_throttle import MOST_NOTED
from cloudgate.manager.registries.reported_guesses import ReportedGuesses
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.storage.tables import AuditEvent
from cloudgate.protocol import LONGEST_GUESSED_NAME, MOST_GUESSES, GatewayState, Guess, Report
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished

NOW = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)


def guess(name: str = "acme", count: int = 3, address: str = "198.51.100.7") -> Guess:
    last = NOW + timedelta(seconds=40)
    return Guess(name=name, address=address, count=count, first_at=NOW, last_at=last)


def say(host: ScriptedHost, *guesses: Guess) -> httpx2.Response:
    return host.report(GatewayState.ABSENT, guesses=guesses)


def say_json(host: ScriptedHost, *guesses: dict[str, Any]) -> httpx2.Response:
    report = Report(assignment_revision=0, directory_revision=0, state=GatewayState.ABSENT)
    body = {**json.loads(report.model_dump_json()), "guesses": guesses}
    return host.client.post("/report", json=body)


def guesses_in(running: RunningManager) -> list[AuditEvent]:
    return [event for event in running.audited() if event.operation == "GuessTenantPassword"]


def test_each_guess_of_a_report_is_one_warning_with_who_from_where_and_how_often(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    finished(client, client.post("/cloud/tenants", json={"Name": "acme"}).json())
    (tenant,) = client.get("/cloud/tenants").json()["Refs"]
    heard = say(host, guess("ACME\\laptop"), guess("nobody", 1, "2001:db8::1"))
    assert heard.status_code == 204
    first, second = client.get("/audit?filter=Operation==GuessTenantPassword").json()[
        "AuditEvents"
    ]["AuditEvents"]
    assert (first["Severity"], first["Success"], first["Code"]) == ("Warning", False, 0)
    assert (first["Account"], first["Address"]) == ("ACME\\laptop", "198.51.100.7")
    assert first["ObjectId"] == tenant["UID"].rpartition(":")[2]
    assert first["Text"] == "Wrong passwords of ACME\\laptop were tried at a gateway"
    assert first["Message"] == "3 wrong passwords from 198.51.100.7 at the gateway gw1.example."
    assert json.loads(first["After"]) == {
        "Name": "ACME\\laptop",
        "Address": "198.51.100.7",
        "Count": 3,
        "FirstTime": "2030-01-01T12:00:00+00:00",
        "LastTime": "2030-01-01T12:00:40+00:00",
        "ManagedServer": "gw1.example",
    }
    assert (second["ObjectName"], second["ObjectId"]) == ("nobody", "")
    assert second["Message"] == "1 wrong password from 2001:db8::1 at the gateway gw1.example."


def test_a_report_that_is_heard_twice_is_logged_once(
    running: RunningManager, host: ScriptedHost
) -> None:
    for count in (3, 3, 4, 3):
        assert say(host, guess(count=count)).status_code == 204
    assert [(event.after or {})["Count"] for event in guesses_in(running)] == [3, 4]
    other = ScriptedHost(running, name="gw2.example")
    say(other, guess())
    other.close()
    assert len(guesses_in(running)) == 3, "another gateway has seen others"


def test_what_was_told_to_the_manager_before_is_known_by_the_log_and_looked_for_once(
    running: RunningManager, host: ScriptedHost
) -> None:
    say(host, guess()).raise_for_status()
    running.manager.hosts.guesses = ReportedGuesses()
    looked: list[str] = []

    def look(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("SELECT") and "FROM audit_events" in statement:
            looked.append(statement)

    event.listen(Engine, "before_cursor_execute", look)
    try:
        for count in (3, 3, 4, 5):
            say(host, guess(count=count)).raise_for_status()
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert [(each.after or {})["Count"] for each in guesses_in(running)] == [3, 4, 5]
    (once,) = looked
    assert "audit_events.account IN" in once, "by what there is an index for"
    assert "LIMIT" in once


def test_guesses_of_a_report_that_was_refused_are_logged_whole_when_they_are_heard_again(
    running: RunningManager, host: ScriptedHost
) -> None:
    weak = host.facts.model_copy(update={"public_key_pem": "none"})
    for _ in range(3):
        refused = host.report(GatewayState.ABSENT, guesses=(guess(),), facts=weak)
        assert refused.status_code == 400
    assert guesses_in(running) == []
    say(host, guess()).raise_for_status()
    write_sums(running.manager, all_of_them=True)
    (event,) = guesses_in(running)
    assert (event.account, event.address) == ("acme", "198.51.100.7")
    assert (event.after or {})["Count"] == 3


def test_of_one_report_no_more_guesses_are_logged_than_within_a_minute(
    running: RunningManager, host: ScriptedHost
) -> None:
    def some(first: int, last: int) -> tuple[Guess, ...]:
        return tuple(guess(count=count) for count in range(first, last))

    say(host, *some(1, 61)).raise_for_status()
    say(host, *some(61, 121)).raise_for_status()
    assert len(guesses_in(running)) == MOST_NOTED
    write_sums(running.manager, all_of_them=True)
    *_, summed_up = guesses_in(running)
    assert (summed_up.after or {})["Count"] == sum(range(MOST_NOTED + 1, 121))


def test_a_host_of_before_says_nothing_of_guesses(
    running: RunningManager, host: ScriptedHost
) -> None:
    report = Report(assignment_revision=0, directory_revision=0, state=GatewayState.ABSENT)
    body = report.model_dump(mode="json", exclude={"guesses"})
    assert host.client.post("/report", json=body).status_code == 204
    assert guesses_in(running) == []


GOOD = {
    "name": "acme",
    "address": "198.51.100.7",
    "count": 1,
    "first_at": "2030-01-01T12:00:00Z",
    "last_at": "2030-01-01T12:00:00Z",
}


@pytest.mark.parametrize(
    "guesses",
    [
        [{**GOOD, "name": "a" * (LONGEST_GUESSED_NAME + 1)}],
        [{**GOOD, "address": "gw1.example"}],
        [{**GOOD, "address": f"fe80::1%{'x' * 3000}"}],
        [{**GOOD, "count": 0}],
        [{**GOOD, "count": 2**31}],
        [{**GOOD, "last_at": "2030-01-01T12:00:00"}],
        [{"name": "acme"}],
        [GOOD] * (MOST_GUESSES + 1),
    ],
)
def test_guesses_that_are_malformed_are_refused_without_effect(
    running: RunningManager, host: ScriptedHost, guesses: list[dict[str, Any]]
) -> None:
    answer = say_json(host, *guesses)
    assert (answer.status_code, "malformed" in answer.json()["message"]) == (400, True)
    assert guesses_in(running) == []


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_an_address_is_kept_in_its_usual_form_and_without_the_zone_of_a_machine(
    running: RunningManager, host: ScriptedHost, said: str, kept: str
) -> None:
    say_json(host, {**GOOD, "address": said}).raise_for_status()
    (event,) = guesses_in(running)
    assert (event.address, (event.after or {})["Address"]) == (kept, kept)


def test_as_many_as_a_report_may_hold_are_taken(
    running: RunningManager, host: ScriptedHost
) -> None:
    many = [{**GOOD, "name": "x" * LONGEST_GUESSED_NAME, "count": n + 1} for n in range(100)]
    assert say_json(host, *many).status_code == 204
    assert len(guesses_in(running)) == MOST_GUESSES


def test_a_revoked_host_and_one_that_reports_what_is_over_are_not_believed(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    client.post("/cloud/gateways", json=spec).raise_for_status()
    host.obey()
    over = host.report(revision=0, guesses=(guess(),))
    assert over.status_code == 400
    with running.manager.changing() as work:
        revoke(work, get_managed_server(work, host.server_id))
    assert host.report(guesses=(guess(),)).status_code == 401
    assert guesses_in(running) == []


def test_whatever_name_was_claimed_can_be_shown(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on("application/xml")

    @given(st.text(st.characters(exclude_categories=["Cs"]), max_size=LONGEST_GUESSED_NAME))
    def check(name: str) -> None:
        assert say(host, guess(name)).status_code == 204
        answer = client.get("/audit?sortDesc=Number&pageSize=1")
        assert answer.status_code == 200
        assert "GuessTenantPassword" in answer.text

    check()
