"""Span export: how does a collector hear of the changes that were made? By OpenTelemetry.

https://opentelemetry.io/docs/specs/otlp/. The collector is named as every program is told of one,
by OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT.
"""

import asyncio
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import structlog

from cloudgate import __version__
from cloudgate.background import Job
from cloudgate.errors import UnavailableError
from cloudgate.manager.jobs.spans import Span, spans_of
from cloudgate.manager.jobs.threads import run_in_daemon_thread
from cloudgate.manager.registries.task_timelines import EndedTask, TaskTimelines

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan

VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
MOST_WAITING = 2000
"""Tasks whose spans are not sent yet; of more, the oldest are left out."""
MOST_AT_ONCE = 200
TIMEOUT_SECONDS = 5.0
_AGAIN_SECONDS = 60.0

_log = structlog.get_logger(__name__)

Export = Callable[[Sequence[Span]], None]
"""Sends spans; raises `UnavailableError` where they were not taken."""


def open_export() -> Export | None:
    """To the collector that the environment names; None when it names none."""
    named = next((os.environ[each] for each in VARIABLES if os.environ.get(each)), None)
    if named is None:
        return None
    try:
        return _otlp(named)
    except ImportError:
        _log.warning(
            "no spans are sent: OpenTelemetry is not installed; add otel to the release's wheel,"
            " as docs/install.md says",
            collector=named,
        )
        return None


def _otlp(collector: str) -> Export:
    # An extra, and a third of a second of loading.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415

    exporter = OTLPSpanExporter(timeout=TIMEOUT_SECONDS)
    program = Resource.create({"service.name": "cloudgate", "service.version": __version__})

    def export(spans: Sequence[Span]) -> None:
        if (
            exporter.export([_readable(each, program) for each in spans])
            is not SpanExportResult.SUCCESS
        ):
            raise UnavailableError(
                f"The collector at {collector} does not take spans. See that it runs and speaks"
                " OTLP over HTTP; they are sent again."
            )

    return export


def _readable(span: Span, program: "Resource") -> "ReadableSpan":
    from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415
    from opentelemetry.trace import SpanContext, SpanKind, TraceFlags  # noqa: PLC0415
    from opentelemetry.trace.status import Status, StatusCode  # noqa: PLC0415

    def context(span_id: str, *, is_remote: bool) -> SpanContext:
        flags = TraceFlags(TraceFlags.SAMPLED)
        return SpanContext(int(span.trace_id, 16), int(span_id, 16), is_remote, flags)

    return ReadableSpan(
        name=span.name,
        context=context(span.span_id, is_remote=False),
        parent=context(span.parent_id, is_remote=True) if span.parent_id else None,
        resource=program,
        attributes=span.attributes,
        kind=SpanKind.SERVER if "cloudgate.task" in span.attributes else SpanKind.INTERNAL,
        status=Status(StatusCode.OK if span.success else StatusCode.ERROR),
        start_time=int(span.began_at.timestamp() * 1e9),
        end_time=int(span.ended_at.timestamp() * 1e9),
    )


class SpanExporter:
    """Sends the spans of tasks that have ended; what is not taken waits."""

    def __init__(self, timelines: TaskTimelines, export: Export) -> None:
        self._timelines = timelines
        self._export = export
        self._waiting: deque[EndedTask] = deque(maxlen=MOST_WAITING)

    def job(self) -> Job:
        """What is to be run."""
        return Job(
            name="Sending spans to the collector",
            attempt=self._attempt,
            interval_seconds=_AGAIN_SECONDS,
            news=self._news,
        )

    @contextmanager
    def _news(self, event: asyncio.Event) -> Iterator[None]:
        loop = asyncio.get_running_loop()

        def take(ended: EndedTask) -> None:
            self._waiting.append(ended)
            loop.call_soon_threadsafe(event.set)

        self._timelines.on_end = take
        try:
            yield
        finally:
            self._timelines.on_end = None

    async def _attempt(self) -> None:
        while self._waiting:
            some = [self._waiting[each] for each in range(min(MOST_AT_ONCE, len(self._waiting)))]
            spans = [span for each in some for span in spans_of(each)]
            if spans:
                await run_in_daemon_thread("span export", partial(self._export, spans))
            for each in some:
                if self._waiting and self._waiting[0] is each:
                    self._waiting.popleft()
