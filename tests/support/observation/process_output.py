"""Process output: what did the processes of a test say? Shown with the test, where it fails."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

_MOST_BYTES = 8_000
_said_before_bytes: dict[Path, int] = {}
"""Each log, and how much stood in it when the test began."""


def keep(log_file: Path) -> None:
    """From now on, what is written there belongs to whichever test runs."""
    _said_before_bytes.setdefault(log_file, _size_bytes(log_file))


def begin() -> None:
    """A test begins: what was said before is not about it."""
    for log_file in list(_said_before_bytes):
        if log_file.exists():
            _said_before_bytes[log_file] = _size_bytes(log_file)
        else:
            del _said_before_bytes[log_file]


def said() -> Iterator[tuple[str, str]]:
    """Name of each log in which something was written since the test began, and the end of it."""
    for log_file, before in _said_before_bytes.items():
        now = _size_bytes(log_file)
        if now > before:
            with log_file.open("rb") as log:
                log.seek(max(before, now - _MOST_BYTES))
                yield log_file.name, log.read().decode(errors="replace")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Each test begins anew, where this is a plug-in: `tests/conftest.py` says so."""
    begin()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a test that fails what was said."""
    report = yield
    if report.failed:
        report.sections.extend((f"{name} said", text) for name, text in said())
    return report


def _size_bytes(log_file: Path) -> int:
    return log_file.stat().st_size if log_file.exists() else 0
