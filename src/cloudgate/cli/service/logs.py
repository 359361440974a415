"""Logs: where do their lines go, and what do they look like? To standard error, text or JSON."""

import io
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor

from cloudgate.values.shown_texts import printable, printable_json

SUMMED_UP_SECONDS = 60.0


class LossyStream(io.TextIOBase):
    """A stream for logs: what cannot be written is lost, and counted; it never fails whoever logs.

    A full disk (ENOSPC, EDQUOT, EFBIG), a broken one (EIO) and a reader that has gone (EPIPE) end
    no request, no tunnel and no background work. The next line that can be written says how many
    are missing.
    """

    def __init__(self, stream: TextIO, missing: Callable[[int], str] | None = None) -> None:
        """`missing`: the line that says how many are missing."""
        self._stream = stream
        self._missing = missing or _missing
        self._lost_lines = 0

    def write(self, text: str) -> int:
        """Write a text, or lose it."""
        lost = self._lost_lines
        try:
            if lost:
                self._stream.write(f"{self._missing(lost)}\n")
            self._stream.write(text)
            self._stream.flush()
        except OSError:  # ENOSPC, EPIPE, EIO: nobody can be told but the next line
            self._lost_lines += text.count("\n")
        else:
            self._lost_lines -= lost
        return len(text)

    def flush(self) -> None:
        """Nothing to do: each text is written at once."""

    def isatty(self) -> bool:
        """Whether people read it."""
        return self._stream.isatty()


class RepetitionFilter(logging.Filter):
    """Sums up what strangers have the HTTP server say: one line of a kind each minute."""

    def __init__(self, clock_seconds: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock_seconds = clock_seconds
        self._said: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written; it says how many were not."""
        if record.name != "uvicorn.error" or record.levelno != logging.WARNING:
            return True
        now = self._clock_seconds()
        kind = str(record.msg)
        last, left_out = self._said.get(kind, (-SUMMED_UP_SECONDS, 0))
        if now - last < SUMMED_UP_SECONDS:
            self._said[kind] = last, left_out + 1
            return False
        if left_out:
            record.msg = f"{kind} And {left_out} more since the line before."
        self._said[kind] = now, 0
        return True


def log_to_stderr(before: Callable[[], None] | None = None) -> None:
    """Send all logs to standard error: coloured lines on a terminal, JSON lines otherwise.

    Lines that libraries log by `logging` have the same form. For journald each line begins with its
    priority, as sd-daemon(3) has it.

    Args:
        before: called before each line, to make room for it.
    """

    def make_room(_logger: object, _name: str, event: EventDict) -> EventDict:
        if before is not None:
            before()
        return event

    for_people = sys.stderr.isatty()
    render: Processor = (
        _ColouredLines() if for_people else _JsonLines(with_priority=_is_journal(sys.stderr))
    )
    missing = None if for_people else _missing_as(render)
    stream = LossyStream(sys.stderr, missing)
    structlog.configure(
        processors=[*_SHARED, make_room, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, stream)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *_SHARED],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    handler.addFilter(RepetitionFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.processors.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
)
_FIRST = ("timestamp", "level", "event")
"""What every line has, in this order; see docs/logs.md."""
_OF_SEVERAL_LINES = ("exception", "stack")
_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""As syslog(3) counts them."""


class _ColouredLines:
    """Coloured lines for people, whose terminal nothing steers that others have said."""

    def __init__(self) -> None:
        self._to_lines = structlog.dev.ConsoleRenderer()

    def __call__(self, logger: object, name: str, event: EventDict) -> str:
        """Render it; a stack trace has several lines, all else one."""
        for key, said in event.items():
            if isinstance(said, str):
                event[key] = printable(said, kept="\n" if key in _OF_SEVERAL_LINES else "")
        return str(self._to_lines(logger, name, event))


class _JsonLines:
    """A line of JSON for each event."""

    def __init__(self, *, with_priority: bool) -> None:
        self._with_priority = with_priority
        self._to_json = structlog.processors.JSONRenderer(ensure_ascii=False)

    def __call__(self, logger: object, name: str, event: EventDict) -> str:
        """Render it."""
        ordered = {key: event.pop(key) for key in _FIRST if key in event} | dict(event)
        line = self._to_json(logger, name, ordered)
        text = printable_json(line if isinstance(line, str) else line.decode())
        if not self._with_priority:
            return text
        return f"<{_PRIORITIES.get(str(ordered.get('level')), 6)}>{text}"


def _missing(lines: int) -> str:
    return f"{lines} lines of the log before this could not be written"


def _missing_as(render: Processor) -> Callable[[int], str]:
    def say(lines: int) -> str:
        event: EventDict = {"event": "lines of the log could not be written", "lines": lines}
        for each in (*_SHARED[1:], render):
            event = each(None, "warning", event)  # type: ignore[assignment]
        return str(event)

    return say


def _is_journal(stream: TextIO) -> bool:
    """Whether a stream goes to journald: `$JOURNAL_STREAM` of systemd.exec(5) names it."""
    named = os.environ.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # EBADF; a stream without a file
        return False
    return named == f"{found.st_dev}:{found.st_ino}"
