"""Tenants that hosts tell of: those that they were told of, for as long as they are hosts."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.protocol import Figures, GatewayState, Guess, OldPasswordUse, TenantFigures
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, finished

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def figures(run: str, *tenant_ids: UUID) -> Figures:
    """As if each of them had many tunnels."""
    counted = tuple(
        TenantFigures(tenant_id=each, tunnels=777, refused=7, held_back_seconds=7.0)
        for each in tenant_ids
    )
    return Figures(run=run, uptime_seconds=0, tenants=counted)


def test_what_a_host_tells_of_tenants_that_it_was_never_told_of_is_left_out(
    running: RunningManager, host: ScriptedHost
) -> None:
    client = running.logged_on()
    made = {"Name": "acme", "Password": "a long password of acme"}
    finished(client, client.post("/cloud/tenants", json=made).json())
    with running.manager.changing() as work:
        (acme,) = work.session.query(CloudTenant).all()
        acme.old_password_hash, tenant_id = "old", acme.id
    guess = Guess(name="acme", address="198.51.100.7", count=1, first_at=NOW, last_at=NOW)
    use = OldPasswordUse(tenant_id=tenant_id, last_at=NOW)
    told: dict[str, Any] = {"outsiders": (guess,), "old_passwords": (use,)}

    def seen() -> tuple[object, ...]:
        with running.manager.reading() as work:
            used_at = work.session.get_one(CloudTenant, tenant_id).old_password_used_at
        outsiders = [each for each in running.audited() if each.operation == "RefuseTenantNetwork"]
        counted = running.manager.figures.tenants.sums()
        return used_at, len(outsiders), {key: each.tunnels for key, each in counted.items()}

    stolen = ScriptedHost(running, "gw2.example", ("192.0.2.20",), is_told=False)
    strange = [uuid4() for _ in range(50)]
    said = figures("1", tenant_id, *strange)
    stolen.report(GatewayState.ABSENT, figures=said, **told).raise_for_status()
    stolen.report(GatewayState.ABSENT, figures=said).raise_for_status()
    stolen.close()
    assert seen() == (None, 0, {})
    assert running.manager.figures.held_back.of(tenant_id) == {}
    host.report(GatewayState.ABSENT, figures=figures("1", *strange), **told).raise_for_status()
    host.report(GatewayState.ABSENT, figures=figures("1", tenant_id)).raise_for_status()
    assert seen() == (NOW, 1, {tenant_id: 777})


@pytest.mark.parametrize("end", ["delete", "revoke"])
def test_tunnels_of_a_host_that_is_one_no_more_are_no_tenants_any_more(
    running: RunningManager, host: ScriptedHost, end: str
) -> None:
    client = running.logged_on()
    made = {"Name": "acme", "Password": "a long password of acme"}
    finished(client, client.post("/cloud/tenants", json=made).json())
    with running.manager.reading() as work:
        tenant_id = work.session.query(CloudTenant).one().id
    host.report(GatewayState.ABSENT, figures=figures("1", tenant_id)).raise_for_status()
    registry = running.manager.figures
    assert registry.tenants.sums()[tenant_id].tunnels == 777
    path = f"/managedServers/{host.server_id}"
    if end == "delete":
        client.delete(path).raise_for_status()
    else:
        client.post(f"{path}?action=revoke").raise_for_status()
    assert (registry.tenants.sums()[tenant_id].tunnels, registry.latest()) == (0, {})
    assert not registry.reports.has_reported(host.server_id)
