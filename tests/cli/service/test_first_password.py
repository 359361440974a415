"""The administrator's first password is shown to somebody, whatever happens before that."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from cloudgate.cli.service import launcher
from cloudgate.cli.service.launcher import run_up
from cloudgate.cli.service.manager.options import Options
from cloudgate.cli.service.manager.serving import Service, administrator, started
from cloudgate.errors import InvalidRequestError, NotAuthenticatedError, UnavailableError
from cloudgate.manager.core.unit_of_work import Manager
from cloudgate.manager.security.authority import open_authority
from cloudgate.manager.security.sealing import open_sealing
from cloudgate.manager.sessions.accounts import authenticate, note_first_password_known
from cloudgate.manager.sessions.administration import NewAccount, create_account, delete_account
from cloudgate.manager.sessions.operations import begin_session
from cloudgate.manager.sessions.recovery import let_administrator_in
from cloudgate.manager.sessions.roles import Role
from cloudgate.manager.storage.database import Database
from cloudgate.manager.storage.sqlite import sqlite_url
from cloudgate.manager.storage.tables import Account
from tests.support.ports import free_port


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    (tmp_path / "tls").mkdir()
    database = Database(sqlite_url(tmp_path / "cloudgate.db"))
    yield Manager(database, open_authority(tmp_path / "tls"), open_sealing(tmp_path))
    database.close()


def comes_in(manager: Manager, password: str | None) -> bool:
    assert password is not None
    try:
        authenticate(manager, "admin", password)
    except NotAuthenticatedError:
        return False
    return True


def test_a_start_that_ended_before_it_showed_the_password_is_followed_by_one_that_shows_another(
    manager: Manager,
) -> None:
    first = administrator(manager, Options())
    second = administrator(manager, Options())
    assert not comes_in(manager, first)
    assert comes_in(manager, second)
    with manager.changing() as work:
        note_first_password_known(work)
    assert administrator(manager, Options()) is None
    assert comes_in(manager, second)


def test_who_has_logged_on_with_it_keeps_it(manager: Manager) -> None:
    password = administrator(manager, Options())
    assert password is not None
    account = authenticate(manager, "admin", password)
    begin_session(manager, account, "latest", None, "192.0.2.1")
    assert administrator(manager, Options()) is None
    assert comes_in(manager, password)


def test_a_password_that_the_operator_gives_or_resets_is_his(
    manager: Manager, tmp_path: Path
) -> None:
    administrator(manager, Options())
    (tmp_path / "password").write_text("a password of his own")
    assert administrator(manager, Options(admin_password_file=tmp_path / "password")) is None
    assert administrator(manager, Options()) is None
    assert comes_in(manager, "a password of his own")


def test_a_password_that_was_reset_before_the_first_was_shown_is_kept(manager: Manager) -> None:
    administrator(manager, Options())
    let_administrator_in(manager, "one that was printed")
    assert administrator(manager, Options()) is None
    assert comes_in(manager, "one that was printed")


@pytest.fixture
def first(tmp_path: Path) -> Options:
    """With a file of the first password, as packages have it."""
    (tmp_path / "first").write_text("one for the beginning\n")
    return Options(first_admin_password_file=tmp_path / "first")


def test_a_first_password_from_a_file_is_printed_nowhere(manager: Manager, first: Options) -> None:
    assert administrator(manager, first) is None
    assert comes_in(manager, "one for the beginning")
    assert administrator(manager, Options()) is None


def test_who_changes_the_first_password_keeps_his_and_needs_its_file_no_more(
    manager: Manager, first: Options
) -> None:
    administrator(manager, first)
    let_administrator_in(manager, "one of his own")
    assert administrator(manager, first) is None
    assert comes_in(manager, "one of his own")
    assert first.first_admin_password_file is not None
    first.first_admin_password_file.unlink()
    assert administrator(manager, first) is None
    assert comes_in(manager, "one of his own")


def test_the_first_password_of_a_machine_is_not_given_to_a_manager_that_others_began(
    manager: Manager, first: Options, tmp_path: Path
) -> None:
    administrator(manager, first)
    (tmp_path / "other").write_text("of the second machine, or of the new one")
    administrator(manager, Options(first_admin_password_file=tmp_path / "other"))
    assert comes_in(manager, "one for the beginning")


def test_a_first_password_that_nobody_has_seen_gives_way_to_that_of_the_file(
    manager: Manager, first: Options
) -> None:
    unseen = administrator(manager, Options())
    assert administrator(manager, first) is None
    assert not comes_in(manager, unseen)
    assert comes_in(manager, "one for the beginning")


def test_an_admin_who_was_deleted_does_not_come_back_by_his_first_password(
    manager: Manager, first: Options
) -> None:
    administrator(manager, first)
    with manager.changing() as work:
        role = Role.PORTAL_ADMINISTRATOR.id
        create_account(work, NewAccount(name="jane", kind="User", role_ids=[role]))
    with manager.changing() as work:
        admin = work.session.scalar(select(Account).where(Account.name == "admin"))
        assert admin is not None
        delete_account(work, admin)
    assert administrator(manager, first) is None
    assert not comes_in(manager, "one for the beginning")


def test_a_file_that_holds_at_each_start_wins_over_that_of_the_first(
    manager: Manager, first: Options, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("a password of his own")
    administrator(manager, replace(first, admin_password_file=tmp_path / "password"))
    assert comes_in(manager, "a password of his own")


def test_where_the_first_password_should_be_and_is_not_it_is_said(
    manager: Manager, tmp_path: Path
) -> None:
    with pytest.raises(InvalidRequestError, match="nowhere"):
        administrator(manager, Options(first_admin_password_file=tmp_path / "nowhere"))


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(
        data=tmp_path / "manager", host="127.0.0.1", port=free_port(), metrics_listen="off"
    )


def shown(capfd: pytest.CaptureFixture[str]) -> list[str]:
    lines = capfd.readouterr().out.splitlines()
    return [each.split()[1] for each in lines if each.startswith("password ")]


async def lead(options: Options, *, stood_by: bool = False) -> None:
    with started(options) as service:
        if stood_by:
            service._greet(None)
        async with service.leading():
            pass


def test_up_shows_it_at_the_next_start_where_the_first_did_not_come_so_far(
    options: Options, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    async def join(*_: object) -> None:
        raise UnavailableError("The manager cannot be reached.")

    with monkeypatch.context() as once:
        once.setattr(launcher, "join_host", join)
        once.setattr(launcher, "log_to_stderr", lambda: None)  # which pytest takes away again
        with pytest.raises(UnavailableError):
            asyncio.run(run_up(options))
    assert shown(capfd) == []
    asyncio.run(lead(options))
    assert len(shown(capfd)) == 1
    asyncio.run(lead(options))
    assert shown(capfd) == []


def test_serve_shows_it_at_the_next_start_where_the_first_did_not_come_so_far(
    options: Options, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class KilledError(BaseException):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as once:
        once.setattr(Service, "_greet", killed)
        with pytest.raises(KilledError):
            asyncio.run(lead(options))
    asyncio.run(lead(options))
    assert len(shown(capfd)) == 1


def test_a_manager_that_stood_by_before_shows_it_when_it_leads(
    options: Options, capfd: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(lead(options, stood_by=True))
    assert len(shown(capfd)) == 1
