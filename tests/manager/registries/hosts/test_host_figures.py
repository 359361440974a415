"""Host figures: what a host told last is known, with when its service began."""

from datetime import UTC, datetime
from uuid import UUID

from cloudgate.manager.registries.hosts.host_figures import HostFiguresRegistry, LatestFigures
from cloudgate.protocol import Figures, GatewayState, Report, TenantFigures

HOST, TENANT = UUID(int=1), UUID(int=2)


def report(run: str, uptime_seconds: float, *tenants: TenantFigures) -> Report:
    return Report(
        assignment_revision=1,
        directory_revision=1,
        state=GatewayState.LISTENING,
        figures=Figures(run=run, uptime_seconds=uptime_seconds, tenants=tenants),
    )


def test_a_host_service_began_when_it_did_however_clocks_jitter_and_again_when_they_are_set() -> (
    None
):
    registry = HostFiguresRegistry(lambda: 0.0)

    def began(run: str, uptime_seconds: float, now: float) -> float:
        registry.keep(HOST, report(run, uptime_seconds), datetime.fromtimestamp(now, UTC))
        return registry.latest()[HOST].began_at

    assert began("a", 100.0, 5000.4) == 4900
    assert began("a", 115.0, 5016.3) == 4900  # it took a second to come
    assert began("a", 115.0, 8616.3) == 8501
    assert began("b", 1.0, 8616.3) == 8615


def test_what_a_host_says_is_known_in_all_its_parts_until_it_is_forgotten() -> None:
    registry = HostFiguresRegistry(lambda: 7.0)
    heard: list[tuple[UUID, LatestFigures]] = []
    registry.on_heard = lambda server_id, said: heard.append((server_id, said))
    of_tenant = TenantFigures(tenant_id=TENANT, tunnels=3, refused=0, held_back_seconds=0.0)
    said = report("a", 100.0, of_tenant)
    registry.keep(HOST, said, datetime.fromtimestamp(5000, UTC))
    [(server_id, latest)] = heard
    assert server_id == HOST
    assert registry.latest() == {HOST: latest}
    assert latest.at_seconds == registry.now_seconds == 7.0
    assert latest.figures.tenants == (), "they are counted, and not kept twice"
    assert registry.tenants.sums()[TENANT].tunnels == 3
    assert registry.reports.is_repeated(HOST, said)
    registry.forget(HOST)
    assert registry.latest() == {}
    assert TENANT not in registry.tenants.sums()
    assert not registry.reports.has_reported(HOST)


def test_a_report_without_figures_leaves_those_of_before() -> None:
    registry = HostFiguresRegistry(lambda: 7.0)
    now = datetime.fromtimestamp(5000, UTC)
    registry.keep(HOST, report("a", 100.0), now)
    before = registry.latest()
    registry.keep(HOST, report("a", 100.0).model_copy(update={"figures": None}), now)
    assert registry.latest() == before
