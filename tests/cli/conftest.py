"""The command line as a process would have it: its own folders, environment, and no terminal."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from cloudgate.cli.app import app
from tests.support.running.manager import PASSWORD, RunningManager

Run = Callable[..., Result]

# The runner builds the tree of all commands anew each time, which takes longer than most commands.
vars(typer.testing)["_get_command"] = cache(typer.main.get_command)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a user who has not used Cloudgate before."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "CLOUDGATE_DATA", "CLOUDGATE_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def cloudgate(
    running: RunningManager,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    manager_logs_elsewhere: None,
) -> Run:
    """Runs a command against the manager, as its administrator."""
    password_file = home / "password"
    password_file.write_text(f"{PASSWORD}\n")
    monkeypatch.setenv("CLOUDGATE_URL", running.url)
    monkeypatch.setenv("CLOUDGATE_CA", str(running.ca_file))
    monkeypatch.setenv("CLOUDGATE_PASSWORD_FILE", str(password_file))

    def run(*arguments: str) -> Result:
        is_service = arguments[:1] in (("serve",), ("up",)) or arguments[:2] == ("host", "run")
        # It would have all that is logged later in this process go where nothing is open any more.
        assert not is_service or "--print-unit" in arguments, "start a service as a process"
        return CliRunner().invoke(app, arguments, catch_exceptions=False)

    return run
