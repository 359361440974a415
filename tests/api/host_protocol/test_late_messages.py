"""What a host said on a line that broke comes after what it said since: does it change nothing?"""

from typing import Any
from uuid import UUID

import httpx2
import pytest

from cloudgate.manager.registries.limits import slot_tokens
from cloudgate.manager.registries.message_order import HEARD_WITHIN
from cloudgate.manager.servers.facts import facts_of, report_of
from cloudgate.manager.storage.tables import ManagedServer
from cloudgate.protocol import (
    Allowances,
    Demand,
    DemandReport,
    Figures,
    GatewayState,
    HostFacts,
    Report,
    TenantFigures,
)
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished


def known(running: RunningManager, host: ScriptedHost) -> tuple[Report, HostFacts | None]:
    with running.manager.reading() as work:
        server = work.session.get_one(ManagedServer, host.server_id)
        return report_of(server), facts_of(server)


def make_gateway(running: RunningManager, host: ScriptedHost) -> None:
    client = running.logged_on()
    uid = client.get("/backupServers?format=Entity").json()["BackupServers"][0]["UID"]
    spec = {"ServerHostName": host.name, "NetworkType": "Direct", "BackupServerUid": uid}
    task = client.post("/cloud/gateways", json=spec).json()
    host.poll()
    host.report(run="1", number=1).raise_for_status()
    assert finished(client, task)["Result"]["Success"]


def test_a_report_that_comes_late_takes_nothing_back_and_blames_nobody(
    running: RunningManager, host: ScriptedHost
) -> None:
    def shown() -> dict[str, Any]:
        found = running.logged_on().get("/cloud/gateways?format=Entity").json()["CloudGateways"]
        return dict(found[0])

    make_gateway(running, host)
    renewed = host.facts.model_copy(update={"envoy_version": "1.41.0"})
    said: dict[str, Any] = {"facts": renewed, "live_tunnels": 2}
    host.report(run="1", number=4, **said).raise_for_status()
    host.poll()
    host.report(run="1", number=5, live_tunnels=2).raise_for_status()
    before, before_shown = known(running, host), shown()
    assert before_shown["State"] == "Listening"
    assert (before[0].live_tunnels, before[1]) == (2, renewed)
    audited = len(running.audited())
    for number, revision in ((3, None), (2, 0)):
        late = host.report(
            GatewayState.FAILED, "busy", revision=revision, run="1", number=number, facts=host.facts
        )
        assert (late.status_code, "came late" in late.json()["message"]) == (503, True)
    assert known(running, host) == before
    assert len(running.audited()) == audited
    assert shown() == before_shown


def test_a_host_whose_memory_was_put_back_is_heard_after_a_minute(
    running: RunningManager, host: ScriptedHost
) -> None:
    host.report(GatewayState.ABSENT, run="1", number=9).raise_for_status()
    assert host.report(GatewayState.ABSENT, run="1", number=4).status_code == 503
    running.clock.ahead += HEARD_WITHIN
    host.report(GatewayState.ABSENT, run="1", number=5, live_tunnels=1).raise_for_status()
    assert known(running, host)[0].live_tunnels == 1


def add_tenant(running: RunningManager, name: str, **limits: Any) -> UUID:
    client = running.logged_on()
    task = client.post("/cloud/tenants", json={"Name": name, **limits}).json()
    href = str(finished(client, task)["Links"][1]["Href"])
    return UUID(href.partition("?")[0].rpartition("/")[2])


def test_figures_that_come_late_are_not_counted_twice(
    running: RunningManager, host: ScriptedHost
) -> None:
    tenant_id = add_tenant(running, "acme")

    def count(number: int, refused: int) -> httpx2.Response:
        tenant = TenantFigures(
            tenant_id=tenant_id, tunnels=refused, refused=refused, held_back_seconds=0.0
        )
        figures = Figures(run="1", uptime_seconds=float(number), tenants=(tenant,))
        return host.report(GatewayState.ABSENT, run="1", number=number, figures=figures)

    for number, refused in ((1, 0), (2, 4), (5, 9)):
        count(number, refused).raise_for_status()
    assert count(4, 5).status_code == 503
    count(6, 10).raise_for_status()
    assert running.manager.figures.tenants.sums()[tenant_id].refused == 10


def test_a_demand_that_comes_late_gives_no_tunnel_of_a_host_to_another(
    running: RunningManager, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant_id = add_tenant(running, "acme", MaxConcurrentTasks=4)
    other = ScriptedHost(running, "gw2.example", ("192.0.2.11",))
    monkeypatch.setattr(slot_tokens, "LEARNING_SECONDS", 0.0)

    def ask(who: ScriptedHost, number: int, live: int, wanted: int) -> httpx2.Response:
        demand = Demand(
            tenant_id=tenant_id,
            sent_bytes=0,
            tunnels_live=live,
            tunnels_wanted=wanted,
            tunnels_held=live,
        )
        report = DemandReport(machine=who.facts.machine, demands=(demand,), run="1", number=number)
        return who.client.post("/demand", content=report.model_dump_json())

    def granted(answer: httpx2.Response) -> int | None:
        (part,) = Allowances.model_validate_json(answer.raise_for_status().content).allowances
        return part.tunnels

    assert granted(ask(host, 1, 0, 4)) == 4
    assert granted(ask(host, 3, 4, 0)) == 4
    assert granted(ask(other, 1, 0, 1)) == 0
    assert ask(host, 2, 0, 0).status_code == 503
    assert granted(ask(other, 2, 0, 1)) == 0, "all four are taken"
    other.close()
