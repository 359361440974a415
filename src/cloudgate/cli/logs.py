"""Where do log lines go, and what do they look like? To standard error; for people or as JSON."""

import logging
import sys
from collections.abc import Callable

import structlog
from structlog.typing import EventDict


def log_to_stderr(before: Callable[[], None] | None = None) -> None:
    """Send all logs to standard error: coloured lines on a terminal, JSON lines otherwise.

    Args:
        before: called before each line, to make room for it.
    """

    def make_room(_logger: object, _name: str, event: EventDict) -> EventDict:
        if before is not None:
            before()
        return event

    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s"
    )
    on_terminal = sys.stderr.isatty()
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
