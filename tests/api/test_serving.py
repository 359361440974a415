"""Ports, proxies in front, and the audit log: what an operator sets when starting the manager."""

import json
import socket
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cloudgate.api.proxies import networks
from cloudgate.api.server import Extras, open_listener
from cloudgate.assignment import GatewayState
from cloudgate.manager.audit.outlets import FileOutlet
from tests.support.host import ScriptedHost
from tests.support.manager import PASSWORD, finished, running_manager

PATIENCE_SECONDS = 20.0


def log_on(client: httpx2.Client) -> dict[str, Any]:
    answer = client.post("/sessionMngr/?v=latest", auth=("admin", PASSWORD))
    session: dict[str, Any] = answer.raise_for_status().json()
    return session


def test_the_api_is_there_without_tls_where_that_is_wanted(tmp_path: Path) -> None:
    listener = open_listener("127.0.0.1", 0)
    url = f"http://localhost:{listener.getsockname()[1]}"
    with (
        listener,
        running_manager(tmp_path, extras=Extras(http_listener=listener)) as running,
        httpx2.Client(base_url=f"{url}/api", headers={"Accept": "application/json"}) as plain,
    ):
        session = log_on(plain)
        assert session["Href"].startswith(f"{url}/api/logonSessions/")
        over_tls = running.logged_on().get("/backupServers").json()["Refs"][0]["Href"]
        in_clear = plain.get("/backupServers").json()["Refs"][0]["Href"]
        assert over_tls.startswith(f"{running.url}/api/")
        assert in_clear.startswith(f"{url}/api/")


@pytest.mark.parametrize("trusted", [True, False])
def test_addresses_lead_back_through_a_proxy_that_is_trusted(
    tmp_path: Path, *, trusted: bool
) -> None:
    extras = Extras(trusted_proxies=networks(["127.0.0.0/8"] if trusted else []))
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


def test_the_audit_log_tells_the_life_of_a_gateway(tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    with running_manager(tmp_path, extras=Extras(audit_outlet=FileOutlet(file))) as running:
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


def read_lines(file: Path, count: int) -> list[dict[str, Any]]:
    """The lines of a file, once there are so many."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        lines = file.read_text().splitlines()
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        assert time.monotonic() < deadline, lines
        threading.Event().wait(0.02)


def test_no_packet_of_an_answer_waits_for_the_client_to_confirm_the_one_before() -> None:
    with (
        open_listener("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
    ):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
