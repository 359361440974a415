"""Answers are remembered until something changes, and never told to whom they do not belong."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
from sqlalchemy import event

from tests.support.host import ScriptedHost
from tests.support.manager import PASSWORD, RunningManager, finished


@contextmanager
def statements(running: RunningManager) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(str(arguments[2]))

    engine = running.manager.database.reading().get_bind()
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def client(running: RunningManager) -> httpx2.Client:
    return running.logged_on()


def test_the_same_question_is_answered_without_the_database(
    running: RunningManager, client: httpx2.Client
) -> None:
    path = "/backupServers?format=Entity"
    first = client.get(path)
    with statements(running) as seen:
        again = client.get(path)
        assert seen == []
        assert client.get(path, headers={"Accept": "application/xml"}).content != first.content
        assert seen != [], "another form is another question"
    assert (again.content, again.headers["Content-Type"]) == (
        first.content,
        first.headers["Content-Type"],
    )


def test_a_change_is_seen_at_once(client: httpx2.Client) -> None:
    path = "/repositories?format=Entity"
    assert client.get(path).json() == {"Repositories": []}
    made = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    for description in ("one", "two"):
        client.put(made["Href"], json={"Description": description}).raise_for_status()
        (shown,) = client.get(path).json()["Repositories"]
        assert shown["Description"] == description


def test_what_a_host_reports_is_seen_at_once_and_its_polls_are_not_news(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    assert client.get("/cloud/gateways").json() == {"Refs": []}
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task = client.post("/cloud/gateways", json=spec).json()
    host.obey()
    finished(client, task)
    assert len(client.get("/cloud/gateways").json()["Refs"]) == 1
    before = running.manager.changes.count
    with running.manager.changing(shown=False):
        pass
    assert running.manager.changes.count == before


def test_what_is_somebodys_own_is_told_to_nobody_else(
    running: RunningManager, client: httpx2.Client
) -> None:
    other = running.logged_on()
    for path in ("/cloud", "/querySvc", "/reports/summary", "/vCloud"):
        ups = {each.get(path).json()["Links"][0]["Href"] for each in (client, other, client)}
        assert len(ups) == 2, path


def test_a_session_that_was_ended_is_forgotten_at_once(
    running: RunningManager, client: httpx2.Client
) -> None:
    other = running.logged_on()
    own = other.get("/logonSessions").json()["LogonSessions"][-1]["Href"]
    assert other.get("/tasks").status_code == 200
    client.delete(own).raise_for_status()
    assert other.get("/tasks").status_code == 401


def test_addresses_lead_back_by_the_name_that_each_client_used(running: RunningManager) -> None:
    port = running.url.rpartition(":")[2]
    for name in ("localhost", "127.0.0.1"):
        with httpx2.Client(
            base_url=f"https://{name}:{port}/api",
            verify=running.context,
            headers={"Accept": "application/json"},
        ) as client:
            client.post("/sessionMngr/", auth=("admin", PASSWORD)).raise_for_status()
            (server,) = client.get("/backupServers").json()["Refs"]
            assert server["Href"].startswith(f"https://{name}:{port}/api/")
