"""What do tests of several rooms share?"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from tests.support.host import ScriptedHost
from tests.support.manager import RunningManager, running_manager

# Tracebacks with all that each function knew are for people at a terminal; here they take seconds.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        ),
    ]
)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningManager]:
    """A manager with one backup server, for one test."""
    with running_manager(tmp_path) as started:
        yield started


@pytest.fixture
def host(running: RunningManager) -> Iterator[ScriptedHost]:
    """A managed server gw1.example that has joined."""
    joined = ScriptedHost(running)
    yield joined
    joined.close()
