"""What do tests of several rooms share?"""

import gc
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
import structlog
from argon2 import PasswordHasher
from hypothesis import HealthCheck, settings

from cloudgate.host.envoy.data_path.choice import FOLDER
from cloudgate.manager.storage.write_turns import holds_turn
from cloudgate.trust import password_hashes
from data_path.build import build, compiler
from tests.support.machine.disks import unmount_leftovers
from tests.support.machine.loops import left_open
from tests.support.observation import process_output
from tests.support.programs.postgres import needs_postgresql, shared_server
from tests.support.running.host import ScriptedHost
from tests.support.running.manager import RunningManager, running_manager
from tests.support.running.statements import share_statements
from tests.support.scratch import own_temporary_folder, scratch_root

NEW_OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""With Python's 700 a tenth of what the tests took was looking for garbage."""

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

os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", scratch_root())
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
if os.geteuid() == 0 and not IS_WORKER:
    unmount_leftovers(Path(scratch_root()))

# Managers that run beside each other would all show their figures at the usual address.
os.environ.setdefault("CLOUDGATE_METRICS_LISTEN", "off")

# What a check of a password costs is the promise of one test; the others would only wait for it.
password_hashes.hasher = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)


def _see_that_nobody_waits(encoded: Callable[[str], bytes]) -> Callable[[str], bytes]:
    """Fail what hashes a password while all others wait who want to change something."""

    def see(text: str) -> bytes:
        assert not holds_turn(), "A password is hashed before a change begins: it takes long."
        return encoded(text)

    return see


_hashed = "_encoded"  # what each password goes through
pytest.MonkeyPatch().setattr(
    password_hashes, _hashed, _see_that_nobody_waits(getattr(password_hashes, _hashed))
)

share_statements(pytest.MonkeyPatch())

# The same run gives the same result; `make thorough` looks for cases that nobody has seen, and
# what it finds becomes an @example.
settings.register_profile("fixed", max_examples=40, derandomize=True, deadline=None, database=None)
settings.register_profile(
    "thorough", max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("fixed")


@pytest.fixture(scope="session", autouse=True)
def module() -> None:
    """The module for Envoy, of the sources as they are."""
    if compiler() is not None:
        assert build(FOLDER) == ""


SQLITE, POSTGRESQL = "sqlite", "postgresql"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what has the mark `both_databases` on SQLite, and on PostgreSQL."""
    if metafunc.definition.get_closest_marker("both_databases") is None:
        return
    if "running" in metafunc.fixturenames:
        kinds = [SQLITE, pytest.param(POSTGRESQL, marks=needs_postgresql)]
        metafunc.parametrize("database_kind", kinds, indirect=True)


@pytest.fixture
def database_kind(request: pytest.FixtureRequest) -> str:
    """Of which kind the manager's database is."""
    return str(getattr(request, "param", SQLITE))


@pytest.fixture
def running(tmp_path: Path, database_kind: str) -> Iterator[RunningManager]:
    """A manager with one backup server, for one test."""
    url = shared_server().new_database() if database_kind == POSTGRESQL else None
    with running_manager(tmp_path, database_url=url) as started:
        yield started


@pytest.fixture
def client(running: RunningManager) -> httpx2.Client:
    """Logged on at this manager as its administrator."""
    return running.logged_on()


@pytest.fixture
def manager_logs_elsewhere() -> Iterator[None]:
    """What the manager in this process logs is no output of what is run."""
    before = structlog.get_config()["logger_factory"]
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.__stderr__))
    yield
    structlog.configure(logger_factory=before)


@pytest.fixture
def host(running: RunningManager) -> Iterator[ScriptedHost]:
    """A managed server gw1.example that has joined."""
    joined = ScriptedHost(running)
    yield joined
    joined.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """A test that leaves a connection open on its loop is told so."""
    yield
    assert left_open() == []


def pytest_collection_finish() -> None:
    """What was loaded and collected by now is never garbage: do not look at it again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_BETWEEN_COLLECTIONS)
    gc.enable()


def pytest_collection() -> None:
    """Half a million objects come in that stay: looking for garbage took a third of that time."""
    gc.disable()


def pytest_configure(config: pytest.Config) -> None:
    """Show with a test that fails what the processes said that it had started.

    All processes of a run keep temporary files in one folder, which goes with the run.
    """
    config.pluginmanager.register(process_output, process_output.__name__)
    if not IS_WORKER:
        held = ExitStack()
        held.enter_context(own_temporary_folder())
        config.add_cleanup(held.close)
