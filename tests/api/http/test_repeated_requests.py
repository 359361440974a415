"""What is asked again in the same bytes is answered at once, and by the same rules."""

from datetime import timedelta

import httpx2
import pytest

from cloudgate.api.http import repeated_requests
from cloudgate.manager.lease import Lease
from cloudgate.manager.sessions.roles import Role
from tests.api.handlers.accounts import add_account, logged_on_as
from tests.api.handlers.api_tokens import make, shows
from tests.support.observation.sql_statements import statements
from tests.support.running.manager import RunningManager

HEADER = "X-RestSvcSessionId"
PATH = "/backupServers?format=Entity"


def repeated(client: httpx2.Client, path: str = PATH) -> httpx2.Response:
    """The answer to a question that was asked and answered twice before."""
    for _ in range(2):
        client.get(path).raise_for_status()
    return client.get(path)


def test_a_repeated_answer_has_all_that_the_first_had(client: httpx2.Client) -> None:
    first = client.get(PATH)
    again = repeated(client)
    assert again.content == first.content
    kept = {name: value for name, value in first.headers.raw if name != b"Date"}
    assert {name: value for name, value in again.headers.raw if name != b"Date"} == kept
    assert kept[b"X-Content-Type-Options"] == b"nosniff"


def test_who_has_lost_the_role_is_refused_what_was_answered_before(
    running: RunningManager, client: httpx2.Client
) -> None:
    account = add_account(client, "carol", Role.PORTAL_USER, Role.VM_RESTORE_OPERATOR)
    carol = logged_on_as(running, "carol")
    assert repeated(carol).status_code == 200
    client.delete(f"{account}/roles/{Role.PORTAL_USER.id}").raise_for_status()
    assert carol.get(PATH).status_code == 403
    client.delete(account).raise_for_status()
    assert carol.get(PATH).status_code == 401


def test_a_session_that_was_ended_or_grew_old_answers_nothing_again(
    running: RunningManager, client: httpx2.Client
) -> None:
    other = running.logged_on()
    own = other.get("/logonSessions").json()["LogonSessions"][0]["Href"]
    assert repeated(other).status_code == 200
    client.delete(own).raise_for_status()
    assert other.get(PATH).status_code == 401
    assert repeated(client).status_code == 200
    running.clock.ahead += timedelta(minutes=16)
    assert client.get(PATH).status_code == 401


def test_a_session_that_goes_on_asking_the_same_stays_alive(
    running: RunningManager, client: httpx2.Client
) -> None:
    for _ in range(5):
        assert repeated(client).status_code == 200
        running.clock.ahead += timedelta(minutes=10)
    assert client.get(PATH).status_code == 200


def test_a_program_with_a_token_is_answered_until_the_token_is_good_no_more(
    running: RunningManager, client: httpx2.Client
) -> None:
    account = add_account(client, "dave", Role.PORTAL_USER, Role.VM_RESTORE_OPERATOR)
    dave = logged_on_as(running, "dave")
    revoked, ended, lost = (make(dave, name) for name in ("revoked", "ended", "lost"))
    programs = [shows(running, each["Secret"]) for each in (revoked, ended, lost)]
    for each in programs:
        repeated(each)
        with statements(running) as seen:
            assert each.get(PATH).status_code == 200
        assert seen == []
    client.delete(revoked["Href"]).raise_for_status()
    assert [each.get(PATH).status_code for each in programs] == [401, 200, 200]
    client.delete(f"{account}/roles/{Role.PORTAL_USER.id}").raise_for_status()
    assert [each.get(PATH).status_code for each in programs] == [401, 401, 401]


def test_a_token_that_is_shown_again_ends_when_it_ends(
    running: RunningManager, client: httpx2.Client
) -> None:
    program = shows(running, make(client, "short")["Secret"])
    for days in (1, 88):
        assert repeated(program).status_code == 200
        running.clock.ahead += timedelta(days=days)
    assert repeated(program).status_code == 200
    running.clock.ahead += timedelta(days=1, minutes=1)
    assert program.get(PATH).status_code == 401


def test_a_change_is_seen_by_who_asks_the_same_again(client: httpx2.Client) -> None:
    made = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    for description in ("one", "two"):
        assert repeated(client, "/repositories?format=Entity").status_code == 200
        client.put(made["Href"], json={"Description": description}).raise_for_status()
        (shown,) = client.get("/repositories?format=Entity").json()["Repositories"]
        assert shown["Description"] == description


def test_another_header_is_another_question(running: RunningManager, client: httpx2.Client) -> None:
    assert repeated(client).headers["Content-Type"] == "application/json"
    xml = client.get(PATH, headers={"Accept": "application/xml"})
    assert xml.headers["Content-Type"] == "application/xml"
    there = client.get(PATH, headers={"Host": "cloud.example:9398"}).json()["BackupServers"][0]
    assert there["Href"].startswith("https://cloud.example:9398/")
    assert running.client().get(PATH).status_code == 401
    assert client.post(PATH).status_code == 400, "another method is"
    traced = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    with statements(running) as seen:
        assert client.get(PATH, headers=traced).status_code == 200
    assert seen == []


def test_repeated_requests_are_counted_as_all_are(
    running: RunningManager, client: httpx2.Client
) -> None:
    def counted() -> float:
        shown = {HEADER: client.cookies[HEADER]}
        page = client.get(f"{running.url}/metrics", headers=shown).raise_for_status().text
        label = 'cloudgate_api_requests_total{method="GET",route="/api/backupServers",code="200"}'
        (value,) = (line.split()[-1] for line in page.splitlines() if line.startswith(label))
        return float(value)

    repeated(client)
    before = counted()
    repeated(client)
    assert counted() == before + 3


def test_a_manager_that_may_have_lost_the_lead_answers_nothing_from_memory(
    running: RunningManager, client: httpx2.Client
) -> None:
    assert repeated(client).status_code == 200
    never_held = Lease(running.manager.database, "elsewhere", running.url)
    object.__setattr__(running.manager, "lease", never_held)
    try:
        assert client.get(PATH).status_code == 503
    finally:
        object.__setattr__(running.manager, "lease", None)
    assert client.get(PATH).status_code == 200


def test_requests_that_are_never_the_same_fill_no_memory(
    client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeated_requests, "MOST", 3)
    for number in range(5):
        assert repeated(client, f"{PATH}&v={number}").status_code == 200
    long = f"{PATH}&v={'x' * repeated_requests.LONGEST}"
    assert repeated(client, long).status_code == 200
