"""Does a test that fails show what its processes said, and only what they said during it?"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.observation import process_output

PROGRAM = """
import pytest
from tests.support.observation import process_output


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    file = tmp_path_factory.mktemp("logs") / "up.log"
    process_output.keep(file)
    file.write_text("it has started\\n")
    return file


def test_first(log):
    assert False


def test_second(log):
    with log.open("a") as more:
        more.write("the disk is full\\n")
    assert False
"""


def test_only_what_was_said_since_the_test_began_belongs_to_it(tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    log.write_text("of before\n")
    process_output.keep(log)
    assert dict(process_output.said()) == {}
    with log.open("a") as more:
        more.write("of now\n")
    assert dict(process_output.said()) == {"up.log": "of now\n"}
    process_output.begin()
    assert dict(process_output.said()) == {}
    log.unlink()
    process_output.begin()
    log.write_text("another test's\n")
    assert dict(process_output.said()) == {}


@pytest.mark.timeout(60)
def test_it_is_shown_where_the_test_fails(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.is_registered(process_output)
    (tmp_path / "test_two.py").write_text(PROGRAM)
    root = Path(__file__).parents[2]
    plugin = "tests.support.observation.process_output"
    command = [sys.executable, "-m", "pytest", "-p", plugin, "-q", "test_two.py"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )
    first, _, second = done.stdout.partition("test_second")
    assert "it has started" in first
    assert "the disk is full" in second
    assert "it has started" not in second
