"""POST /cloud/gateways and what follows, with a host that answers as the test says."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from lxml import etree
from sqlalchemy import select

from cloudgate.manager.jobs.timeouts import DRAIN_MARGIN, finish_due_tasks
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.manager.servers.managed_servers import get_managed_server
from cloudgate.manager.storage.tables import BackupServer
from cloudgate.manager.tasks.operations import GATEWAY_DEADLINE
from cloudgate.protocol import GatewayState
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished, running_manager
from tests.support.waiting import PATIENCE_SECONDS

NS = {"v": "http://www.veeam.com/ent/v1.0"}
EXAMPLE_XML = """<?xml version="1.0" encoding="utf-8"?>
<CreateCloudGatewaySpec xmlns="http://www.veeam.com/ent/v1.0" \
xmlns:xsd="http://www.w3.org/2001/XMLSchema" \
xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <ServerHostName>{server}</ServerHostName>
  <Description>Cloud gateway server 01</Description>
  <ExternalPort>6180</ExternalPort>
  <NetworkType>Direct</NetworkType>
  <InternalPort>6180</InternalPort>
  <BackupServerUid>{uid}</BackupServerUid>
</CreateCloudGatewaySpec>
"""
DIRECT = {"ServerHostName": "gw1.example", "NetworkType": "Direct"}


def attributes(node: etree._Element) -> dict[str, str]:
    return {str(name): str(value) for name, value in node.attrib.items()}


def example_json(uid: str) -> dict[str, Any]:
    return {
        "ServerHostName": "gw1.example",
        "Description": "Cloud gateway server 01",
        "ExternalPort": 6180,
        "NetworkType": "Direct",
        "InternalPort": 6180,
        "BackupServerUid": uid,
    }


def backup_server_uid(running: RunningManager) -> str:
    with running.manager.reading() as work:
        return f"urn:veeam:BackupServer:{work.session.scalars(select(BackupServer.id)).one()}"


def created(client: httpx2.Client, host: ScriptedHost, **spec: Any) -> dict[str, Any]:
    """The entity of a new gateway."""
    task = client.post("/cloud/gateways", json={**DIRECT, **spec}).raise_for_status().json()
    host.obey()
    related = finished(client, task)["Links"][1]["Href"]
    entity: dict[str, Any] = client.get(related).raise_for_status().json()
    return entity


def path_of(entity: dict[str, Any]) -> str:
    """Where an entity is, without a query."""
    return str(entity["Href"]).partition("?")[0]


def test_the_xml_example_of_the_contract_makes_a_gateway(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on(accept="*/*")
    uid = backup_server_uid(running)
    body = EXAMPLE_XML.format(server="192.0.2.10", uid=uid)
    answer = client.post(
        "/cloud/gateways", content=body, headers={"Content-Type": "application/xml"}
    )

    assert answer.status_code == 202
    assert answer.headers["Content-Type"] == "application/xml"
    assert int(answer.headers["Content-Length"]) == len(answer.content)
    task = etree.fromstring(answer.content)
    href = f"{running.url}/api/tasks/task-1"
    assert task.tag == "{http://www.veeam.com/ent/v1.0}Task"
    assert attributes(task) == {"Href": href, "Type": "Task"}
    assert [attributes(link) for link in task.iterfind("v:Links/v:Link", NS)] == [
        {"Rel": "Delete", "Type": "Task", "Href": href}
    ]
    assert task.findtext("v:TaskId", namespaces=NS) == "task-1"
    assert task.findtext("v:State", namespaces=NS) == "Running"
    assert task.findtext("v:Operation", namespaces=NS) == "CreateCloudGateway"
    assert task.find("v:Result", NS) is None

    host.obey()
    finished(running.logged_on(), {"Href": href})
    task = etree.fromstring(client.get(href).raise_for_status().content)
    assert [etree.QName(child).localname for child in task] == [
        "Links",
        "TaskId",
        "State",
        "Operation",
        "Result",
    ]
    delete, related = (attributes(link) for link in task.iterfind("v:Links/v:Link", NS))
    assert delete == {"Rel": "Delete", "Type": "Task", "Href": href}
    assert (related["Rel"], related["Type"], related["Name"]) == ("Related", "CloudGateway", "")
    assert re.fullmatch(
        re.escape(f"{running.url}/api/cloud/gateways/") + r"[0-9a-f-]{36}\?format=Entity",
        related["Href"],
    )
    assert task.findtext("v:State", namespaces=NS) == "Finished"
    result = task.find("v:Result", NS)
    assert result is not None
    assert attributes(result) == {"Success": "true"}
    assert result.findtext("v:Message", namespaces=NS) == "Ok"

    entity = etree.fromstring(client.get(related["Href"]).raise_for_status().content)
    values = {etree.QName(child).localname: child.text for child in list(entity)[1:]}
    assert entity.get("Name") == "192.0.2.10"
    assert list(values.items())[:6] == [
        ("Enabled", "true"),
        ("NetworkMode", "Direct"),
        ("ExternalIP", "192.0.2.10"),
        ("ExternalPort", "6180"),
        ("InternalPort", "6180"),
        ("Description", "Cloud gateway server 01"),
    ]


def test_the_json_example_of_the_contract_makes_a_gateway(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    uid = backup_server_uid(running)
    answer = client.post("/cloud/gateways", json=example_json(uid))
    href = f"{running.url}/api/tasks/task-1"
    assert answer.status_code == 202
    assert answer.json() == {
        "TaskId": "task-1",
        "State": "Running",
        "Operation": "CreateCloudGateway",
        "Links": [{"Rel": "Delete", "Href": href, "Type": "Task"}],
        "Href": href,
        "Type": "Task",
    }
    host.obey()
    task = finished(client, answer.json())
    assert task["Result"] == {"Success": True, "Message": "Ok"}
    related = task["Links"][1]
    entity = client.get(related["Href"]).json()
    gateway_href = related["Href"].removesuffix("?format=Entity")
    gateway_id = gateway_href.rpartition("/")[2]
    site = f"{running.url}/api/backupServers/{uid.rpartition(':')[2]}"
    assert (entity.pop("State"), entity.pop("LiveTunnels")) == ("Listening", 0)
    assert "192.0.2.10" in entity.pop("Warning"), "only the machine says that it has this address"
    assert entity == {
        "Enabled": True,
        "NetworkMode": "Direct",
        "ExternalIP": "192.0.2.10",
        "ExternalPort": 6180,
        "InternalPort": 6180,
        "Description": "Cloud gateway server 01",
        "Name": "gw1.example",
        "UID": f"urn:veeam:CloudGateway:{gateway_id}",
        "Links": [
            {"Rel": "Up", "Href": site, "Name": "localhost", "Type": "BackupServerReference"},
            {
                "Rel": "Alternate",
                "Href": gateway_href,
                "Name": "gw1.example",
                "Type": "CloudGatewayReference",
            },
            {
                "Rel": "Edit",
                "Href": gateway_href,
                "Name": "gw1.example",
                "Type": "CloudGatewayReference",
            },
            {"Rel": "Delete", "Href": gateway_href},
        ],
        "Href": related["Href"],
        "Type": "CloudGateway",
    }


def test_defaults_are_those_of_the_contract(running: RunningManager, host: ScriptedHost) -> None:
    entity = created(running.logged_on(), host)
    assert entity["ExternalPort"] == 6180
    assert entity["InternalPort"] == 8080
    assert entity["ExternalIP"] == "192.0.2.10"
    assert entity["Description"].startswith("Created by admin at ")
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    assert host.assignment.gateway.port == 6180
    assert host.assignment.gateway.addresses == ()


def test_empty_optional_elements_are_as_if_left_out(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    body = (
        '<CreateCloudGatewaySpec xmlns="http://www.veeam.com/ent/v1.0" Href="x">'
        "<BackupServerIdOrName/><ServerHostName>GW1.example</ServerHostName><Description/>"
        "<ExternalIp></ExternalIp><ExternalPort/><NetworkType>Direct</NetworkType>"
        "<InternalPort/><BackupServerUid/></CreateCloudGatewaySpec>\n"
    )
    answer = client.post("/cloud/gateways", content=body, headers={"Content-Type": "text/xml"})
    assert answer.status_code == 202
    host.obey()
    related = finished(client, answer.json())["Links"][1]["Href"]
    entity = client.get(related).json()
    assert (entity["ExternalPort"], entity["InternalPort"]) == (6180, 8080)
    assert entity["Name"] == "GW1.example"


def test_behind_nat_the_gateway_listens_on_the_internal_port_and_shows_the_external_address(
    running: RunningManager, host: ScriptedHost
) -> None:
    entity = created(
        running.logged_on(),
        host,
        NetworkType="NAT",
        ExternalIp="Gate.Provider.example",
        ExternalPort=443,
        InternalPort=7000,
    )
    assert (entity["NetworkMode"], entity["ExternalIP"]) == ("NAT", "gate.provider.example")
    assert host.assignment is not None
    wanted = host.assignment.gateway
    assert wanted is not None
    assert (wanted.port, wanted.addresses) == (7000, ())
    leaf = x509.load_pem_x509_certificates(wanted.certificate_chain_pem.encode())[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) == {
        "gw1.example",
        "gate.provider.example",
    }
    assert {str(found) for found in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1"}


def test_a_direct_gateway_listens_on_the_address_that_was_given(
    running: RunningManager, host: ScriptedHost
) -> None:
    created(running.logged_on(), host, ExternalIp="192.0.2.10")
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    assert host.assignment.gateway.addresses == ("192.0.2.10",)


@pytest.mark.parametrize("name", ["192.0.2.10", "GW1.EXAMPLE", "gw1.example."])
def test_a_server_is_found_by_its_name_and_addresses(
    running: RunningManager, host: ScriptedHost, name: str
) -> None:
    answer = running.logged_on().post("/cloud/gateways", json={**DIRECT, "ServerHostName": name})
    assert answer.status_code == 202


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_loopback_names_mean_the_managers_own_machine_only(
    running: RunningManager, host: ScriptedHost, name: str
) -> None:
    client = running.logged_on()
    spec = {**DIRECT, "ServerHostName": name}
    assert client.post("/cloud/gateways", json=spec).status_code == 404
    own = ScriptedHost(running, "own.example", local=True)
    assert client.post("/cloud/gateways", json=spec).status_code == 202
    own.close()


def test_a_failure_that_the_host_reports_ends_the_task_and_leaves_no_gateway(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    task = client.post("/cloud/gateways", json=DIRECT).json()
    host.obey(GatewayState.FAILED, "Port 6180 is taken.")
    ended = finished(client, task)
    assert ended["Result"] == {"Success": False, "Message": "Port 6180 is taken."}
    assert len(ended["Links"]) == 1
    assert client.get("/cloud/gateways").json() == {"Refs": []}
    assert host.poll().assignment is not None
    assert host.assignment is not None
    assert host.assignment.gateway is None
    assert client.post("/cloud/gateways", json=DIRECT).status_code == 202


def test_a_host_that_does_not_answer_ends_the_task_with_the_reason(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    task = client.post("/cloud/gateways", json=DIRECT).json()
    running.clock.ahead = timedelta(seconds=15)
    running.wake()
    ended = finished(client, task)
    assert ended["Result"]["Success"] is False
    assert "gw1.example did not answer in time" in ended["Result"]["Message"]
    assert client.get("/cloud/gateways").json() == {"Refs": []}


def test_a_report_about_an_older_assignment_changes_nothing(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    task = client.post("/cloud/gateways", json=DIRECT).json()
    host.poll()
    assert host.assignment is not None
    host.report(revision=host.assignment.revision - 1)
    assert client.get(task["Href"]).json()["State"] == "Running"


def test_a_gateway_is_edited_and_keeps_what_was_not_said(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    entity = created(client, host)
    task = client.put(f"/cloud/gateways/{entity['UID']}", json={"Description": "Moved"}).json()
    assert task["Operation"] == "EditCloudGateway"
    host.obey()
    assert finished(client, task)["Result"]["Success"] is True
    again = client.get(entity["Href"]).json()
    assert again == {**entity, "Description": "Moved"}


def test_a_gateway_is_told_which_load_balancers_may_say_for_whom_they_ask(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    networks = {"Networks": ["192.0.2.0/24", "2001:db8::7"]}
    entity = created(client, host, ProxyProtocolNetworks=networks)
    shown = {"Networks": ["192.0.2.0/24", "2001:db8::7/128"]}
    assert entity["ProxyProtocolNetworks"] == shown
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    assert host.assignment.gateway.proxy_networks == ("192.0.2.0/24", "2001:db8::7/128")
    for body, left in (
        (entity, shown),
        ({"ProxyProtocolNetworks": {"Networks": ["10.0.0.1"]}}, {"Networks": ["10.0.0.1/32"]}),
        ({"ProxyProtocolNetworks": {"Networks": []}}, None),
    ):
        task = client.put(path_of(entity), json=body).raise_for_status().json()
        host.obey()
        finished(client, task)
        entity = client.get(entity["Href"]).json()
        assert entity.get("ProxyProtocolNetworks") == left
    wrong = {"ProxyProtocolNetworks": {"Networks": ["192.0.2.7/24"]}}
    answer = client.put(path_of(entity), json=wrong)
    assert answer.status_code == 400
    assert "bits behind its prefix" in answer.json()["Message"]


def test_an_entity_that_was_read_can_be_sent_back_whole(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    entity = created(client, host)
    body = client.get(entity["Href"], headers={"Accept": "application/xml"}).content
    for content, kind in ((body, "application/xml"), (None, "application/json")):
        answer = (
            client.put(entity["Href"], content=content, headers={"Content-Type": kind})
            if content
            else client.put(entity["Href"], json=entity)
        )
        assert answer.status_code == 202
        host.obey()
        assert finished(client, answer.json())["Result"]["Success"] is True
    assert client.get(entity["Href"]).json() == entity
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    assert host.assignment.gateway.addresses == ()


@pytest.mark.parametrize("empty", [{"ExternalIP": ""}, {"ExternalIP": None}, {}])
def test_an_empty_external_address_is_as_if_left_out(
    running: RunningManager, host: ScriptedHost, empty: dict[str, Any]
) -> None:
    client = running.logged_on()
    entity = created(client, host, ExternalIp="gate.example")
    edited = client.put(entity["Href"], json={**empty, "Description": "d"}).json()
    host.obey()
    assert finished(client, edited)["Result"]["Success"] is True
    assert client.get(entity["Href"]).json()["ExternalIP"] == "gate.example"


@pytest.mark.parametrize("empty", [{"ExternalIP": ""}, {}])
def test_from_nat_to_direct_the_hosts_own_address_is_filled_in_as_for_a_new_gateway(
    running: RunningManager, host: ScriptedHost, empty: dict[str, Any]
) -> None:
    client = running.logged_on()
    entity = created(client, host, NetworkType="NAT", ExternalIp="nat.example", InternalPort=7000)
    edited = client.put(entity["Href"], json={**empty, "NetworkMode": "Direct"}).json()
    host.obey()
    assert finished(client, edited)["Result"]["Success"] is True
    assert client.get(entity["Href"]).json()["ExternalIP"] == "192.0.2.10"


def test_an_entity_that_was_read_can_be_sent_back_whole_in_the_other_mode(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    entity = created(client, host)
    for mode, listened_at in (("NAT", 8080), ("Direct", 6180)):
        sent = client.get(entity["Href"]).json() | {"NetworkMode": mode}
        answer = client.put(entity["Href"], json=sent)
        assert answer.status_code == 202, answer.text
        host.obey()
        assert finished(client, answer.json())["Result"]["Success"] is True
        found = client.get(entity["Href"]).json()
        assert (found["NetworkMode"], found["ExternalIP"]) == (mode, "192.0.2.10")
        assert host.assignment is not None
        assert host.assignment.gateway is not None
        assert (host.assignment.gateway.addresses, host.assignment.gateway.port) == (
            (),
            listened_at,
        )


def test_a_direct_gateway_is_put_behind_nat_at_the_address_that_is_shown(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    entity = created(client, host)
    change = {"NetworkMode": "NAT", "ExternalIP": entity["ExternalIP"]}
    answer = client.put(entity["Href"], json=change)
    assert answer.status_code == 202, answer.text
    host.obey()
    assert finished(client, answer.json())["Result"]["Success"] is True


def test_an_external_address_is_set_back_while_another_one_is_on_its_way(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    entity = created(client, host, NetworkType="NAT", ExternalIp="a.example")
    for address in ("b.example", "a.example"):
        answer = client.put(entity["Href"], json={"ExternalIP": address}).raise_for_status()
    host.obey()
    assert finished(client, answer.json())["Result"]["Success"] is True
    assert client.get(entity["Href"]).json()["ExternalIP"] == "a.example"


def test_an_edit_that_fails_leaves_the_old_settings_in_force(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    entity = created(client, host)
    task = client.put(entity["Href"], json={"ExternalPort": 6200}).json()
    assert client.get(entity["Href"]).json() == {**entity, "State": "Starting"}
    host.obey(GatewayState.FAILED, "Port 6200 is taken.")
    assert finished(client, task)["Result"]["Message"] == "Port 6200 is taken."
    assert client.get(entity["Href"]).json() == {**entity, "State": "Starting"}
    host.obey()
    assert client.get(entity["Href"]).json() == entity
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    assert host.assignment.gateway.port == 6180


def test_a_disabled_gateway_accepts_nobody_and_stays(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    entity = created(client, host)
    task = client.put(entity["Href"], json={"Enabled": False}).json()
    host.poll()
    assert host.assignment is not None
    assert host.assignment.gateway is not None
    assert host.assignment.gateway.accepting is False
    host.report(GatewayState.DRAINING, live_tunnels=1)
    assert client.get(task["Href"]).json()["State"] == "Running"
    host.report(GatewayState.CLOSED)
    assert finished(client, task)["Result"]["Success"] is True
    assert client.get(entity["Href"]).json()["Enabled"] is False


def test_a_deleted_gateway_is_gone_and_its_server_stays(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    entity = created(client, host)
    answer = client.delete(entity["Href"])
    assert answer.status_code == 202
    assert answer.json()["Operation"] == "DeleteCloudGateway"
    host.obey(GatewayState.ABSENT)
    task = finished(client, answer.json())
    assert task["Result"] == {"Success": True, "Message": "Ok"}
    assert len(task["Links"]) == 1
    assert client.get(entity["Href"]).status_code == 404
    assert len(client.get("/managedServers").json()["Refs"]) == 1


def test_draining_keeps_the_task_running_past_its_deadline(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    entity = created(client, host)
    task = client.delete(entity["Href"]).json()
    host.poll()
    for _ in range(3):
        running.clock.ahead += timedelta(seconds=10)
        host.report(GatewayState.DRAINING, live_tunnels=2).raise_for_status()
        running.wake()
    assert client.get(task["Href"]).json()["State"] == "Running"
    host.report(GatewayState.ABSENT)
    assert finished(client, task)["Result"]["Success"] is True


@pytest.mark.parametrize("closing", ["DELETE", "PUT"])
def test_a_drain_goes_on_though_its_host_is_silent_or_the_manager_was_away(
    tmp_path: Path, closing: str
) -> None:
    with running_manager(tmp_path) as running:
        host = ScriptedHost(running)
        client = running.logged_on()
        href = path_of(created(client, host))
        body = {"Enabled": False} if closing == "PUT" else None
        task = client.request(closing, f"{href}?drainSeconds=3600", json=body).json()
        host.poll()
        host.report(GatewayState.DRAINING, live_tunnels=2).raise_for_status()
        running.clock.ahead += timedelta(minutes=10)
        running.wake()
        host.client.close()
    with running_manager(tmp_path, site=None) as again:
        again.clock.ahead = timedelta(hours=1)
        again.wake()
        client = again.logged_on()
        path = str(task["Href"]).partition("/api")[2]
        assert client.get(path).json()["State"] == "Running"
        credential = host.client.headers["Authorization"]
        host.client = httpx2.Client(
            base_url=f"{again.url}/host/v1", verify=again.context, timeout=PATIENCE_SECONDS
        )
        host.client.headers["Authorization"] = credential
        assert host.assignment is not None
        assert (host.assignment.drain_seconds, bool(host.assignment.drain)) == (3600, True)
        state = GatewayState.ABSENT if closing == "DELETE" else GatewayState.CLOSED
        host.report(state, finished_tunnels=1, closed_tunnels=1).raise_for_status()
        host.close()
        ended = finished(client, {"Href": f"/api{path}".removeprefix("/api")})
        assert ended["Result"]["Success"] is True
        assert "1 finished by themselves and 1 were closed" in ended["Result"]["Message"]


CLOSINGS = pytest.mark.parametrize("closing", ["DELETE", "PUT"])
"""A gateway is closed as it is deleted, and as it is disabled."""


def draining(
    client: httpx2.Client, host: ScriptedHost, closing: str, seconds: str = ""
) -> tuple[str, dict[str, Any]]:
    """Where a gateway is that drains, with two tunnels left, and the task about it."""
    href = path_of(created(client, host))
    body = {"Enabled": False} if closing == "PUT" else None
    answer = client.request(closing, f"{href}{seconds}", json=body)
    host.poll()
    host.report(GatewayState.DRAINING, live_tunnels=2).raise_for_status()
    return href, answer.raise_for_status().json()


def later(running: RunningManager, span: timedelta, task: dict[str, Any]) -> dict[str, Any]:
    """A task, once so much time has passed and all has ended that is due then."""
    running.clock.ahead += span
    with running.manager.changing() as work:
        finish_due_tasks(work)
    found: dict[str, Any] = running.logged_on().get(task["Href"]).raise_for_status().json()
    return found


@CLOSINGS
def test_a_drain_whose_host_has_gone_ends_soon_after_its_deadline_and_says_what_to_do(
    running: RunningManager, host: ScriptedHost, closing: str
) -> None:
    client = running.logged_on()
    href, task = draining(client, host, closing, "?drainSeconds=3600")
    soon = timedelta(hours=1) + DRAIN_MARGIN / 2
    assert later(running, soon, task)["State"] == "Running"
    ended = later(running, DRAIN_MARGIN / 2, task)
    assert ended["State"] == "Finished"
    assert ended["Result"]["Success"] is False
    said = ended["Result"]["Message"]
    assert "gw1.example has not said how; it had 2 tunnels left when it was heard of last" in said
    assert "cloudgate server revoke gw1.example" in said
    assert "cloudgate gateway delete gw1.example" in said
    assert host.assignment is not None
    with running.manager.reading() as work:
        wanted = get_managed_server(work, host.server_id).assignment_revision
    assert wanted == host.assignment.revision, "it stays closed"
    host.report(GatewayState.ABSENT if closing == "DELETE" else GatewayState.CLOSED)
    known = running.logged_on().get(f"{href}?format=Entity")
    assert known.status_code == (404 if closing == "DELETE" else 200)
    assert closing == "DELETE" or known.json()["Enabled"] is False


def test_a_drain_goes_on_after_its_deadline_while_its_host_is_there(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    _, task = draining(client, host, "DELETE", "?drainSeconds=60")
    # It is never silent for so long that it could be taken to be away.
    step = ONLINE_FOR / 2
    for _ in range((timedelta(seconds=60) + DRAIN_MARGIN) // step + 1):
        running.clock.ahead += step
        host.report(GatewayState.DRAINING, live_tunnels=1).raise_for_status()
    assert later(running, GATEWAY_DEADLINE, task)["State"] == "Running"


def revoked_while_draining(
    running: RunningManager, client: httpx2.Client, host: ScriptedHost, closing: str
) -> tuple[str, dict[str, Any]]:
    """Where a gateway is whose server was revoked, and the task about it, which has ended."""
    href, task = draining(client, host, closing)
    client.post(f"/managedServers/{host.server_id}?action=revoke").raise_for_status()
    ended = later(running, GATEWAY_DEADLINE, task)
    assert ended["State"] == "Finished"
    return href, ended


def test_the_drain_of_a_deleted_gateway_ends_with_its_server_revoked_and_so_does_the_gateway(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    href, ended = revoked_while_draining(running, client, host, "DELETE")
    assert ended["Result"]["Success"] is True
    assert "was revoked before its tunnels had ended" in ended["Result"]["Message"]
    assert "it had 2 tunnels left" in ended["Result"]["Message"]
    assert client.get(href).status_code == 404
    assert client.delete(f"/managedServers/{host.server_id}").is_success


def test_the_drain_of_a_disabled_gateway_ends_with_its_server_revoked(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    href, ended = revoked_while_draining(running, client, host, "PUT")
    assert ended["Result"]["Success"] is False
    assert "gw1.example was revoked while its gateway drained" in ended["Result"]["Message"]
    assert "cloudgate gateway delete gw1.example" in ended["Result"]["Message"]
    deleted = client.delete(href).json()
    assert finished(client, deleted)["Result"]["Success"] is True
    assert client.get(href).status_code == 404


def test_a_draining_gateway_that_is_deleted_while_its_host_is_away_waits_for_no_drain(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    href, _ = draining(client, host, "PUT")
    running.clock.ahead += timedelta(minutes=10)
    deleted = client.delete(href).raise_for_status().json()
    ended = later(running, GATEWAY_DEADLINE, deleted)
    assert ended["State"] == "Finished"
    assert ended["Result"]["Success"] is False
    assert "gw1.example is away, and was not told of this" in ended["Result"]["Message"]
    host.obey(GatewayState.ABSENT)
    assert client.get(href).status_code == 404


def test_a_change_that_closes_nothing_leaves_a_drain_alone(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    href = path_of(created(client, host))

    def after(change: dict[str, object], seconds: str = "") -> tuple[str, float]:
        client.put(f"{href}{seconds}", json=change).raise_for_status()
        host.poll()
        assert host.assignment is not None
        host.report(GatewayState.DRAINING, live_tunnels=1).raise_for_status()
        return host.assignment.drain, host.assignment.drain_seconds

    first = after({"Enabled": False}, "?drainSeconds=60")
    assert first[1] == 60
    assert after({"Description": "new"}) == first
    second = after({"Enabled": False}, "?drainSeconds=120")
    assert (second[0] != first[0], second[1]) == (True, 120)
    client.put(href, json={"Enabled": True}).raise_for_status()
    host.obey()
    third = after({"Enabled": False})
    assert (third[0] not in {first[0], second[0]}, third[1]) == (True, 8 * 3600)


@pytest.mark.parametrize("seconds", ["x", "-1", "1.5", "2592001"])
def test_a_drain_of_no_number_of_seconds_is_refused(
    running: RunningManager, host: ScriptedHost, seconds: str
) -> None:
    client = running.logged_on()
    href = path_of(created(client, host))
    answer = client.put(f"{href}?drainSeconds={seconds}", json={"Enabled": False})
    assert answer.status_code == 400
    assert "drainSeconds" in answer.json()["Message"]
    assert client.get(f"{href}?format=Entity").json()["Enabled"] is True


def test_the_later_of_two_changes_wins_and_both_tasks_end(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    entity = created(client, host)
    first = client.put(entity["Href"], json={"ExternalPort": 6200}).json()
    second = client.put(entity["Href"], json={"ExternalPort": 6300}).json()
    host.obey()
    assert "Replaced by task-3" in finished(client, first)["Result"]["Message"]
    assert finished(client, second)["Result"]["Success"] is True
    assert client.get(entity["Href"]).json()["ExternalPort"] == 6300


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"ServerHostName": "other.example"}, 404, "must be added there as a managed server first"),
        (
            {"BackupServerUid": "urn:veeam:BackupServer:29e5d158-1f58-44bc-bbaa-2752d787a91d"},
            404,
            "no backup server",
        ),
        ({"BackupServerIdOrName": "nowhere"}, 404, "no backup server named 'nowhere'"),
        ({"NetworkType": "NAT"}, 400, "ExternalIp is missing"),
        ({"NetworkType": "NAT", "ExternalIp": ""}, 400, "ExternalIp is missing"),
        ({"ExternalIp": "not a host"}, 400, "expected an IPv4 or IPv6 address or a DNS name"),
        ({"ExternalIp": "0.0.0.0"}, 400, "is the address of no host"),
        (
            {"BackupServerUid": "urn:veeam:CloudTenant:29e5d158-1f58-44bc-bbaa-2752d787a91d"},
            400,
            "not the UID of a BackupServer",
        ),
    ],
)
def test_what_cannot_be_a_gateway_is_refused_with_the_reason(
    running: RunningManager, host: ScriptedHost, change: dict[str, str], status: int, words: str
) -> None:
    client = running.logged_on()
    answer = client.post("/cloud/gateways", json={**DIRECT, **change})
    assert answer.status_code == status
    assert words in answer.json()["Message"]
    assert client.get("/tasks").json() == {"Tasks": []}


def test_a_server_that_is_a_gateway_already_is_refused(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    created(client, host)
    answer = client.post("/cloud/gateways", json=DIRECT)
    assert answer.status_code == 400
    assert "is a cloud gateway already" in answer.json()["Message"]


def test_a_backup_server_may_be_named_in_both_ways_if_it_is_the_same(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    other = client.post(
        "/backupServers?action=create",
        json={"Description": "", "DnsNameOrIpAddress": "other", "Username": "u", "Password": "p"},
    )
    assert other.status_code == 201
    uid = backup_server_uid_named(client, "localhost")
    both = {**DIRECT, "BackupServerUid": uid, "BackupServerIdOrName": "other"}
    refused = client.post("/cloud/gateways", json=both)
    assert (refused.status_code, "give one of the two" in refused.json()["Message"]) == (400, True)
    neither = client.post("/cloud/gateways", json=DIRECT)
    assert neither.status_code == 400
    assert "BackupServerUid is missing" in neither.json()["Message"]
    same = {**DIRECT, "BackupServerUid": uid, "BackupServerIdOrName": "LOCALHOST"}
    assert client.post("/cloud/gateways", json=same).status_code == 202


def backup_server_uid_named(client: httpx2.Client, name: str) -> str:
    refs = client.get("/backupServers").json()["Refs"]
    return next(str(ref["UID"]) for ref in refs if ref["Name"] == name)
