"""Spans: what does a change look like to those who keep traces? Pure.

One span for the change, from the request to the end of its task, and one below it for each of its
parts: reading the request, the transaction, and at each managed server the news, the work and the
look at what came of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from cloudgate import trace_context
from cloudgate.manager.registries.task_timelines import EndedTask, Step, StepName

_PARTS = {
    StepName.STARTED: "read request",
    StepName.COMMITTED: "transaction",
    StepName.TOLD: "tell host",
    StepName.APPLIED: "apply",
    StepName.READ_BACK: "read back",
    StepName.DIALLED: "dial gateway",
}


@dataclass(frozen=True)
class Span:
    """A stretch of time in which something was done."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    """Empty where a trace begins."""
    began_at: datetime
    ended_at: datetime
    attributes: dict[str, str | int]
    success: bool = True


def spans_of(ended: EndedTask) -> tuple[Span, ...]:
    """Those of a task; none where nobody asked for it, or where its caller keeps none of them."""
    request = trace_context.parse(ended.trace)
    if request is None or not request.is_sampled:
        return ()
    whole = Span(
        ended.operation,
        request.trace_id,
        request.span_id,
        ended.parent_id,
        ended.steps[0].at,
        ended.steps[-1].at,
        {"cloudgate.task": ended.number},
        ended.success,
    )
    return (whole, *_parts(whole, ended.steps))


def _parts(whole: Span, steps: tuple[Step, ...]) -> Iterator[Span]:
    latest: dict[UUID | None, datetime] = {None: whole.began_at}
    """What came before, at the same server or else at the manager."""
    for number, step in enumerate(steps):
        # The address is dialled once the last server has said that it listens.
        is_dialled = step.name is StepName.DIALLED
        since = max(latest.values()) if is_dialled else latest.get(step.server_id, latest[None])
        latest[step.server_id] = step.at
        if step.name not in _PARTS:
            continue
        attributes: dict[str, str | int] = (
            {"cloudgate.server": str(step.server_id)} if step.server_id else {}
        )
        yield Span(
            _PARTS[step.name],
            whole.trace_id,
            _span_id(whole, number),
            whole.span_id,
            min(since, step.at),
            step.at,
            attributes,
        )


def _span_id(whole: Span, number: int) -> str:
    """The same however often it is sent."""
    return sha256(f"{whole.span_id} {number}".encode()).hexdigest()[:16]
