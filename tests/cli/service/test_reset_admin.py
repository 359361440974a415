"""The way back in: does whoever has the machine come in again when nobody else lets him?"""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from cloudgate.cli.app import app
from cloudgate.manager.sessions import second_factor
from cloudgate.manager.sessions.administration import remove_role
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.tables import Account, AccountRole, Passkey
from tests.support.running.manager import PASSWORD, RunningManager, running_manager


def take_all(running: RunningManager) -> None:
    """What somebody else who administers may do to `admin`, or its owner by losing a telephone."""
    client = running.logged_on()
    spec = {"Name": "mine", "Role": "Portal Administrator"}
    assert client.post("/security/tokens", json=spec).status_code == 201
    with running.manager.changing() as work:
        admin = work.session.scalars(select(Account)).one()
        other = Account(name="other", roles=[AccountRole(role_id=Role.PORTAL_ADMINISTRATOR.id)])
        work.session.add(other)
        admin.roles.append(AccountRole(role_id=Role.PORTAL_USER.id))
        admin.passkeys.append(
            Passkey(
                name="lost",
                credential_id="x",
                public_key="x",
                origin="x",
                sign_count=0,
                created_at=work.now,
            )
        )
        work.session.flush()
        remove_role(work, admin, Role.PORTAL_ADMINISTRATOR)
        second_factor.begin(work, admin.id)
        assert admin.factor is not None
        admin.factor.confirmed = True


def reset(folder: Path) -> tuple[int, str]:
    for key in folder.glob("ca.*"):  # the manager of tests has them beside its database
        (folder / "tls").mkdir(exist_ok=True)
        shutil.copy(key, folder / "tls")
    done = CliRunner().invoke(app, ["manager", "reset-admin", "--data", str(folder)])
    return done.exit_code, done.output


@pytest.mark.parametrize("gone", [False, True], ids=["there", "gone"])
def test_admin_comes_in_by_a_new_password_alone_and_what_was_shown_before_is_no_good(
    tmp_path: Path, *, gone: bool
) -> None:
    with running_manager(tmp_path) as running:
        before = running.logged_on()
        take_all(running)
        if gone:
            with running.manager.changing() as work:
                work.session.delete(
                    work.session.scalars(select(Account).filter_by(name="admin")).one()
                )
    code, said = reset(tmp_path)
    assert code == 0, said
    password = said.partition("nothing else: ")[2].split()[0]
    with running_manager(tmp_path, site=None) as running:
        client = running.client(Accept="application/json")
        assert client.post("/sessionMngr/", auth=("admin", PASSWORD)).status_code == 401
        assert client.post("/sessionMngr/", auth=("admin", password)).status_code == 201
        assert client.get("/security/accounts").status_code == 200
        assert client.get("/security/tokens").json().get("ApiTokens") in (None, [])
        old = before.headers.get("X-RestSvcSessionId") or before.cookies["X-RestSvcSessionId"]
        shown = running.client(**{"X-RestSvcSessionId": old})
        assert shown.get("/cloud/tenants").status_code == 401
        assert "ChangePassword" in {each.operation for each in running.audited()}


def test_it_is_for_a_manager_that_is_there_and_does_not_run(tmp_path: Path) -> None:
    code, said = reset(tmp_path / "nothing")
    assert code == 1
    assert "There is no database" in said
    assert not (tmp_path / "nothing").exists()
