"""Logs: where do their lines go, and what do they look like? To standard error, text or JSON."""

import io
import logging
import sys
from collections.abc import Callable
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict


class LossyStream(io.TextIOBase):
    """A stream for logs: what cannot be written is lost, and counted; it never fails whoever logs.

    A full disk (ENOSPC, EDQUOT, EFBIG), a broken one (EIO) and a reader that has gone (EPIPE) end
    no request, no tunnel and no background work. The next line that can be written says how many
    are missing.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lost_lines = 0

    def write(self, text: str) -> int:
        """Write a text, or lose it."""
        lost = self._lost_lines
        try:
            if lost:
                self._stream.write(f"{lost} lines of the log before this could not be written\n")
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


def log_to_stderr(before: Callable[[], None] | None = None) -> None:
    """Send all logs to standard error: coloured lines on a terminal, JSON lines otherwise.

    Args:
        before: called before each line, to make room for it.
    """

    def make_room(_logger: object, _name: str, event: EventDict) -> EventDict:
        if before is not None:
            before()
        return event

    stream = LossyStream(sys.stderr)
    logging.basicConfig(
        level=logging.WARNING, stream=stream, format="%(levelname)s %(name)s: %(message)s"
    )
    on_terminal = stream.isatty()
    renderer = (
        structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            make_room,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, stream)),
        cache_logger_on_first_use=True,
    )
