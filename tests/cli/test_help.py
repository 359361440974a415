"""Is help all there, and quick? The console script reads only the commands that may be meant."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloudgate.cli.app import app


def said(*arguments: str) -> list[str]:
    """The words: how wide the lines are depends on the terminal."""
    script = str(Path(sys.executable).with_name("cloudgate"))
    command = [script, *arguments, "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.split()


@pytest.mark.parametrize("group", [(), ("gateway",), ("host",), ("tenant", "user")], ids=" ".join)
def test_the_console_script_knows_every_command(group: tuple[str, ...]) -> None:
    whole = CliRunner().invoke(app, [*group, "--help"], prog_name="cloudgate")
    assert said(*group) == whole.stdout.split()


def test_help_loads_nothing_that_only_work_needs() -> None:
    program = """
import sys
from cloudgate.cli.app import main
sys.argv[1:] = ["--help"]
try:
    main()
except SystemExit:
    pass
heavy = {"asyncio", "rich.table", "httpx2", "pydantic", "sqlalchemy", "cryptography"}
print(sorted(heavy & {*sys.modules}))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines()[-1] == "[]"
