"""Report resources: what is said about all of the infrastructure at once?

Element names are as published, spelling included.
"""

from dataclasses import dataclass
from datetime import datetime

from cloudgate.wire.description import ResourceType, attribute, element, repeated
from cloudgate.wire.resources.base import Resource


@dataclass(frozen=True, kw_only=True)
class SummaryReport(Resource):
    """Which reports there are."""


@dataclass(frozen=True, kw_only=True)
class OverviewReportFrame(Resource):
    """How many servers and jobs there are."""

    backup_servers: int | None = element()
    proxy_servers: int | None = element()
    repository_servers: int | None = element()
    running_jobs: int | None = element()
    scheduled_jobs: int | None = element()
    successful_vm_lastest_states: int | None = element()
    warning_vm_lastest_states: int | None = element()
    failed_vm_lastest_states: int | None = element()


@dataclass(frozen=True, kw_only=True)
class VmsOverviewReportFrame(Resource):
    """How many machines are protected, and what that takes; sizes in bytes."""

    protected_vms: int | None = element()
    backed_up_vms: int | None = element()
    replicated_vms: int | None = element()
    restore_points: int | None = element()
    full_backup_points_size: int | None = element()
    incremental_backup_points_size: int | None = element()
    replica_restore_points_size: int | None = element()
    source_vms_size: int | None = element()
    success_backup_percents: int | None = element(omit_absent=True)


@dataclass(frozen=True, kw_only=True)
class JobStatisticsReportFrame(Resource):
    """How jobs have gone; durations in seconds."""

    running_jobs: int | None = element()
    scheduled_jobs: int | None = element()
    scheduled_backup_jobs: int | None = element()
    scheduled_replica_jobs: int | None = element()
    total_job_runs: int | None = element()
    successful_job_runs: int | None = element()
    warnings_job_runs: int | None = element()
    failed_job_runs: int | None = element()
    max_job_duration: int | None = element()
    max_backup_job_duration: int | None = element()
    max_replica_job_duration: int | None = element()
    max_duration_backup_job_name: str | None = element()
    max_duration_replica_job_name: str | None = element()


@dataclass(frozen=True, kw_only=True)
class Day(ResourceType):
    """The machines that were processed on one day."""

    timestamp: datetime | None = attribute()
    backuped_vms: int | None = element()
    replicated_vms: int | None = element()


@dataclass(frozen=True, kw_only=True)
class ProcessedVmsReportFrame(Resource):
    """The machines that were processed, by day."""

    days: tuple[Day, ...] = repeated("Day")


@dataclass(frozen=True, kw_only=True)
class Period(ResourceType):
    """One repository; sizes in bytes."""

    name: str | None = element()
    capacity: int | None = element()
    free_space: int | None = element()
    backup_size: int | None = element()


@dataclass(frozen=True, kw_only=True)
class RepositoryReportFrame(Resource):
    """The repositories, and how full they are."""

    periods: tuple[Period, ...] = repeated("Period")
