"""Signing in on the command line: codes from the environment or a terminal, and linked accounts."""

import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from cloudgate.manager.sessions import totp
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.sessions.single_sign_on import link
from cloudgate.manager.storage.tables import Account
from tests.cli.conftest import Run
from tests.support.running.manager import RunningManager
from tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture
def secret(running: RunningManager, cloudgate: Run, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of the factor of ann, who is asking from then on."""
    running.clock.begin(totp.STEP_SECONDS)
    roles = {"EnterpriseRoles": [{"EnterpriseRoleUid": str(Role.PORTAL_USER.id)}]}
    spec = {"AccountType": "User", "AccountName": "ann", "Password": "s3cret", "Roles": roles}
    running.logged_on().post("/security/accounts", json=spec).raise_for_status()
    session = running.client(Accept="application/json")
    session.post("/sessionMngr/", auth=("ann", "s3cret")).raise_for_status()
    made = str(session.post("/security/factor").json()["Secret"])
    session.put("/security/factor", json={"Code": code(running, made, -1)}).raise_for_status()
    monkeypatch.setenv("CLOUDGATE_USER", "ann")
    Path(os.environ["CLOUDGATE_PASSWORD_FILE"]).write_text("s3cret")
    return made


def code(running: RunningManager, secret: str, ahead: int = 0) -> str:
    return totp.code_of(secret, totp.step_at(running.clock()) + ahead)


def test_a_code_is_asked_for_at_a_terminal_and_taken_from_the_environment(
    running: RunningManager, cloudgate: Run, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = cloudgate("tenant", "list")
    assert without.exit_code == 1
    assert "CLOUDGATE_CODE" in without.stderr
    assert at_a_terminal("tenant", "list", answer=code(running, secret)) == 0
    assert cloudgate("tenant", "list").exit_code == 0  # the session is kept
    cloudgate("logout")
    monkeypatch.setenv("CLOUDGATE_CODE", code(running, secret, 1))
    assert cloudgate("tenant", "list").exit_code == 0


def at_a_terminal(*words: str, answer: str) -> int:
    """The status of a command that asks for a code, and is answered."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cloudgate", *words], stdin=theirs, stdout=theirs, stderr=theirs
    )
    shown = b""
    try:
        while b"Code of the second factor of ann" not in shown:
            ready, _, _ = select.select([ours], [], [], PATIENCE_SECONDS)
            assert ready, shown
            shown += os.read(ours, 4096)
        os.write(ours, f"{answer}\n".encode())
        return process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
        os.close(ours)
        os.close(theirs)


def test_an_account_is_linked_to_a_person_of_the_provider_where_there_is_one(
    running: RunningManager, cloudgate: Run
) -> None:
    cloudgate("account", "create", "bob", "--role", "Portal User", "--generate-password")
    without = cloudgate("account", "link", "bob", "person-1")
    assert "no single sign-on" in without.stderr
    assert "is linked to nobody" in cloudgate("account", "identity", "bob").stderr
    with running.manager.changing() as work:
        account = work.session.query(Account).filter_by(name="bob").one()
        link(work, account, "https://id.example", "person-1")
    assert "person-1" in cloudgate("account", "identity", "bob").stdout
    assert cloudgate("account", "unlink", "bob").exit_code == 0
    assert cloudgate("account", "identity", "bob").exit_code == 1
