"""What can another site's page have a browser do to the manager? Nothing, and no program minds."""

import re
import socket
from pathlib import Path

import httpx2
import pytest

from cloudgate.api.server import ServerOptions, open_listener
from cloudgate.api.table import ROUTES
from cloudgate.network.api_headers import SESSION_ID
from tests.support.running.manager import (
    PASSWORD,
    RunningManager,
    finished,
    manager_of_module,
    running_manager,
)
from tests.support.waiting import PATIENCE_SECONDS

UNSAFE = sorted(
    {
        (route.verb, route.path + (f"?action={route.action}" if route.action else ""))
        for route in ROUTES
        if route.verb != "GET"
    }
)
ID = "00000000-0000-0000-0000-000000000000"
FOREIGN = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://elsewhere.example"},
    {"Origin": "null"},
    {"Origin": "https://localhost:1"},
)

shared = manager_of_module()


@pytest.fixture(scope="module")
def client(shared: RunningManager) -> httpx2.Client:
    """By cookie, as a browser."""
    client = shared.client(Accept="application/json")
    client.post("/sessionMngr/", auth=("admin", PASSWORD)).raise_for_status()
    return client


@pytest.fixture(scope="module")
def tenant(shared: RunningManager, client: httpx2.Client) -> httpx2.Client:
    """A tenant by itself, by cookie, too."""
    spec = {"Name": "acme", "Password": PASSWORD}
    finished(client, client.post("/cloud/tenants", json=spec).json())
    came = shared.client(Accept="application/json")
    came.post("/sessionMngr/?as=tenant", auth=("acme", PASSWORD)).raise_for_status()
    return came


def filled(path: str) -> str:
    return re.sub(r"\{\w+\}", ID, path)


@pytest.mark.parametrize(("verb", "path"), UNSAFE)
def test_no_call_that_changes_something_can_be_made_by_a_foreign_page(
    client: httpx2.Client, verb: str, path: str
) -> None:
    for headers in FOREIGN:
        form = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        answer = client.request(verb, filled(path), headers=form, auth=("admin", PASSWORD))
        assert answer.status_code == 403, headers
        assert "another site" in answer.json()["Message"]


@pytest.mark.parametrize(("verb", "path"), UNSAFE)
def test_no_call_takes_what_a_form_sends(
    client: httpx2.Client, tenant: httpx2.Client, verb: str, path: str
) -> None:
    is_own = path.startswith("/cloud/self")
    asker = tenant if is_own else client
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = asker.request(
            verb,
            filled(path),
            headers={"Content-Type": kind},
            content=b"a=b",
            auth=("admin", PASSWORD),
        )
        assert answer.status_code in (404, 415), answer.text
    assert asker.get("/cloud/self" if is_own else "/tasks").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "text/xml"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://proxied.example"},
    ],
)
def test_programs_and_own_pages_are_not_in_the_way(
    client: httpx2.Client, headers: dict[str, str]
) -> None:
    (site,) = client.get("/backupServers").json()["Refs"]
    collected = client.post(f"{site['Href']}?action=collect", headers=headers)
    assert collected.status_code == 202, collected.text
    assert client.post("/sessionMngr/", headers=headers, auth=("admin", PASSWORD)).is_success


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_from_clear_lines(
    tmp_path: Path,
) -> None:
    with (
        open_listener("127.0.0.1", 0) as plain,
        running_manager(tmp_path, extras=ServerOptions(http_listener=plain)) as running,
        httpx2.Client(
            base_url=f"http://localhost:{port_of(plain)}/api", timeout=PATIENCE_SECONDS
        ) as in_clear,
    ):
        over_tls = running.client()
        for client, secure in ((over_tls, True), (in_clear, False)):
            answer = client.post("/sessionMngr/", auth=("admin", PASSWORD))
            said = answer.headers["Set-Cookie"].split("; ")
            assert said[0] == f"{SESSION_ID}={answer.headers[SESSION_ID]}"
            assert said[1] == "Path=/api"
            assert {"HttpOnly", "SameSite=Strict"} <= set(said)
            assert ("Secure" in said) is secure
            assert client.get("/tasks").status_code == 200, "by the cookie"


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])


def test_no_answer_is_kept_guessed_or_framed_by_browsers(client: httpx2.Client) -> None:
    for path in ("/", "/tasks", "/backupServers", "/nowhere", "/docs"):
        headers = client.get(path).headers
        assert headers["Cache-Control"] == "no-store", path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["X-Frame-Options"] == "DENY", path
