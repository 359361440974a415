"""A manager that stood still, or whose clock was set forward, blames no host for that."""

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.jobs.presence_persistence import persist_presence
from cloudgate.manager.jobs.timeouts import finish_due_tasks
from cloudgate.manager.registries.hosts.host_registry import HostRegistry
from cloudgate.manager.registries.hosts.listening_time import ListeningTime
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.tasks.operations import GATEWAY_DEADLINE
from cloudgate.protocol import GatewayState
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import Clock, RunningManager, finished, first_start

STILL = pytest.mark.parametrize("seconds", [30, 600], ids=["a while", "long"])


def stand_still(running: RunningManager, seconds: float) -> None:
    """And then see at once what is over."""
    running.clock.stepped += timedelta(seconds=seconds)
    look(running)


def look(running: RunningManager) -> None:
    with running.manager.changing() as work:
        finish_due_tasks(work)
    with running.manager.changing() as work:
        persist_presence(work)


def state_of(client: httpx2.Client, task: dict[str, Any]) -> str:
    return str(client.get(task["Href"]).raise_for_status().json()["State"])


def asked_for(client: httpx2.Client, host: ScriptedHost) -> dict[str, Any]:
    """The task of a gateway that is to be made."""
    spec = {"ServerHostName": host.name, "NetworkType": "Direct"}
    task: dict[str, Any] = client.post("/cloud/gateways", json=spec).raise_for_status().json()
    return task


@STILL
def test_a_change_of_a_gateway_has_all_of_its_time_again(
    running: RunningManager, host: ScriptedHost, seconds: float
) -> None:
    client = running.logged_on()
    task = asked_for(client, host)
    stand_still(running, seconds)
    assert state_of(client, task) == "Running"
    host.obey()
    assert finished(client, task)["Result"]["Success"], task


def test_it_fails_when_its_host_says_nothing_for_as_long_afterwards(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    task = asked_for(client, host)
    stand_still(running, 30)
    running.clock.ahead += GATEWAY_DEADLINE
    look(running)
    assert "did not answer in time" in finished(client, task)["Result"]["Message"]


@STILL
def test_a_change_of_a_tenant_waits_for_gateways_that_could_not_be_heard(
    running: RunningManager, host: ScriptedHost, seconds: float
) -> None:
    client = running.logged_on()
    made = asked_for(client, host)
    host.obey()
    assert finished(client, made)["Result"]["Success"]
    host.facts = host.facts.model_copy(update={"trouble": "A tenant's rate cannot be had."})
    host.report(GatewayState.LISTENING, facts=host.facts).raise_for_status()
    task = client.post("/cloud/tenants", json={"Name": "acme"}).raise_for_status().json()
    stand_still(running, seconds)
    assert state_of(client, task) == "Running"
    assert "It has not taken in" not in client.get("/warnings").text
    host.obey()
    assert finished(client, task)["Result"]["Message"] == "Ok"


@STILL
def test_who_was_there_is_there_until_it_was_silent_for_as_long_as_ever(
    running: RunningManager, host: ScriptedHost, seconds: float
) -> None:
    client = running.logged_on()
    host.poll()
    stand_still(running, seconds)
    href = f"/managedServers/{host.server_id}?format=Entity"
    assert client.get(href).json()["State"] == "Online"
    running.clock.ahead += ONLINE_FOR
    look(running)
    assert client.get(href).json()["State"] == "Offline"


def test_what_hosts_say_waits_while_a_change_cannot_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    shutil.copytree(first_start(), folder)
    clock, database = Clock(), Database(sqlite_url(folder / "cloudgate.db"))
    listening = ListeningTime(clock.steps)
    manager = Manager(
        database,
        open_authority(folder),
        open_sealing(folder),
        clock=clock,
        hosts=HostRegistry(clock(), listening),
    )
    try:
        with manager.changing():
            clock.stepped += timedelta(seconds=20)
        resumed_at = listening.resumed_at(clock())
        assert resumed_at is not None
        assert clock() - resumed_at < timedelta(seconds=20)
    finally:
        database.close()
