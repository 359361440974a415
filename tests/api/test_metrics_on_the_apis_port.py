"""Who sees figures on the port that strangers reach?"""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from cloudgate.api.metrics_tokens import MetricsTokens
from cloudgate.api.server import ServerOptions
from cloudgate.errors import CloudgateError
from cloudgate.manager.sessions.roles import Role
from tests.support.running.manager import PASSWORD, RunningManager, running_manager

PAGES = ("/metrics", "/metrics/tenants")
TOKEN, OTHER = "a" * 32, "b" * 40


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"{TOKEN}\n{OTHER}\n")
    return path


def at_root(running: RunningManager, **headers: str) -> httpx2.Client:
    client = running.client(**headers)
    client.base_url = httpx2.URL(running.url)
    return client


def test_a_database_that_cannot_be_read_is_said_and_no_fault_of_the_page(
    tmp_path: Path, file: Path
) -> None:
    with running_manager(
        tmp_path / "data", extras=ServerOptions(metrics_tokens=MetricsTokens(file))
    ) as running:
        client = at_root(running, Authorization=f"Bearer {TOKEN}")
        with closing(sqlite3.connect(tmp_path / "data" / "cloudgate.db")) as database, database:
            database.execute("ALTER TABLE cloud_tenants RENAME TO elsewhere")
        answer = client.get("/metrics/tenants")
        assert answer.status_code == 503
        assert "database" in answer.text


def test_a_stranger_sees_no_figure(tmp_path: Path, file: Path) -> None:
    with running_manager(
        tmp_path / "data", extras=ServerOptions(metrics_tokens=MetricsTokens(file))
    ) as running:
        client = at_root(running)
        for path in PAGES:
            for said in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN[:-1]}"):
                answer = client.get(path, headers={"Authorization": said} if said else {})
                assert answer.status_code == 401
                assert "cloudgate_" not in answer.text
                assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/metrics/nothing").status_code == 401


def test_a_token_shows_figures_and_health_and_does_nothing_else(tmp_path: Path, file: Path) -> None:
    with running_manager(
        tmp_path / "data", extras=ServerOptions(metrics_tokens=MetricsTokens(file))
    ) as running:
        client = at_root(running, Authorization=f"Bearer {TOKEN}")
        for path in PAGES:
            assert client.get(path).status_code == 200
        assert "cloudgate_build_info" in client.get("/metrics").text
        assert "[+]database ok" in client.get("/readyz?verbose").text
        assert client.get("/metrics/nothing").status_code == 404
        assert client.get("/api/cloud/tenants").status_code == 401
        assert client.post("/metrics").status_code == 405
        assert at_root(running, Authorization=f"bearer {OTHER}").get("/metrics").status_code == 200
        file.write_text(f"{OTHER}\n")
        assert client.get("/metrics").status_code == 401


def test_a_session_shows_them_to_who_sees_to_gateways_and_to_nobody_else(
    running: RunningManager,
) -> None:
    admin = running.logged_on()
    for name, role, status in (
        ("portal", Role.PORTAL_USER, 200),
        ("restores", Role.VM_RESTORE_OPERATOR, 403),
    ):
        spec = {
            "AccountName": name,
            "AccountType": "User",
            "Password": PASSWORD,
            "Roles": {"EnterpriseRoles": [{"EnterpriseRoleUid": str(role.id)}]},
        }
        assert admin.post("/security/accounts", json=spec).status_code == 201
        client = running.client(Accept="application/json")
        client.post("/sessionMngr/?v=latest", auth=(name, PASSWORD)).raise_for_status()
        session = client.cookies["X-RestSvcSessionId"]
        shown = at_root(running).get("/metrics", headers={"X-RestSvcSessionId": session})
        assert shown.status_code == status


def test_a_file_without_a_token_that_is_long_enough_is_refused_at_the_start(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    with pytest.raises(CloudgateError, match="cannot be read: No such file"):
        MetricsTokens(file)
    file.write_text("short\n")
    with pytest.raises(CloudgateError, match="no token of 32 characters"):
        MetricsTokens(file)
