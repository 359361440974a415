"""Metrics table: which metrics are there, of which type, with which labels, and what do they mean?

Rendering, the table in docs/monitoring.md and the tests follow it. Names are as Prometheus wants
them (https://prometheus.io/docs/practices/naming/): base units, ``_total`` for what only grows,
``_info`` for what is told in labels. No label has a value that a stranger or a tenant can make up,
and none a name that Prometheus gives to whom it asks (``job``, ``instance``).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cloudgate.protocol import SETUP_BUCKETS_SECONDS


class Kind(StrEnum):
    """The types of the exposition formats."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    INFO = "info"


class Page(StrEnum):
    """Where a metric is shown."""

    MANAGER = "manager"
    """``/metrics`` of the manager."""
    HOST = "host"
    """``/metrics`` of a host, where it is shown."""
    TENANTS = "tenants"
    """``/metrics/tenants`` of the manager."""


@dataclass(frozen=True)
class Metric:
    """One metric."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    pages: tuple[Page, ...] = (Page.MANAGER,)
    buckets: tuple[float, ...] = ()
    """Upper bounds, of a histogram."""


API_BUCKETS_SECONDS = (0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 30.0)
DATABASE_BUCKETS_SECONDS = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0)
TASK_BUCKETS_SECONDS = (0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0, 28800.0)

_C, _G, _H, _I = Kind.COUNTER, Kind.GAUGE, Kind.HISTOGRAM, Kind.INFO
_BOTH = (Page.MANAGER, Page.HOST)
_TENANTS = (Page.TENANTS,)
_GATEWAY = ("gateway", "site")
_SERVER = ("server", "site")

TABLE: tuple[Metric, ...] = (
    Metric(
        "cloudgate_build_info", _I, "Release of the process that is asked.", ("version",), _BOTH
    ),
    Metric("cloudgate_ready", _G, "1 while /readyz says that it is ready, else 0.", (), _BOTH),
    Metric(
        "cloudgate_check_ok",
        _G,
        "1 for each check of /readyz that is well, else 0.",
        ("check",),
        _BOTH,
    ),
    Metric(
        "cloudgate_job_runs_total", _C, "Attempts of background jobs that ended.", ("work",), _BOTH
    ),
    Metric(
        "cloudgate_job_failures_total",
        _C,
        "Attempts of background jobs that failed.",
        ("work",),
        _BOTH,
    ),
    Metric(
        "cloudgate_job_failing",
        _G,
        "1 while the last attempt of a background job has failed, else 0.",
        ("work",),
        _BOTH,
    ),
    Metric(
        "cloudgate_job_last_success_timestamp_seconds",
        _G,
        "When an attempt of a background job last succeeded.",
        ("work",),
        _BOTH,
    ),
    # The API.
    Metric(
        "cloudgate_api_requests_total",
        _C,
        "Requests to the manager's port, by the path of their route.",
        ("method", "route", "code"),
    ),
    Metric(
        "cloudgate_api_request_seconds",
        _H,
        "How long answers took. A poll of a host is held for up to 25 seconds.",
        ("method", "route"),
        buckets=API_BUCKETS_SECONDS,
    ),
    Metric("cloudgate_api_requests_in_progress", _G, "Requests that are not answered yet."),
    # Tasks, database, audit log.
    Metric("cloudgate_tasks", _G, "Tasks that are kept: running, succeeded or failed.", ("state",)),
    Metric(
        "cloudgate_tasks_overdue",
        _G,
        "Running tasks whose deadline was over a minute ago: they should have ended.",
    ),
    Metric(
        "cloudgate_task_seconds",
        _H,
        "From the beginning of tasks to their end.",
        ("operation", "success"),
        buckets=TASK_BUCKETS_SECONDS,
    ),
    Metric("cloudgate_database_up", _G, "1 while the database can be read, else 0."),
    Metric(
        "cloudgate_database_seconds",
        _H,
        "How long transactions took, waiting for others included.",
        ("operation",),
        buckets=DATABASE_BUCKETS_SECONDS,
    ),
    Metric("cloudgate_database_size_bytes", _G, "Size of the database's files; of SQLite only."),
    Metric("cloudgate_disk_free_bytes", _G, "Room on the disk of the data folder."),
    Metric("cloudgate_audit_events", _G, "Number of the newest entry of the audit log."),
    Metric(
        "cloudgate_audit_undelivered",
        _G,
        "Entries of the audit log that its outlet has not had; 0 where there is none.",
    ),
    Metric(
        "cloudgate_old_passwords",
        _G,
        "Passwords of tenants and subtenants that were replaced and are good yet.",
        ("of",),
    ),
    Metric(
        "cloudgate_notifications_total",
        _C,
        "Events that receivers of notifications were told, or could not be told at an attempt.",
        ("outcome",),
    ),
    Metric(
        "cloudgate_notifications_waiting",
        _G,
        "Events that receivers are to be told yet: all of them, and those that could not be told.",
        ("which",),
    ),
    Metric(
        "cloudgate_backup_last_timestamp_seconds",
        _G,
        "When the newest backup of the manager was made, in seconds since 1970; none before.",
    ),
    Metric(
        "cloudgate_warnings",
        _G,
        "What `cloudgate status` lists as needing a look, by the type of the object.",
        ("type",),
    ),
    Metric(
        "cloudgate_needs_a_look",
        _G,
        "1 for each object that `cloudgate status` lists as needing a look.",
        ("type", "name"),
    ),
    Metric(
        "cloudgate_repository_protected",
        _G,
        "1 while it is seen that the repository keeps deleted backups, else 0; none where nobody"
        " said how.",
        ("repository", "site"),
    ),
    Metric(
        "cloudgate_certificate_expiry_timestamp_seconds",
        _G,
        "When a certificate ends: the authority, the manager's port, and those that were brought.",
        ("certificate",),
    ),
    # Hosts.
    Metric("cloudgate_hosts", _G, "Managed servers, by state.", ("state",)),
    Metric("cloudgate_host_up", _G, "1 while the host is heard of, else 0.", _SERVER),
    Metric(
        "cloudgate_host_last_seen_timestamp_seconds",
        _G,
        "When the host was last heard of.",
        _SERVER,
    ),
    # Gateways, as the manager knows them.
    Metric(
        "cloudgate_gateway_info",
        _I,
        "Pool, server and releases of a gateway.",
        (*_GATEWAY, "pool", "server", "version", "envoy_version"),
    ),
    Metric(
        "cloudgate_gateway_up",
        _G,
        "1 while it lets tenants in, as its host says, else 0.",
        _GATEWAY,
    ),
    Metric(
        "cloudgate_gateway_enabled", _G, "1 where it is wanted to let tenants in, else 0.", _GATEWAY
    ),
    Metric(
        "cloudgate_directory_lag_revisions",
        _G,
        "Changes of tenants that the gateway has not taken in.",
        _GATEWAY,
    ),
    Metric(
        "cloudgate_figures_age_seconds",
        _G,
        "How old the figures are that the gateway's host has reported.",
        _GATEWAY,
    ),
    # Gateways, as their hosts report.
    Metric("cloudgate_gateway_tunnels", _G, "Live tunnels.", _GATEWAY, _BOTH),
    Metric("cloudgate_gateway_tunnels_opened_total", _C, "Tunnels that began.", _GATEWAY, _BOTH),
    Metric(
        "cloudgate_gateway_refused_total",
        _C,
        "Requests that became no tunnel. Most programs ask once without a password: challenge.",
        (*_GATEWAY, "reason"),
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_bytes_total",
        _C,
        "Bytes through tunnels: up from tenants to targets, down to tenants.",
        (*_GATEWAY, "direction"),
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_tunnel_setup_seconds",
        _H,
        "From a request's arrival to the beginning of its tunnel.",
        _GATEWAY,
        _BOTH,
        SETUP_BUCKETS_SECONDS,
    ),
    Metric(
        "cloudgate_gateway_authorization_seconds",
        _H,
        "How long the host service took to say whether a request may become a tunnel; without"
        " guesses of passwords, whose answers wait on purpose.",
        _GATEWAY,
        _BOTH,
        SETUP_BUCKETS_SECONDS,
    ),
    Metric(
        "cloudgate_gateway_authorizations_waiting",
        _G,
        "Requests that wait for that answer now.",
        _GATEWAY,
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_held_back_seconds_total",
        _C,
        "How long tenants got less speed than they would have taken: by their limit, or by their"
        " share of a gateway that is full. Of several tenants at a time, each counts.",
        (*_GATEWAY, "reason"),
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_handshakes_total", _C, "TLS handshakes that succeeded.", _GATEWAY, _BOTH
    ),
    Metric(
        "cloudgate_gateway_tls_failures_total", _C, "TLS handshakes that failed.", _GATEWAY, _BOTH
    ),
    Metric("cloudgate_gateway_connections", _G, "Connections that are open.", _GATEWAY, _BOTH),
    Metric(
        "cloudgate_gateway_connections_rejected_total",
        _C,
        "Connections that were turned away because something was used up.",
        _GATEWAY,
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_target_failures_total",
        _C,
        "Connections to targets that could not be made.",
        _GATEWAY,
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_full_ratio",
        _G,
        "How much of a resource is used, 1 for all of it; absent below 0.05.",
        (*_GATEWAY, "resource"),
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_cpu_seconds_total",
        _C,
        "Time that Envoy and the host service had a processor.",
        (*_GATEWAY, "process"),
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_memory_bytes",
        _G,
        "What of Envoy and the host service is in memory.",
        (*_GATEWAY, "process"),
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_disk_free_bytes",
        _G,
        "Room on the disk of the host's state folder.",
        _GATEWAY,
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_certificate_expiry_timestamp_seconds",
        _G,
        "When the certificate ends that new tunnels are shown.",
        _GATEWAY,
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_clock_skew_seconds",
        _G,
        "How far the host's clock is ahead of the manager's.",
        _GATEWAY,
        _BOTH,
    ),
    Metric(
        "cloudgate_gateway_start_timestamp_seconds",
        _G,
        "When the host service began, and with it its counts.",
        _GATEWAY,
        _BOTH,
    ),
    # Tenants.
    Metric(
        "cloudgate_tenant_bytes_total",
        _C,
        "Bytes through tunnels, as billed: up from the tenant, down to it. As the usage API adds.",
        ("tenant", "direction"),
        _TENANTS,
    ),
    Metric(
        "cloudgate_tenant_tunnels_opened_total",
        _C,
        "Tunnels that began, as the usage API counts them.",
        ("tenant",),
        _TENANTS,
    ),
    Metric("cloudgate_tenant_tunnels", _G, "Live tunnels, at all gateways.", ("tenant",), _TENANTS),
    Metric(
        "cloudgate_tenant_tunnels_limit",
        _G,
        "How many tunnels it may have; absent without a limit.",
        ("tenant",),
        _TENANTS,
    ),
    Metric(
        "cloudgate_tenant_limit_bytes",
        _G,
        "Bytes a second that it may send; absent without a limit.",
        ("tenant",),
        _TENANTS,
    ),
    Metric(
        "cloudgate_tenant_held_back_seconds_total",
        _C,
        "How long it got less speed than it would have taken, added up over gateways.",
        ("tenant",),
        _TENANTS,
    ),
    Metric(
        "cloudgate_tenant_refused_total",
        _C,
        "Requests with its right password that became no tunnel.",
        ("tenant",),
        _TENANTS,
    ),
    Metric("cloudgate_tenant_quota_bytes", _G, "Its quotas together.", ("tenant",), _TENANTS),
    Metric(
        "cloudgate_tenant_used_bytes",
        _G,
        "What it keeps in repositories, as measured; absent where nothing was.",
        ("tenant",),
        _TENANTS,
    ),
    Metric(
        "cloudgate_tenant_last_activity_timestamp_seconds",
        _G,
        "The minute in which it last used a gateway.",
        ("tenant",),
        _TENANTS,
    ),
    Metric(
        "cloudgate_tenant_enabled", _G, "1 while it may come in, else 0.", ("tenant",), _TENANTS
    ),
)
"""All metrics of the product itself; besides them each process shows those of Python and of
processes that Prometheus' client library has (``process_*``, ``python_*``)."""

METRICS = {each.name: each for each in TABLE}


def shown_on(page: Page) -> Iterable[Metric]:
    """The metrics of a page, in the order of the table."""
    return (each for each in TABLE if page in each.pages)
