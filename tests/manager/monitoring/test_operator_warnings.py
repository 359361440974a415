"""Does what needs a look find all of it, though of what is well nothing is read?"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.gateways import operations as gateways
from cloudgate.manager.gateways.fleet import fleet, list_gateways_to_look_at
from cloudgate.manager.gateways.rules import GatewaySettings
from cloudgate.manager.monitoring.fleet_rows import gateway_rows
from cloudgate.manager.monitoring.operator_warnings import operator_warnings
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.servers import managed_servers
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import BackupServer, CloudGateway, CloudTenant, ManagedServer
from cloudgate.protocol import GatewayState, HostFacts, Report
from tests.support.programs.postgres import needs_postgresql, shared_server

THEN = datetime(2026, 1, 2, tzinfo=UTC)
KNOWN = int(THEN.timestamp() * 1000)
FACTS = HostFacts(
    host_name="x", addresses=(), platform="", version="", envoy_version="", public_key_pem="x"
).model_dump(mode="json")
LISTENING = Report(
    assignment_revision=1, directory_revision=KNOWN, state=GatewayState.LISTENING
).model_dump(mode="json")
STATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "well": ({}, {}),
    "away": ({"online_since": None, "facts": {**FACTS, "trouble": "t"}}, {}),
    "new": ({"online_since": None, "facts": None, "report": None, "reported_revision": None}, {}),
    "busy": ({"reported_revision": 0}, {}),
    "old words": ({"report": {**LISTENING, "directory_revision": "soon"}}, {}),
    "no words": ({"report": None}, {}),
    "late": ({"report": {**LISTENING, "directory_revision": KNOWN - 1}}, {}),
    "failed": ({"reported_state": GatewayState.FAILED, "report": {**LISTENING, "reason": "r"}}, {}),
    "warned of": ({"warning": "w"}, {}),
    "in trouble": ({"facts": {**FACTS, "trouble": "t"}}, {}),
    "advised": ({"facts": {**FACTS, "advice": "a"}}, {}),
    "not reached": ({}, {"reach_warning": "r"}),
    "with an old certificate": ({}, {"certificate_warning": "c"}),
    "being made": ({"warning": "w"}, {"confirmed": None}),
}
"""Columns of the server, and of its gateway."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=needs_postgresql)])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """One that does nothing by itself."""
    is_file = request.param == "sqlite"
    url = sqlite_url(tmp_path / "cloudgate.db") if is_file else shared_server().new_database()
    database = Database(url)
    yield Manager(database, open_authority(tmp_path), open_sealing(tmp_path))
    database.close()


def test_all_that_has_a_warning_is_found_in_whatever_state_it_is(manager: Manager) -> None:
    with manager.changing() as work:
        site = BackupServer(id=uuid4(), name="site", port=9392)
        work.session.add(site)
        work.session.flush()
        work.session.add(
            CloudTenant(
                backup_server_id=site.id, name="acme", login="acme", directory_revision=KNOWN
            )
        )
        work.next_directory_revision()
        for name, (of_server, of_gateway) in STATES.items():
            server = ManagedServer(
                id=uuid4(),
                backup_server_id=site.id,
                name=name,
                kind="Linux",
                **{
                    "online_since": THEN,
                    "facts": FACTS,
                    "report": LISTENING,
                    "assignment_revision": 1,
                    "reported_revision": 1,
                    "reported_state": GatewayState.LISTENING,
                    "live_tunnels": 2,
                    **of_server,
                },
            )
            settings = GatewaySettings().as_document()
            gateway = CloudGateway(
                backup_server_id=site.id,
                managed_server_id=server.id,
                name=name,
                **{"wanted": settings, "confirmed": settings, **of_gateway},
            )
            work.session.add(server)
            work.session.flush()
            work.session.add(gateway)
    with manager.reading() as work:
        known = gateways.list_gateways(work)
        ill = [each.name for each in known if gateways.own_warnings_of(work, each)]
        listed = [(each.kind, each.name) for each in operator_warnings(manager, work)]
        found = set(listed)
        servers = managed_servers.list_managed_servers(work)
        warned = {each.name for each in servers if managed_servers.warnings_of(each)}
        states = [gateways.condition_of(each) for each in known]
        together = fleet(work)
        read = [each.name for each in list_gateways_to_look_at(work)]
        revisions = {each.whose[0]: each.directory_revision for each in gateway_rows(work, ())}
    assert set(ill) == {
        "late", "failed", "not reached", "old words", "no words", "with an old certificate",
    }  # fmt: skip
    assert {name for kind, name in found if kind == "CloudGateway"} == set(ill)
    assert {name for kind, name in found if kind == "ManagedServer"} == warned
    assert warned == {"warned of", "in trouble", "advised", "being made"}
    assert [kind for kind, name in listed if name == "advised"] == ["ManagedServer"]
    assert not {"well", "busy", "new"} & set(read)
    assert together.states == {each: states.count(each) for each in set(states)}
    assert together.live_tunnels == 2 * len(states)
    assert (revisions["well"], revisions["old words"], revisions["no words"]) == (KNOWN, 0, 0)
