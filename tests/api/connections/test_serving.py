"""Ports, proxies in front, and the audit log: what an operator sets when starting the manager."""

import base64
import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cloudgate.api.http.proxies import networks
from cloudgate.api.server import ServerOptions, open_listener
from cloudgate.errors import CloudgateError
from cloudgate.manager.audit import outlets
from cloudgate.manager.audit.outlets import FileOutlet
from cloudgate.manager.jobs import scheduler, threads
from cloudgate.protocol import GatewayState
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import PASSWORD, RunningManager, finished, running_manager
from tests.support.waiting import PATIENCE_SECONDS, until


def log_on(client: httpx2.Client) -> dict[str, Any]:
    answer = client.post("/sessionMngr/?v=latest", auth=("admin", PASSWORD))
    session: dict[str, Any] = answer.raise_for_status().json()
    return session


@pytest.mark.parametrize(
    ("host", "why"), [("::g", "Name or service not known"), ("192.0.2.1", "annot assign requested")]
)
def test_why_an_address_cannot_be_listened_at_is_said_in_words(host: str, why: str) -> None:
    with pytest.raises(CloudgateError, match=f"Cannot listen on {host}, port 0: .*{why}"):
        open_listener(host, 0)


def test_the_api_is_there_without_tls_where_that_is_wanted(tmp_path: Path) -> None:
    listener = open_listener("127.0.0.1", 0)
    url = f"http://localhost:{listener.getsockname()[1]}"
    with (
        listener,
        running_manager(tmp_path, extras=ServerOptions(http_listener=listener)) as running,
        httpx2.Client(
            base_url=f"{url}/api", headers={"Accept": "application/json"}, timeout=PATIENCE_SECONDS
        ) as plain,
    ):
        session = log_on(plain)
        assert session["Href"].startswith(f"{url}/api/logonSessions/")
        over_tls = running.logged_on().get("/backupServers").json()["Refs"][0]["Href"]
        in_clear = plain.get("/backupServers").json()["Refs"][0]["Href"]
        assert over_tls.startswith(f"{running.url}/api/")
        assert in_clear.startswith(f"{url}/api/")


PUBLISHED_HEADERS = {
    "Content-Type",
    "Content-Length",
    "Date",
    "Location",
    "Set-Cookie",
    "X-RestSvcSessionId",
    "WWW-Authenticate",
    "Allow",
}


def raw(running: RunningManager, request: str) -> list[str]:
    """The lines before the body of the answer to a request, as they are on the line."""
    host, _, port = running.url.removeprefix("https://").partition(":")
    with (
        socket.create_connection((host, int(port)), PATIENCE_SECONDS) as plain,
        running.context.wrap_socket(plain, server_hostname=host) as line,
    ):
        line.sendall(f"{request}\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        said = b""
        while more := line.recv(65536):
            said += more
    return said.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")


def test_header_names_are_on_the_line_as_they_are_published(tmp_path: Path) -> None:
    """Programs look for them letter by letter."""
    basic = base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
    log_on_as = "POST /api/sessionMngr/?v=latest HTTP/1.1\r\nContent-Length: 0\r\nAuthorization: "
    seen: set[str] = set()
    with running_manager(tmp_path) as running:
        for request, status in (
            (f"{log_on_as}Basic {basic}", "201"),
            (f"{log_on_as}Basic eDp5", "401"),
            ("GET /api/ HTTP/1.1", "200"),
            ("GET /api/ HTTP/1.0", "200"),
            ("GET /api/tasks HTTP/1.1", "401"),
            ("DELETE /api/tasks HTTP/1.1", "405"),
            ("GET /nothing HTTP/1.1", "404"),
            ("POST /host/v1/join HTTP/1.1\r\nContent-Length: 0", "401"),
        ):
            first, *headers = raw(running, request)
            assert first.split()[1] in (status, "400"), first
            seen |= {header.partition(":")[0] for header in headers}
    assert seen >= PUBLISHED_HEADERS
    not_published = {name.lower() for name in PUBLISHED_HEADERS}
    assert {name for name in seen if name.lower() in not_published} == PUBLISHED_HEADERS


def test_behind_a_proxy_with_a_path_links_location_and_cookie_have_it(tmp_path: Path) -> None:
    extras = ServerOptions(trusted_proxies=networks(["127.0.0.0/8"]))
    with running_manager(tmp_path, extras=extras) as running:
        proxied = running.client(
            **{"Accept": "application/json", "X-Forwarded-Prefix": "/backup/", "Host": "em.example"}
        )
        answer = proxied.post("/sessionMngr/?v=latest", auth=("admin", PASSWORD))
        root = "https://em.example/backup/api"
        assert answer.headers["Location"].startswith(f"{root}/logonSessions/")
        assert answer.headers["Set-Cookie"].partition("; ")[2].startswith("Path=/backup/api")
        for link in answer.json()["Links"]:
            assert link["Href"].startswith(f"{root}/"), link
        token = {"X-RestSvcSessionId": answer.headers["X-RestSvcSessionId"]}
        for path in ("/backupServers", "/querySvc", "/query?type=BackupServer"):
            # Whether the proxy has taken the prefix away or left it there is the same.
            stripped = proxied.get(path, headers=token)
            whole = proxied.get(f"{running.url}/backup/api{path}", headers=token)
            assert stripped.content == whole.content
            assert f"{root}/" in stripped.text
            assert "em.example/api" not in stripped.text
        own = running.logged_on()
        assert own.get("/backupServers").json()["Refs"][0]["Href"].startswith(f"{running.url}/api/")


@pytest.mark.parametrize("trusted", [True, False])
def test_addresses_lead_back_through_a_proxy_that_is_trusted(
    tmp_path: Path, *, trusted: bool
) -> None:
    extras = ServerOptions(trusted_proxies=networks(["127.0.0.0/8"] if trusted else []))
    with running_manager(tmp_path, extras=extras) as running:
        client = running.client(
            **{
                "Accept": "application/json",
                "X-Forwarded-For": "203.0.113.7",
                "X-Forwarded-Proto": "https",
                "X-Forwarded-Host": "em.example:443",
            }
        )
        href = log_on(client)["Href"]
        client.post("/backupServers?action=create", json={"DnsNameOrIpAddress": "two.example"})
        event = running.audited()[-1]
        if trusted:
            assert href.startswith("https://em.example:443/api/")
            assert event.address == "203.0.113.7"
        else:
            assert href.startswith(f"{running.url}/api/")
            assert event.address == "127.0.0.1"


def test_who_is_named_otherwise_than_by_the_proxy_gets_no_answer_but_why(tmp_path: Path) -> None:
    extras = ServerOptions(trusted_proxies=networks(["127.0.0.0/8"]))
    with running_manager(tmp_path, extras=extras) as running:
        named = {"X-Forwarded-For": "203.0.113.7", "Forwarded": "for=198.51.100.7"}
        client = running.client(**{"Accept": "application/json", **named})
        for url in ("/sessionMngr/", f"{running.url}/console/", f"{running.url}/host/v1/join"):
            answer = client.post(url, auth=("admin", PASSWORD))
            assert answer.status_code == 400
            assert "Have the proxy take away the one" in answer.json()["Message"]
        assert not [each for each in running.audited() if each.address == "198.51.100.7"]


def test_the_audit_log_tells_the_life_of_a_gateway(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    with running_manager(tmp_path, extras=ServerOptions(audit_outlet=FileOutlet(file))) as running:
        client, host = running.logged_on(), ScriptedHost(running)
        spec = {"ServerHostName": host.name, "NetworkType": "Direct", "Description": "first"}
        for state in (GatewayState.FAILED, GatewayState.LISTENING):
            task = client.post("/cloud/gateways", json=spec).json()
            host.obey(state, "Port 6180 is taken." if state is GatewayState.FAILED else "")
            task = finished(client, task)
        path = task["Links"][1]["Href"].removesuffix("?format=Entity")
        task = client.put(path, json={"Description": "second"}).json()
        host.obey()
        finished(client, task)
        task = client.delete(path).json()
        host.obey(GatewayState.ABSENT)
        finished(client, task)
        host.close()
        events = [
            (event.operation, event.success, event.message)
            for event in running.audited()
            if event.object_type == "CloudGateway"
        ]
        assert events == [
            ("CreateCloudGateway", False, "Port 6180 is taken."),
            ("CreateCloudGateway", True, "Ok"),
            ("EditCloudGateway", True, "Ok"),
            ("DeleteCloudGateway", True, "Ok"),
        ]
        lines = read_lines(file, len(running.audited()))
    edit = next(line for line in lines if line["operation"] == "EditCloudGateway")
    guid = path.rpartition("/")[2]
    assert edit["text"] == f"Cloud gateway gw1.example [{guid}] has been modified"
    assert (edit["before"], edit["after"]) == (
        {"description": "first"},
        {"description": "second"},
    )
    assert (edit["account"], edit["address"]) == ("admin", "127.0.0.1")


def test_an_audit_log_that_is_not_taken_is_told_of_and_holds_up_no_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduler, "DELIVERY_SECONDS", 0.1)
    monkeypatch.setattr(threads, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(outlets, "ANSWER_SECONDS", PATIENCE_SECONDS)
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as syslog:
        syslog.bind(str(path))
        _fill(path)
        extras = ServerOptions(audit_outlet=outlets.SyslogOutlet(path))
        with running_manager(tmp_path / "data", extras=extras) as running:
            client = running.logged_on()
            until(lambda: "none of it was taken within 0.1 seconds" in client.get("/warnings").text)


def _fill(path: Path) -> None:
    """Send to a socket that nobody reads, until it takes nothing more of anybody."""
    sent = True
    while sent:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.connect(str(path))
            sent = False
            with suppress(BlockingIOError):
                while True:
                    sender.send(b"x")
                    sent = True


def read_lines(file: Path, count: int) -> list[dict[str, Any]]:
    """The lines of a file, once there are so many."""

    def lines() -> list[str]:
        return file.read_text().splitlines()

    until(lambda: len(lines()) >= count, said=lines)
    return [json.loads(line) for line in lines()]


def test_no_packet_of_an_answer_waits_for_the_client_to_confirm_the_one_before() -> None:
    with (
        open_listener("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
