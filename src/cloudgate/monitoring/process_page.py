"""Process page: what does each process show of itself, whatever it is there for?

Figures of the process and of Python are those of Prometheus' client library; health and jobs are
ours.
"""

from collections.abc import Callable
from functools import cache

from cloudgate import __version__
from cloudgate.background import Background
from cloudgate.monitoring.exposition import OPEN_METRICS, Lines, media_type
from cloudgate.monitoring.health import CheckResult, Health
from cloudgate.monitoring.page_threads import in_page_thread


async def page(
    accept: str, health: Health, background: Background, write: Callable[[Lines], None]
) -> tuple[list[bytes], str]:
    """A page of metrics, a piece for each, and its media type.

    Args:
        accept: the header of who asks.
        health: of this process.
        background: its jobs.
        write: adds what this process is there for; called in a thread.
    """
    found, form, lines = await health.findings(), media_type(accept), Lines()
    _write_health(lines, found)
    _write_jobs(lines, background)

    def render() -> list[bytes]:
        write(lines)
        return lines.render(form, _of_the_process(form))

    return await in_page_thread(render), form


def _write_health(lines: Lines, found: tuple[CheckResult, ...]) -> None:
    lines.put("cloudgate_build_info", 1, __version__)
    lines.put("cloudgate_ready", int(not any(each.problem for each in found)))
    for each in found:
        lines.put("cloudgate_check_ok", int(not each.problem), each.name)


def _write_jobs(lines: Lines, background: Background) -> None:
    failing = {each.name for each in background.failing}
    for each in background.records:
        lines.put("cloudgate_job_runs_total", each.runs, each.name)
        lines.put("cloudgate_job_failures_total", each.failures, each.name)
        lines.put("cloudgate_job_failing", int(each.name in failing), each.name)
        if each.succeeded_at is not None:
            at = each.succeeded_at.timestamp()
            lines.put("cloudgate_job_last_success_timestamp_seconds", at, each.name)


def _of_the_process(form: str) -> str:
    """With the end of the page, which OpenMetrics marks."""
    text, open_metrics, registry = _library()
    made = open_metrics(registry) if form == OPEN_METRICS else text(registry)
    return made.decode()


@cache
def _library() -> tuple[Callable[..., bytes], Callable[..., bytes], object]:
    # It is needed where somebody scrapes, and not for the start of every command.
    from prometheus_client import (  # noqa: PLC0415
        CollectorRegistry,
        GCCollector,
        PlatformCollector,
        ProcessCollector,
    )
    from prometheus_client.exposition import generate_latest as text  # noqa: PLC0415
    from prometheus_client.openmetrics.exposition import (  # noqa: PLC0415
        generate_latest as open_metrics,
    )

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return text, open_metrics, registry
