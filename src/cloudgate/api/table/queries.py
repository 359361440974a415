"""Query routes: which calls look across everything? Queries, lookups, reports."""

from cloudgate.api.handlers import queries, reports
from cloudgate.api.http.router import Parameter, Route, shows
from cloudgate.api.table.common import PAGED
from cloudgate.wire.resources.queries import HierarchyItems, LookupSvc, QueryResult, QuerySvc
from cloudgate.wire.resources.reports import (
    JobStatisticsReportFrame,
    OverviewReportFrame,
    ProcessedVmsReportFrame,
    RepositoryReportFrame,
    SummaryReport,
    VmsOverviewReportFrame,
)

QUERIED = Parameter(
    name="type",
    description="What to look for.",
    values=tuple(each.name for each in queries.TYPES),
    required=True,
)

ROUTES = [
    Route(
        verb="GET",
        path="/reports/summary",
        handler=reports.get_reports,
        answers=shows(SummaryReport),
    ),
    Route(
        verb="GET",
        path="/reports/summary/overview",
        handler=reports.get_overview,
        answers=shows(OverviewReportFrame),
    ),
    Route(
        verb="GET",
        path="/reports/summary/vms_overview",
        handler=reports.get_vms_overview,
        answers=shows(VmsOverviewReportFrame),
    ),
    Route(
        verb="GET",
        path="/reports/summary/job_statistics",
        handler=reports.get_job_statistics,
        answers=shows(JobStatisticsReportFrame),
    ),
    Route(
        verb="GET",
        path="/reports/summary/processed_vms",
        handler=reports.get_processed_vms,
        answers=shows(ProcessedVmsReportFrame),
    ),
    Route(
        verb="GET",
        path="/reports/summary/repository",
        handler=reports.get_repositories,
        answers=shows(RepositoryReportFrame),
    ),
    Route(
        verb="GET",
        path="/querySvc",
        handler=queries.get_query_service,
        answers=shows(QuerySvc),
    ),
    Route(
        verb="GET",
        path="/query",
        handler=queries.get_query,
        answers=shows(QueryResult),
        query=(QUERIED, *PAGED),
    ),
    Route(
        verb="GET",
        path="/lookupSvc",
        handler=queries.get_lookup_service,
        answers=shows(LookupSvc),
    ),
    Route(
        verb="GET",
        path="/lookup",
        handler=queries.get_lookup,
        answers=shows(HierarchyItems),
    ),
]
