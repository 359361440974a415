"""Is a password that was replaced good at a gateway for its time, and not longer?"""

import asyncio
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from cloudgate.host.authorization.authenticator import Authenticator
from cloudgate.host.authorization.old_password_uses import TOLD_EVERY, OldPasswordUses
from cloudgate.host.envoy.data_path.choice import DataPathKind
from cloudgate.host.state.principal import Principal
from cloudgate.host.state.withdrawal import left_of
from cloudgate.protocol import GatewayState, OldPasswordUse, Tenant, User
from cloudgate.trust.password_hashes import matching
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import HASHER, PASSWORD, PASSWORD_HASH, tenant
from tests.support.running.tenant_program import Client

REPO = "repo.example:443"
NEW = "another good one"
NEW_HASH = HASHER.hash(NEW)
NOW = datetime.now(UTC)
TWO = {
    "password_hash": NEW_HASH,
    "old_password_hash": PASSWORD_HASH,
    "old_password_until": NOW + timedelta(days=1),
}
ACME = UUID(int=1)
pytestmark = pytest.mark.anyio


def basic(text: str) -> str:
    return "Basic " + b64encode(text.encode()).decode()


@pytest.mark.parametrize("way", list(DataPathKind), indirect=True)
async def test_both_passwords_are_good_until_the_time_is_over_and_then_the_new_one(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    live = await client.connect(port, REPO)
    machine.know(tenant(repository_port, **TWO))
    for password, status in ((PASSWORD, 200), (NEW, 200), ("wrong", 407)):
        assert (await client.connect(port, REPO, f"acme:{password}")).status == status
    assert [each.tenant_id for each in machine.authorizer.old_passwords.pending()] == [ACME]
    over = {**TWO, "old_password_until": datetime.now(UTC)}
    machine.know(tenant(repository_port, **over))
    assert (await client.connect(port, REPO)).status == 407
    assert (await client.connect(port, REPO, f"acme:{NEW}")).status == 200
    assert await live.echoes(), "a live tunnel goes on"


class Logins:
    """An authenticator whose clock and directory are the test's; how many hashes were computed."""

    def __init__(self, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = NOW
        self.machine = machine
        self.made = Authenticator(machine.directory, lambda: self.now)
        self.looks = 0

        def counted(hashes: Any, password: str) -> str:
            self.looks += 1
            return matching(hashes, password)

        monkeypatch.setattr("cloudgate.host.authorization.password_verifier.matching", counted)

    async def let_in(self, login: str) -> bool:
        return (await self.made.authenticate(basic(login), "192.0.2.1")).proven


@pytest.fixture
def logins(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> Logins:
    return Logins(machine, monkeypatch)


async def test_a_wrong_password_counts_as_one_attempt_and_is_looked_at_once(
    logins: Logins,
) -> None:
    logins.machine.know(tenant(1, **TWO))
    assert not await logins.let_in("acme:wrong")
    assert logins.looks == 1
    logins.now += timedelta(minutes=2)
    assert [each.count for each in logins.made.guesses.pending()] == [1]


async def test_an_old_password_that_was_remembered_is_refused_once_its_time_is_over(
    logins: Logins,
) -> None:
    logins.machine.know(tenant(1, **TWO))
    assert await logins.let_in(f"acme:{PASSWORD}")
    assert await logins.let_in(f"acme:{PASSWORD}")
    assert logins.looks == 1, "it is remembered"
    logins.now += timedelta(days=1)
    assert not await logins.let_in(f"acme:{PASSWORD}")
    assert await logins.let_in(f"acme:{NEW}")


async def test_who_was_let_in_by_the_old_password_is_known_a_user_too(logins: Logins) -> None:
    user = User.model_validate({"user_id": UUID(int=9), "name": "laptop", **TWO})
    logins.machine.know(tenant(1, users=(user,)))
    assert await logins.let_in(f"acme:{PASSWORD}"), "the tenant has one password"
    assert await logins.let_in(f"acme\\laptop:{NEW}")
    assert not logins.made.old_passwords.pending()
    assert await logins.let_in(f"acme\\laptop:{PASSWORD}")
    (told,) = logins.made.old_passwords.pending()
    assert (told.tenant_id, told.user_id, told.last_at) == (ACME, UUID(int=9), logins.now)


async def test_a_tenant_without_a_password_does_not_come_in_by_an_old_one(logins: Logins) -> None:
    logins.machine.know(tenant(1, **{**TWO, "password_hash": ""}))
    assert not await logins.let_in(f"acme:{PASSWORD}")


def test_the_manager_hears_of_each_at_once_and_then_once_a_minute() -> None:
    now = [NOW]
    uses = OldPasswordUses(lambda: now[0])
    acme, other = Principal(tenant(1)), Principal(tenant(1, tenant_id=UUID(int=2)))
    uses.record(acme)
    told = uses.pending()
    assert told == (OldPasswordUse(tenant_id=ACME, last_at=NOW),)
    uses.record(other)
    assert uses.pending() == told, "the same until it was heard"
    uses.acknowledge(told)
    uses.record(acme)
    (second,) = uses.pending()
    assert second.tenant_id == UUID(int=2)
    uses.acknowledge((second,))
    assert not uses.pending()
    now[0] += TOLD_EVERY
    assert [each.tenant_id for each in uses.pending()] == [ACME]


def test_on_a_full_disk_the_end_of_an_old_password_holds_at_once() -> None:
    known = tenant(1, **TWO)
    told = tenant(1, password_hash=NEW_HASH)
    assert left_of(known, told).old_password_hash == ""
    assert Tenant.model_validate_json(known.model_dump_json()) == known


async def test_the_hash_of_an_old_password_is_in_no_file_once_it_is_taken_back(
    machine: Machine,
) -> None:
    machine.know(tenant(1, **TWO))
    machine.know(tenant(1, password_hash=NEW_HASH))
    await asyncio.sleep(0)
    for file in machine.paths.state.rglob("directory*"):
        assert PASSWORD_HASH not in file.read_text()
