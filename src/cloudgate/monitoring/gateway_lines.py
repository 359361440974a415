"""Gateway lines: what of a host's figures is shown, and how? Pure.

A host says what it likes: values of labels that it says are those that are known, or ``other``.
"""

from collections import Counter
from collections.abc import Mapping

from cloudgate.monitoring.exposition import Lines, histogram, labels_text, number
from cloudgate.monitoring.metrics_table import METRICS, Page, shown_on
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
LEAST_FULL = 0.05
"""What is used less than to this part fills up nothing soon: with a thousand gateways each line
counts."""
COARSE_BYTES = 1_000_000
"""Sizes of memory and disks are told to so many bytes: the digits below mean nothing, and nothing
makes them smaller."""
CLOCK_SET_SECONDS = 30.0
"""A clock that goes so far from one look to the next was set."""
_REFUSALS = frozenset(each.value for each in Refusal)
_RESTRAINTS = frozenset(each.value for each in Restraint)


FAMILIES = tuple(
    each.name for each in shown_on(Page.HOST) if each.labels[:2] == ("gateway", "site")
)
"""The metrics that a host's figures become."""


def begun_at(now_seconds: float, uptime_seconds: float, before: float | None) -> float:
    """When a process began, in seconds since 1970, which is to stay the same while it runs.

    Args:
        now_seconds: the time, in seconds since 1970.
        uptime_seconds: how long it has run.
        before: what was said of the same process before; None if nothing was.
    """
    now = round(now_seconds - uptime_seconds)
    is_same = before is not None and abs(now - before) < CLOCK_SET_SECONDS
    return before if before is not None and is_same else now


def write_figures(lines: Lines, figures: Figures, gateway: str, site: str, began_at: float) -> None:
    """Show what a host has counted, as that of a gateway of a site."""
    for name, block in zip(FAMILIES, blocks(figures, gateway, site, began_at), strict=True):
        lines.put_blocks(name, [block])


def blocks(figures: Figures, gateway: str, site: str, began_at: float) -> tuple[bytes, ...]:
    """The lines of each of `FAMILIES`, put together: a page of many gateways joins them.

    Args:
        figures: what a host has counted.
        gateway: its name.
        site: that of its backup server.
        began_at: when its host service began, in seconds since 1970.
    """
    made = _Blocks(labels_text(("gateway", "site"), (gateway, site)))
    made.one("cloudgate_gateway_tunnels", figures.tunnels_live)
    made.one("cloudgate_gateway_tunnels_opened_total", figures.tunnels_opened)
    refused = _with_others_summed(figures.refused, _REFUSALS)
    made.several("cloudgate_gateway_refused_total", "reason", refused)
    carried = {"up": figures.bytes_up, "down": figures.bytes_down}
    made.several("cloudgate_gateway_bytes_total", "direction", carried)
    made.times("cloudgate_gateway_tunnel_setup_seconds", figures.setup)
    made.times("cloudgate_gateway_authorization_seconds", figures.authorization)
    made.one("cloudgate_gateway_authorizations_waiting", figures.authorizing)
    held_back = _with_others_summed(figures.held_back_seconds, _RESTRAINTS)
    made.several("cloudgate_gateway_held_back_seconds_total", "reason", held_back)
    made.one("cloudgate_gateway_handshakes_total", figures.handshakes)
    made.one("cloudgate_gateway_tls_failures_total", figures.tls_failures)
    made.one("cloudgate_gateway_connections", figures.connections)
    made.one("cloudgate_gateway_connections_rejected_total", figures.connections_rejected)
    made.one("cloudgate_gateway_target_failures_total", figures.target_failures)
    full = {
        each: part
        for each, part in figures.full.items()
        if part >= LEAST_FULL and each in RESOURCES
    }
    made.several("cloudgate_gateway_full_ratio", "resource", full)
    cpu = {each: figures.cpu_seconds[each] for each in _of_processes(figures.cpu_seconds)}
    made.several("cloudgate_gateway_cpu_seconds_total", "process", cpu)
    memory = {
        each: _coarse(figures.memory_bytes[each]) for each in _of_processes(figures.memory_bytes)
    }
    made.several("cloudgate_gateway_memory_bytes", "process", memory)
    free = figures.disk_free_bytes
    made.one("cloudgate_gateway_disk_free_bytes", None if free is None else _coarse(free))
    ends = "cloudgate_gateway_certificate_expiry_timestamp_seconds"
    made.one(ends, figures.certificate_expires_at)
    made.one("cloudgate_gateway_clock_skew_seconds", figures.clock_ahead_seconds)
    made.one("cloudgate_gateway_start_timestamp_seconds", began_at)
    return tuple([made.lines.get(name, "").encode() for name in FAMILIES])


class _Blocks:
    """Lines of one gateway, by metric. Values of labels besides its own need no escaping."""

    def __init__(self, whose: str) -> None:
        self.lines: dict[str, str] = {}
        self._whose = whose

    def one(self, name: str, value: float | None) -> None:
        if value is not None:
            self.lines[name] = f"{name}{{{self._whose}}} {number(value)}\n"

    def several(self, name: str, label: str, values: Mapping[str, float]) -> None:
        before = f"{name}{{{self._whose},{label}="
        self.lines[name] = "".join(
            [f'{before}"{each}"}} {number(value)}\n' for each, value in values.items()]
        )

    def times(self, name: str, found: Distribution | None) -> None:
        if found is not None and len(found.counts) == len(SETUP_BUCKETS_SECONDS) + 1:
            metric = METRICS[name]
            self.lines[name] = histogram(metric, self._whose, found.counts, found.sum_seconds)


def _with_others_summed(found: Mapping[str, float], names: frozenset[str]) -> Mapping[str, float]:
    """With the others put together."""
    if found.keys() <= names:
        return found
    counted: Counter[str] = Counter()
    for name, value in found.items():
        counted[name if name in names else OTHER] += value  # type: ignore[assignment]
    return counted


def _of_processes(found: Mapping[str, float]) -> list[str]:
    return sorted(PROCESSES & found.keys())


def _coarse(size_bytes: float) -> int:
    return round(size_bytes / COARSE_BYTES) * COARSE_BYTES
