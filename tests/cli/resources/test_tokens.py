"""API tokens on the command line: made, used, revoked."""

import json
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_a_token_is_made_into_a_file_used_in_place_of_a_password_and_revoked(
    cloudgate: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = home / "token"
    made = cloudgate("token", "create", "report", "--days", "7", "--file", str(file))
    assert (made.exit_code, made.stderr) == (0, f"Made report; it is in {file}.\n") or (
        made.stdout == f"Made report; it is in {file}.\n"
    )
    assert "cgt_" not in made.output
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (listed,) = json.loads(cloudgate("token", "list", "-o", "json").stdout)["ApiTokens"]
    assert (listed["Name"], listed["Role"]) == ("report", "Portal User")

    monkeypatch.delenv("CLOUDGATE_PASSWORD_FILE")
    cloudgate("logout")
    assert cloudgate("server", "list").exit_code == 1
    assert cloudgate("server", "list", "--token-file", str(file)).exit_code == 0
    monkeypatch.setenv("CLOUDGATE_TOKEN", file.read_text())
    assert cloudgate("tenant", "list").exit_code == 0
    assert "Access denied" in cloudgate("account", "list").stderr

    assert cloudgate("token", "revoke", "report").exit_code == 0
    refused = cloudgate("tenant", "list")
    assert refused.exit_code == 1
    assert "The API token is not known" in refused.stderr


def test_where_it_cannot_be_written_no_token_is_left_behind(cloudgate: Run, home: Path) -> None:
    made = cloudgate("token", "create", "lost", "--file", str(home / "none" / "token"))
    assert made.exit_code == 1
    assert "No token was left behind" in made.stderr
    assert json.loads(cloudgate("token", "list", "-o", "json").stdout).get("ApiTokens") in (
        None,
        [],
    )
    shown = cloudgate("token", "create", "seen")
    assert shown.exit_code == 0
    assert "cgt_" in shown.stdout
