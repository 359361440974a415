"""Reports: what do the summaries say? What is known here, and zero where nothing is."""

from dataclasses import replace

from cloudgate.api.access import PROVIDERS, RESTORERS
from cloudgate.api.http.call import Answer, Call
from cloudgate.api.http.router import Route, Routes, shows
from cloudgate.manager.repositories.operations import list_repositories
from cloudgate.manager.repositories.space import UNKNOWN, spaces_of
from cloudgate.manager.servers.backup_servers import list_backup_servers
from cloudgate.manager.tasks.operations import count_running_tasks
from cloudgate.wire.resources.base import Link, Resource
from cloudgate.wire.resources.reports import (
    JobStatisticsReportFrame,
    OverviewReportFrame,
    Period,
    ProcessedVmsReportFrame,
    RepositoryReportFrame,
    SummaryReport,
    VmsOverviewReportFrame,
)

ROOT = "/reports/summary"
FRAME = "ReportFrame"
"""The Type of each of them; which it is, says the Name of the link."""
FRAMES: tuple[tuple[str, str, type[Resource]], ...] = (
    ("overview", "Overview", OverviewReportFrame),
    ("vms_overview", "VmsOverview", VmsOverviewReportFrame),
    ("job_statistics", "JobStatistics", JobStatisticsReportFrame),
    ("processed_vms", "ProcessedVms", ProcessedVmsReportFrame),
    ("repository", "Repositories", RepositoryReportFrame),
)
"""Last segment of the path, published name of the link, and what is there."""


ROUTES = Routes(PROVIDERS | RESTORERS)


@ROUTES.add(Route(verb="GET", path="/reports/summary", answers=shows(SummaryReport)))
def get_reports(call: Call) -> Answer:
    """Which reports there are."""
    href = call.root + ROOT
    frames = tuple(
        Link(rel="Down", href=f"{href}/{path}", name=name, type=FRAME) for path, name, _ in FRAMES
    )
    return Answer(resource=SummaryReport(href=href, type="Report", links=frames))


@ROUTES.add(Route(verb="GET", path="/reports/summary/overview", answers=shows(OverviewReportFrame)))
def get_overview(call: Call) -> Answer:
    """How many servers there are. A job here is a task that is running."""
    with call.reading() as work:
        return _framed(
            call,
            OverviewReportFrame(
                backup_servers=len(list_backup_servers(work)),
                proxy_servers=0,
                repository_servers=len(list_repositories(work)),
                running_jobs=count_running_tasks(work),
                scheduled_jobs=0,
                successful_vm_lastest_states=0,
                warning_vm_lastest_states=0,
                failed_vm_lastest_states=0,
            ),
        )


@ROUTES.add(
    Route(verb="GET", path="/reports/summary/vms_overview", answers=shows(VmsOverviewReportFrame))
)
def get_vms_overview(call: Call) -> Answer:
    """Machines are not known here; of no backups no part has succeeded, nor failed."""
    return _framed(
        call,
        VmsOverviewReportFrame(
            protected_vms=0,
            backed_up_vms=0,
            replicated_vms=0,
            restore_points=0,
            full_backup_points_size=0,
            incremental_backup_points_size=0,
            replica_restore_points_size=0,
            source_vms_size=0,
        ),
    )


@ROUTES.add(
    Route(
        verb="GET", path="/reports/summary/job_statistics", answers=shows(JobStatisticsReportFrame)
    )
)
def get_job_statistics(call: Call) -> Answer:
    """Backup jobs are not known here."""
    return _framed(
        call,
        JobStatisticsReportFrame(
            running_jobs=0,
            scheduled_jobs=0,
            scheduled_backup_jobs=0,
            scheduled_replica_jobs=0,
            total_job_runs=0,
            successful_job_runs=0,
            warnings_job_runs=0,
            failed_job_runs=0,
            max_job_duration=0,
            max_backup_job_duration=0,
            max_replica_job_duration=0,
            max_duration_backup_job_name="",
            max_duration_replica_job_name="",
        ),
    )


@ROUTES.add(
    Route(verb="GET", path="/reports/summary/processed_vms", answers=shows(ProcessedVmsReportFrame))
)
def get_processed_vms(call: Call) -> Answer:
    """No machine is processed here."""
    return _framed(call, ProcessedVmsReportFrame())


@ROUTES.add(
    Route(verb="GET", path="/reports/summary/repository", answers=shows(RepositoryReportFrame))
)
def get_repositories(call: Call) -> Answer:
    """The repositories of which is known how large they are: programs divide by that."""
    with call.reading() as work:
        found = list_repositories(work)
        spaces = spaces_of(work, found)
    periods = tuple(
        Period(
            name=repository.name,
            capacity=space.capacity,
            free_space=space.free,
            backup_size=space.used or 0,
        )
        for repository in found
        if (space := spaces.get(repository.id, UNKNOWN)).capacity and space.free is not None
    )
    return _framed(call, RepositoryReportFrame(periods=periods))


def _framed(call: Call, frame: Resource) -> Answer:
    path = next(path for path, _, kind in FRAMES if isinstance(frame, kind))
    return Answer(resource=replace(frame, href=f"{call.root}{ROOT}/{path}", type=FRAME))
