"""Answers are remembered until something changes, and never told to whom they do not belong."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx2
import pytest
from sqlalchemy import select, update
from starlette.responses import Response

from cloudgate.api.http.response_cache import (
    LONGEST_KEPT,
    LONGEST_KEY,
    MOST_BYTES,
    Key,
    ResponseCache,
)
from cloudgate.api.table import ROUTES
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.storage.tables import (
    GatewayPool,
    LogonSession,
    ManagedServer,
    Subtenant,
)
from cloudgate.protocol import LiveTunnel
from tests.support.observation.sql_statements import statements
from tests.support.running.host import ScriptedHost, polling
from tests.support.running.manager import PASSWORD, RunningManager, finished
from tests.support.waiting import PATIENCE_SECONDS, until


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


def test_who_asks_is_known_still_after_a_change_of_other_things(
    running: RunningManager, client: httpx2.Client
) -> None:
    made = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    with statements(running) as seen:
        client.put(made["Href"], json={"Description": "another"}).raise_for_status()
    assert any("UPDATE repositories" in each for each in seen)
    assert sum("logon_sessions" in each for each in seen) == 1, "in the change itself"
    account = client.get("/security/accounts").json()["Refs"][0]["Href"]
    with statements(running) as seen:
        client.get(account).raise_for_status()
        assert not any("logon_sessions" in each for each in seen)
        with running.manager.changing() as work:
            work.session.execute(update(LogonSession).values(version="changed"))
        client.get(account).raise_for_status()
    assert any("FROM logon_sessions" in each for each in seen), "it may have ended"


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
    with running.manager.changing(shown=False) as work:
        _describe(work, "by its host")
    assert running.manager.changes.count == before
    with running.manager.changing() as work:
        assert work.session.scalars(select(ManagedServer)).one().description == "by its host"
    assert running.manager.changes.count == before, "nothing was changed"
    with running.manager.changing() as work:
        _describe(work, "by its operator")
    assert running.manager.changes.count > before


def test_what_is_kept_is_read_anew_after_a_minute_as_warnings_end_with_a_day_or_a_month(
    running: RunningManager, client: httpx2.Client
) -> None:
    path = "/cloud/tenants?format=Entity"
    client.get(path)
    with statements(running) as seen:
        client.get(path)
        assert not any("cloud_tenants" in each for each in seen)
        running.clock.ahead += LONGEST_KEPT + timedelta(seconds=1)
        client.get(path)
        assert any("cloud_tenants" in each for each in seen)


def _describe(work: UnitOfWork, text: str) -> None:
    work.session.scalars(select(ManagedServer)).one().description = text


KEPT = sorted(route.path for route in ROUTES if route.cached)


def test_words_of_who_asks_count_as_much_as_answers(running: RunningManager) -> None:
    cache, answer = ResponseCache(running.manager), Response("{}")

    def key(number: int, characters: int = 3000) -> tuple[str, str, str, str]:
        return ("", "/summary", f"{number:0{characters}}", "")

    too_many = MOST_BYTES // 3000
    for each in range(too_many):
        cache.keep_answer(key(each), answer, cache.changes)
    assert cache.answer(key(0)) is None
    assert cache.answer(key(too_many - 1)) is answer
    cache.keep_answer(key(1, LONGEST_KEY + 1), answer, cache.changes)
    assert cache.answer(key(1, LONGEST_KEY + 1)) is None
    assert cache.answer(key(too_many - 1)) is answer


@pytest.fixture
def kept_paths(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The paths of which any answer was kept.

    Statements do not tell it: many calls that are not kept have nothing to ask the database for.
    """
    paths = set()

    def keep(cache: ResponseCache, key: Key, response: Response, changes: int) -> None:
        paths.add(key[1])
        keep_answer(cache, key, response, changes)

    keep_answer = ResponseCache.keep_answer
    monkeypatch.setattr(ResponseCache, "keep_answer", keep)
    return paths


def test_nothing_is_kept_but_where_the_route_says_so(
    kept_paths: set[str], running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    """Of all calls that read: those that say so ask the database once, no other is kept."""
    known = filled_in(running, client, host)
    for route in ROUTES:
        if route.verb != "GET" or not route.needs_session or "{item}" in route.path:
            continue
        path = known.path(route.path)
        if path is None or route.path == "/cloud/gateways/{id}/tunnels":  # waits for its host
            continue
        client.get(path)
        with statements(running) as seen:
            answer = client.get(path)
        assert answer.status_code < 500, path
        is_to_be_kept = route.cached and answer.status_code == 200
        assert (f"/api{path}" in kept_paths) == is_to_be_kept, path
        if is_to_be_kept:
            assert seen == [], path
    assert not next(each for each in ROUTES if each.path.endswith("/tunnels")).cached


def test_what_is_kept_depends_neither_on_time_nor_on_who_asks_nor_on_hosts(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    known = filled_in(running, client, host)
    paths = [path for path in (known.path(each) for each in KEPT) if path is not None]
    assert len(paths) == len(KEPT)
    other = running.logged_on()

    def anew(path: str) -> bytes:
        return other.get(f"{path}{'&' if '?' in path else '?'}v={uuid4()}").content

    def is_as_kept_though_time_passes(form: str) -> bool:
        """False where the background wrote something meanwhile, so that what was kept is gone."""
        changes = running.manager.changes.count
        kept = {path: client.get(path + form).content for path in paths}
        running.clock.ahead += timedelta(minutes=5)
        running.manager.hosts.forget(host.server_id)
        found = {path: anew(path + form) for path in paths}
        if running.manager.changes.count != changes:
            return False
        assert found == kept
        return True

    for form in ("", "?format=Entity"):
        until(partial(is_as_kept_though_time_passes, form))


def test_live_tunnels_are_never_told_from_memory(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost
) -> None:
    known = filled_in(running, client, host)
    path = f"/cloud/gateways/{known.ids['gateway']}/tunnels"
    tunnel = LiveTunnel(
        tunnel="one",
        tenant_id=UUID(known.ids["tenant"]),
        target="vault.example:1",
        client="192.0.2.7",
        started_at=datetime.now(UTC),
        bytes_up=1,
        bytes_down=2,
    )

    def is_seen_though_nothing_is_written() -> bool:
        before = running.manager.changes.count
        host.tunnels = () if host.tunnels else (tunnel,)
        assert len(client.get(path).json()["CloudGatewayTunnels"]) == len(host.tunnels)
        return running.manager.changes.count == before

    with polling(host):
        assert client.get(path).json()["CloudGatewayTunnels"] == []
        # What follows from making all this is written in the background.
        until(is_seen_though_nothing_is_written)


@dataclass(frozen=True)
class KnownResources:
    """What there is to ask for."""

    ids: dict[str, str]

    def path(self, template: str) -> str | None:
        """The path of a route, filled in; None where there is nothing of that kind."""
        for begin, kind in (
            ("/cloud/gateways/", "gateway"),
            ("/cloud/gatewayPools/", "pool"),
            ("/cloud/tenants/", "tenant"),
            ("/backupServers/", "site"),
            ("/repositories/", "repository"),
            ("/managedServers/", "server"),
        ):
            if template.startswith(f"{begin}{{id}}"):
                template = template.replace("{id}", self.ids[kind])
        template = template.replace("{resource}", self.ids["resource"])
        template = template.replace("{subtenant}", self.ids["subtenant"])
        return None if "{" in template else template


def filled_in(running: RunningManager, client: httpx2.Client, host: ScriptedHost) -> KnownResources:
    """One of each kind."""
    made = client.post("/repositories", json={"Name": "vault", "Endpoint": "v.example:1"}).json()
    task = client.post(
        "/cloud/gateways", json={"ServerHostName": host.name, "NetworkType": "Direct"}
    ).json()
    host.obey()
    finished(client, task)
    quota = {"Name": "q", "RepositoryUid": made["UID"], "QuotaMb": 10240}
    spec = {"Name": "acme", "Password": "p" * 20, "Resources": {"BackupResources": [quota]}}
    made_tenant = client.post("/cloud/tenants", json=spec)
    assert made_tenant.status_code == 202, made_tenant.text
    site = guid(client.get("/backupServers").json()["Refs"][0])
    gateway = client.get("/cloud/gateways").json()["Refs"][0]["UID"]
    pool = {
        "Name": "pool",
        "BackupServerUid": f"urn:veeam:BackupServer:{site}",
        "CloudGateways": {"CloudGatewayUids": [gateway]},
    }
    client.post("/cloud/gatewayPools", json=pool)
    tenant = guid(client.get("/cloud/tenants").json()["Refs"][0])
    (resource,) = client.get(f"/cloud/tenants/{tenant}/resources").json()["CloudTenantResources"]
    user = {
        "Name": "ann",
        "Password": "p" * 20,
        "Enabled": True,
        "RepositoryQuota": {"TenantResourceId": resource["Id"], "QuotaMb": 2048},
    }
    client.post(f"/cloud/tenants/{tenant}/subtenants", json=user)
    with running.manager.reading() as work:
        subtenants = work.session.scalars(select(Subtenant)).all()
        pools = work.session.scalars(select(GatewayPool)).all()
    return KnownResources(
        {
            "repository": guid(made),
            "gateway": guid(client.get("/cloud/gateways").json()["Refs"][0]),
            "site": site,
            "tenant": tenant,
            "resource": resource["Id"],
            "server": str(host.server_id),
            "pool": str(pools[0].id) if pools else str(uuid4()),
            "subtenant": str(subtenants[0].id) if subtenants else str(uuid4()),
        }
    )


def guid(entity: dict[str, Any]) -> str:
    return str(entity["UID"]).rpartition(":")[2]


def test_what_is_somebodys_own_is_told_to_nobody_else(
    running: RunningManager, client: httpx2.Client
) -> None:
    other = running.logged_on()
    for path in ("/cloud", "/querySvc", "/vCloud"):
        ups = {each.get(path).json()["Links"][0]["Href"] for each in (client, other, client)}
        assert len(ups) == 2, path


def test_a_session_that_was_ended_is_forgotten_at_once(
    running: RunningManager, client: httpx2.Client
) -> None:
    other = running.logged_on()
    own = other.get("/logonSessions").json()["LogonSessions"][0]["Href"]
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
            timeout=PATIENCE_SECONDS,
        ) as client:
            client.post("/sessionMngr/", auth=("admin", PASSWORD)).raise_for_status()
            (server,) = client.get("/backupServers").json()["Refs"]
            assert server["Href"].startswith(f"https://{name}:{port}/api/")
