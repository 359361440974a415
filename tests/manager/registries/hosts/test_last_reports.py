"""Last reports: one that says nothing but what was said before is told from one that does."""

from uuid import UUID

from cloudgate.manager.registries.hosts.last_reports import LastReports
from cloudgate.protocol import Figures, GatewayState, Report

HOST = UUID(int=1)
SAID = Report(
    assignment_revision=1,
    directory_revision=1,
    state=GatewayState.LISTENING,
    figures=Figures(run="1", uptime_seconds=10.0),
)


def test_a_report_that_says_nothing_else_is_told_from_one_that_does() -> None:
    reports = LastReports()
    assert not reports.has_reported(HOST)
    assert not reports.is_repeated(HOST, SAID)
    reports.keep(HOST, SAID)
    assert reports.has_reported(HOST)
    figures = Figures(run="1", uptime_seconds=20.0)
    later = SAID.model_copy(update={"figures": figures, "run": "1", "number": 2})
    assert reports.is_repeated(HOST, later)
    drained = SAID.model_copy(update={"state": GatewayState.DRAINING})
    assert not reports.is_repeated(HOST, drained)
    reports.forget(HOST)
    assert not reports.has_reported(HOST)
    assert not reports.is_repeated(HOST, SAID)
