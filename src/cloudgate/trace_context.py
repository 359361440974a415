"""Trace context: to which request of whom does a piece of work, and a line of the log, belong?

W3C Trace Context (https://www.w3.org/TR/trace-context/): a caller names its request in the header
``traceparent``; what is done for it carries the same trace id, on this machine and on others.
"""

import re
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime

from structlog.contextvars import bind_contextvars, reset_contextvars

HEADER = "traceparent"
LOG_KEY = "trace_id"
SAMPLED = 0x01
_FORM = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
    re.DOTALL,
)


@dataclass(frozen=True)
class TraceContext:
    """A trace, and the span within it that work is done for."""

    trace_id: str
    """32 digits in base 16, not all 0."""
    span_id: str
    """16 digits in base 16, not all 0."""
    is_sampled: bool = True
    """Whether the caller may keep what it hears of the trace."""
    parent_id: str = ""
    """The span of the caller, in the same trace; empty where the trace begins."""
    began_at: datetime | None = None
    """When the request came that the work is done for."""

    @property
    def header(self) -> str:
        """As one program says it to the next."""
        return f"00-{self.trace_id}-{self.span_id}-{SAMPLED if self.is_sampled else 0:02x}"


def parse(header: str) -> TraceContext | None:
    """The context that a text names; None for none that can be read."""
    found = _FORM.fullmatch(header)
    if found is None or found["version"] == "ff" or (found["version"] == "00" and found["more"]):
        return None
    if not int(found["trace"], 16) or not int(found["span"], 16):
        return None
    return TraceContext(found["trace"], found["span"], bool(int(found["flags"], 16) & SAMPLED))


def begin(headers: Sequence[str], began_at: datetime) -> TraceContext:
    """The context of a request: a span in its caller's trace, or a trace of its own.

    Section 4.2: of a caller who names none that can be read, or several, nothing is taken.

    Args:
        headers: all ``traceparent`` of the request.
        began_at: when it came.
    """
    caller = parse(headers[0]) if len(headers) == 1 else None
    span_id = secrets.token_hex(8)
    if caller is None:
        return TraceContext(secrets.token_hex(16), span_id, began_at=began_at)
    return replace(caller, span_id=span_id, parent_id=caller.span_id, began_at=began_at)


_current: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def current() -> TraceContext | None:
    """What this piece of work is done for; None for what the program does of itself."""
    return _current.get()


@contextmanager
def following(context: TraceContext | None) -> Iterator[None]:
    """While it is open, what is done and logged belongs to `context`."""
    if context is None:
        yield
        return
    # Set and reset: `bound_contextvars` would look at all variables of each request twice.
    token, of_log = _current.set(context), bind_contextvars(**{LOG_KEY: context.trace_id})
    try:
        yield
    finally:
        reset_contextvars(**of_log)
        _current.reset(token)
