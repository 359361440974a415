"""Does the time of a wrong password tell whether a name is there, or on how many sites?"""

from collections.abc import Callable
from typing import Any

import pytest
from argon2.low_level import hash_secret_raw

from cloudgate.errors import NotAuthenticatedError
from cloudgate.manager.core.unit_of_work import UnitOfWork
from cloudgate.manager.servers.backup_servers import BackupServerSettings, create_backup_server
from cloudgate.manager.storage.tables import CloudTenant
from cloudgate.manager.tenants import own_password, passwords
from cloudgate.manager.tenants.operations import authenticate_tenant
from cloudgate.trust import password_hashes
from cloudgate.trust.password_hashes import hash_password
from tests.support.running.manager import RunningManager, manager_of_module

TENANTS = {"everywhere": ("a", "b", "c"), "twice": ("a", "b"), "once": ("a",), "without": ("a",)}
Authenticate = Callable[[UnitOfWork, str, str], Any]


def add_sites(running: RunningManager) -> None:
    """With each tenant on as many of them; its password is its name and the site's."""
    hashes = {
        (name, site): hash_password(name + site) if name != "without" else ""
        for name, there in TENANTS.items()
        for site in there
    }
    with running.manager.changing() as work:
        sites = {
            each: create_backup_server(work, BackupServerSettings(name=each)).id
            for each in ("a", "b", "c")
        }
        for (name, site), password_hash in hashes.items():
            made = CloudTenant(
                backup_server_id=sites[site], name=name, login=name, directory_revision=0
            )
            made.password_hash = password_hash
            work.session.add(made)


running = manager_of_module(add_sites, site=None)


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One for each time that a password is computed."""
    made: list[str] = []

    def counted(*arguments: Any, **named: Any) -> bytes:
        made.append("")
        return hash_secret_raw(*arguments, **named)

    monkeypatch.setattr(password_hashes, "hash_secret_raw", counted)
    return made


WAYS = pytest.mark.parametrize("authenticate", [own_password.authenticate, authenticate_tenant])


@WAYS
@pytest.mark.parametrize("name", [*TENANTS, "nobody", "everywhere\\nobody"])
def test_a_wrong_password_costs_the_same_whatever_the_name_is(
    running: RunningManager, checks: list[str], authenticate: Authenticate, name: str
) -> None:
    with running.manager.reading() as work, pytest.raises(NotAuthenticatedError):
        authenticate(work, name, "wrong")
    assert len(checks) == 3


@WAYS
def test_the_right_password_of_any_site_comes_in(
    running: RunningManager, authenticate: Authenticate
) -> None:
    with running.manager.reading() as work:
        for site in ("a", "b", "c"):
            found = authenticate(work, "everywhere", f"everywhere{site}")
            assert found.backup_server.name == site


def test_what_a_failure_costs_is_bounded_but_for_a_name_on_more_sites() -> None:
    assert [passwords.checks_of_failure(*each) for each in ((0, 0), (1, 3), (0, 99), (9, 99))] == [
        1,
        3,
        4,
        9,
    ]


def test_a_new_password_that_is_too_short_costs_nothing(checks: list[str]) -> None:
    before = hash_password("the one of now")
    assert own_password.own_replacement(before, "short", None).password_hash == ""
    assert checks == []
    assert own_password.own_replacement(before, "long enough by far", None).password_hash
    assert checks
