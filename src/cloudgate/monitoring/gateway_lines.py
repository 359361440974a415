"""Gateway lines: what of a host's figures is shown, and how? Pure.

A host says what it likes: values of labels that it says are those that are known, or ``other``.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping

from cloudgate.monitoring.exposition import Lines
from cloudgate.monitoring.metrics_table import Page, shown_on
from cloudgate.protocol import SETUP_BUCKETS_SECONDS, Distribution, Figures, Refusal, Restraint

OTHER = "other"
RESOURCES = frozenset(
    {
        "files of Envoy",
        "files of the host service",
        "files of the system",
        "connections",
        "heap",
        "memory",
        "disk",
        "inodes",
        "processors",
        "line",
    }
)
PROCESSES = frozenset({"envoy", "host"})


FAMILIES = tuple(
    each.name for each in shown_on(Page.HOST) if each.labels[:2] == ("gateway", "site")
)
"""The metrics that a host's figures become."""


def blocks(figures: Figures, gateway: str, site: str, now_seconds: float) -> tuple[str, ...]:
    """The lines of each of `FAMILIES`, put together: a page of many gateways joins them."""
    made = Lines()
    write_figures(made, figures, gateway, site, now_seconds=lambda: now_seconds)
    return tuple(made.text(name) for name in FAMILIES)


def write_figures(
    lines: Lines,
    figures: Figures,
    gateway: str,
    site: str,
    now_seconds: Callable[[], float] = time.time,
) -> None:
    """Show what a host has counted, as that of a gateway of a site."""
    whose = (gateway, site)
    put = lines.put
    put("cloudgate_gateway_tunnels", figures.tunnels_live, *whose)
    put("cloudgate_gateway_tunnels_opened_total", figures.tunnels_opened, *whose)
    put("cloudgate_gateway_bytes_total", figures.bytes_up, *whose, "up")
    put("cloudgate_gateway_bytes_total", figures.bytes_down, *whose, "down")
    for reason, count in _known(figures.refused, {each.value for each in Refusal}).items():
        put("cloudgate_gateway_refused_total", count, *whose, reason)
    _distribution(lines, "cloudgate_gateway_tunnel_setup_seconds", figures.setup, whose)
    _distribution(lines, "cloudgate_gateway_authorization_seconds", figures.authorization, whose)
    put("cloudgate_gateway_authorizations_waiting", figures.authorizing, *whose)
    held_back = _known(figures.held_back_seconds, {each.value for each in Restraint})
    for reason, seconds in held_back.items():
        put("cloudgate_gateway_held_back_seconds_total", seconds, *whose, reason)
    put("cloudgate_gateway_handshakes_total", figures.handshakes, *whose)
    put("cloudgate_gateway_tls_failures_total", figures.tls_failures, *whose)
    put("cloudgate_gateway_connections", figures.connections, *whose)
    put("cloudgate_gateway_connections_rejected_total", figures.connections_rejected, *whose)
    put("cloudgate_gateway_target_failures_total", figures.target_failures, *whose)
    for resource, part in figures.full.items():
        if resource in RESOURCES:
            put("cloudgate_gateway_full_ratio", part, *whose, resource)
    for process in sorted(PROCESSES & figures.cpu_seconds.keys()):
        put("cloudgate_gateway_cpu_seconds_total", figures.cpu_seconds[process], *whose, process)
    for process in sorted(PROCESSES & figures.memory_bytes.keys()):
        put("cloudgate_gateway_memory_bytes", figures.memory_bytes[process], *whose, process)
    put("cloudgate_gateway_disk_free_bytes", figures.disk_free_bytes, *whose)
    put(
        "cloudgate_gateway_certificate_expiry_timestamp_seconds",
        figures.certificate_expires_at,
        *whose,
    )
    put("cloudgate_gateway_clock_skew_seconds", figures.clock_ahead_seconds, *whose)
    began_at = round(now_seconds() - figures.uptime_seconds)
    put("cloudgate_gateway_start_timestamp_seconds", began_at, *whose)


def _known(found: Mapping[str, float], names: set[str]) -> dict[str, float]:
    """With the others put together."""
    counted: Counter[str] = Counter()
    for name, value in found.items():
        counted[name if name in names else OTHER] += value  # type: ignore[assignment]
    return dict(counted)


def _distribution(
    lines: Lines, name: str, found: Distribution | None, whose: tuple[str, str]
) -> None:
    if found is not None and len(found.counts) == len(SETUP_BUCKETS_SECONDS) + 1:
        lines.put_histogram(name, found.counts, found.sum_seconds, *whose)
