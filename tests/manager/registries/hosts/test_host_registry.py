"""Host registry: of a host that is forgotten nothing is known any more, and of others all is."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from cloudgate.manager.registries.hosts.fact_changes import CHANGES_AT_ONCE
from cloudgate.manager.registries.hosts.host_registry import HostRegistry
from cloudgate.manager.registries.hosts.presence import ONLINE_FOR
from cloudgate.protocol import DemandReport

BEGAN = datetime(2026, 11, 29, 12, tzinfo=UTC)
SOON = BEGAN + timedelta(seconds=1)
LATER = SOON + ONLINE_FOR
HOST, OTHER = UUID(int=1), UUID(int=2)


def test_what_is_known_of_a_host_is_forgotten_together() -> None:
    hosts = HostRegistry(BEGAN)
    for each in (HOST, OTHER):
        hosts.presence.touch(each, BEGAN)
        hosts.clones.detect(each, SOON)
        hosts.refusals.record(each, LATER)
        hosts.addresses.record(each, "192.0.2.1", SOON)
        for _ in range(CHANGES_AT_ONCE):
            hosts.fact_changes.record(each, SOON)
        hosts.order.is_late(each, DemandReport(demands=(), run="1", number=2), SOON)
    hosts.forget(HOST)
    assert hosts.presence.all(SOON) == {OTHER: BEGAN}
    assert [hosts.clones.is_contested(each, SOON) for each in (HOST, OTHER)] == [False, True]
    assert [hosts.fact_changes.may_change(each, SOON) for each in (HOST, OTHER)] == [True, False]
    older = DemandReport(demands=(), run="1", number=1)
    assert [hosts.order.is_late(each, older, SOON) for each in (HOST, OTHER)] == [False, True]
    heard = [hosts.addresses.record(each, "192.0.2.2", SOON) for each in (HOST, OTHER)]
    assert heard == [{}, {"192.0.2.1": SOON}]
    for each in (HOST, OTHER):
        hosts.presence.touch(each, LATER)
    assert [hosts.refusals.are_over(each, LATER) for each in (HOST, OTHER)] == [True, False]
