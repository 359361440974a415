"""Do manager and hosts of neighbouring releases understand each other? Their words are kept here.

Each message is what a release before this one says: the members that have always been there, and
none that were added. Who adds a member gives it a default, or these tests fail.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from cloudgate import protocol
from cloudgate.manager.servers.backup_servers import list_backup_servers
from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.protocol import PROTOCOL, Document
from tests.support.running.host import ScriptedHost, public_key_pem
from tests.support.running.manager import RunningManager

ONE, OTHER = "7d1f6b52-64a5-4c51-8f0a-5d8f0bb0a001", "7d1f6b52-64a5-4c51-8f0a-5d8f0bb0a002"
FACTS = """{"host_name": "gw1.example", "addresses": ["192.0.2.10"], "platform": "Linux",
 "version": "0.0.9", "envoy_version": "1.39.0", "public_key_pem": "PEM"}"""
UPDATE = f"""{{"assignment": {{"revision": 7, "gateway": {{"gateway_id": "{ONE}", "port": 6180,
  "certificate_chain_pem": "PEM"}}}},
 "directory": {{"from_revision": 3, "revision": 4, "tenants": [{{"tenant_id": "{ONE}",
  "name": "acme", "password_hash": "$argon2id$", "users": [{{"user_id": "{OTHER}", "name": "u",
  "password_hash": ""}}], "targets": [{{"endpoint": "vault.example:8443",
  "address": "10.0.0.2:8443"}}]}}]}},
 "site": {{"revision": 2, "gateways": [{{"gateway_id": "{ONE}", "name": "gw1",
  "address": "203.0.113.1", "port": 6180}}], "maintenance": {{"message": "back soon"}}}},
 "question": {{"question": "q", "measure": {{"base": "/vault", "parts": ["acme"],
  "limit_seconds": 60}}}}, "credential": "next"}}"""
USAGE = f"""{{"batch": "b1", "usage": [{{"minute": "2026-01-01T00:00:00Z", "tenant_id": "{ONE}",
 "target": "vault.example:8443", "tunnels": 1, "bytes_up": 2, "bytes_down": 3}}]}}"""
ANSWER = f"""{{"question": "q", "tunnels": [{{"tunnel": "t1", "tenant_id": "{ONE}",
 "target": "vault.example:8443", "client": "198.51.100.7:50000",
 "started_at": "2026-01-01T00:00:00Z", "bytes_up": 2, "bytes_down": 3}}]}}"""
REPORT = '{"assignment_revision": 0, "directory_revision": 0, "state": "absent"}'
DEMAND = f'{{"demands": [{{"tenant_id": "{ONE}", "sent_bytes": 5}}]}}'
MESSAGES = {
    "JoinRequest": f'{{"token": "t", "facts": {FACTS}}}',
    "JoinAnswer": f'{{"server_id": "{ONE}", "credential": "c"}}',
    "PollRequest": "{}",
    "Update": UPDATE,
    "Report": REPORT,
    "UsageBatch": USAGE,
    "DemandReport": DEMAND,
    "Allowances": f'{{"allowances": [{{"tenant_id": "{ONE}", "limit_bytes": 5}}]}}',
    "Answer": ANSWER,
}


def read(kind: str) -> Any:
    message: type[Document] = getattr(protocol, kind)
    return message.model_validate_json(MESSAGES[kind])


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_message_of_the_release_before_is_read(kind: str) -> None:
    found = read(kind)
    assert getattr(found, "protocol", PROTOCOL) == PROTOCOL


def test_what_the_release_before_does_not_say_of_a_gateway_and_its_tenants_opens_no_door() -> None:
    update = read("Update")
    assert update.assignment.drain_seconds == timedelta(hours=8).total_seconds()
    gateway = update.assignment.gateway
    assert (gateway.accepting, gateway.pool_id, gateway.private_key_pem) == (True, None, None)
    (tenant,) = update.directory.tenants
    assert tenant.enabled
    assert tenant.pool_ids == ()
    assert not tenant.failover_to_others
    assert tenant.users[0].targets == ()
    assert update.site.maintenance.restores


@pytest.mark.parametrize(
    ("call", "kind", "status"),
    [
        ("poll", "PollRequest", 200),
        ("report", "Report", 204),
        ("usage", "UsageBatch", 204),
        ("demand", "DemandReport", 200),
        ("answer", "Answer", 204),
    ],
)
def test_a_host_of_the_release_before_is_listened_to(
    running: RunningManager, host: ScriptedHost, call: str, kind: str, status: int
) -> None:
    with running.manager.changing() as work:
        site = list_backup_servers(work)[0]
        acme = CloudTenant(
            id=UUID(ONE), backup_server_id=site.id, name="acme", login="acme", directory_revision=1
        )
        work.session.add(acme)
    answer = host.client.post(f"/{call}", content=MESSAGES[kind])
    assert answer.status_code == status, answer.text


def test_a_host_of_the_release_before_joins(running: RunningManager, host: ScriptedHost) -> None:
    client = running.logged_on()
    renewed = client.post(f"/managedServers/{host.server_id}?action=renewJoinToken").json()
    body = read("JoinRequest").model_dump(mode="json", exclude_unset=True)
    body["token"] = renewed["JoinToken"]
    body["facts"]["public_key_pem"] = public_key_pem()
    answer = host.client.post("/join", json=body).raise_for_status()
    assert UUID(answer.json()["server_id"]) == host.server_id
    shown = client.get(f"/managedServers/{host.server_id}?format=Entity").json()
    assert shown["Version"] == "0.0.9"


@pytest.mark.parametrize("kind", MESSAGES)
def test_what_a_newer_side_says_besides_is_passed_over(kind: str) -> None:
    message: type[Document] = getattr(protocol, kind)
    said = message.model_validate_json(MESSAGES[kind]).model_dump(mode="json")
    newer = message.model_validate({**said, "added_in_the_next_release": {"a": [1]}})
    assert newer.model_dump(mode="json") == said
