"""Do those who may come in get in while others guess, however many these are?

The order of the checks is tested here, not how long they take: that is in the bench.
"""

import asyncio
import os
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from cloudgate.host.authorization.address_reputation import (
    FAMILIAR_DAYS,
    AddressReputation,
    Reputation,
)
from cloudgate.host.authorization.authenticator import Authenticator
from cloudgate.host.authorization.password_verifier import PasswordVerifier
from cloudgate.host.authorization.priority_queue import (
    IN_A_ROW,
    QueueEntry,
    Requester,
    TooManyPendingError,
    VerificationQueue,
    in_order,
)
from cloudgate.protocol import GatewayState
from cloudgate.trust.login_throttle import FORGOTTEN_AFTER_SECONDS, FREE_FAILURES, client_network
from tests.support.running.machine import Machine
from tests.support.running.tenant import PASSWORD, tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until_async

pytestmark = pytest.mark.anyio
REPO = "repo.example:443"
ACME, BETA = UUID(int=1), UUID(int=2)
HOME, NEW = "127.9.0.1", "127.9.0.2"


def asker(tenant_name: str = "acme", **standing: int) -> Requester:
    return Requester(tenant_name, Reputation(**standing))  # type: ignore[arg-type]


def order(*askers: Requester) -> list[int]:
    """Whose turn it is, by the order in which they came."""
    waiting = [QueueEntry(each, number) for number, each in enumerate(askers)]
    return [each.number for each in in_order(waiting)]


def test_who_was_right_before_comes_first_and_who_guesses_last() -> None:
    assert order(
        asker(wrong=9), asker(), asker(familiar=1), asker(wrong=1), asker(asked=3), asker(asked=1)
    ) == [2, 1, 5, 4, 3, 0]


def test_among_equals_the_newest_comes_first_and_each_tenant_before_any_twice() -> None:
    assert order(asker(), asker(), asker()) == [2, 1, 0]
    assert order(asker("beta"), asker(), asker(), asker()) == [3, 0, 2, 1]


def test_neighbours_of_those_who_guess_come_after_others_that_are_as_good() -> None:
    assert order(asker("a"), asker("b", wrong_around=50), asker("c", wrong_around=2)) == [0, 2, 1]
    assert order(asker("a", wrong=1), asker("b", wrong_around=50)) == [1, 0]


askers = st.builds(
    Requester,
    st.sampled_from(["acme", "beta", "nobody"]),
    st.builds(Reputation, st.booleans(), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3)),
)


@given(st.lists(askers, max_size=20))
def test_everybody_has_a_turn_and_nobody_before_who_stands_better(some: list[Requester]) -> None:
    waiting = [QueueEntry(each, number) for number, each in enumerate(some)]
    found = in_order(waiting)
    assert sorted(each.number for each in found) == list(range(len(some)))
    ranks = [
        (not each.asker.standing.familiar, each.asker.standing.wrong, each.asker.standing.asked)
        for each in found
    ]
    assert ranks == sorted(ranks)


async def stands(turns: VerificationQueue, who: Requester) -> "asyncio.Task[None]":
    """Somebody who waits."""
    task = asyncio.create_task(turns.acquire(who))
    await asyncio.sleep(0)
    return task


async def test_one_has_a_turn_at_a_time_and_more_cores_are_for_those_who_are_familiar() -> None:
    turns = VerificationQueue(at_once=3)
    await turns.acquire(asker())
    waits = await stands(turns, asker())
    await turns.acquire(asker(familiar=1))
    await turns.acquire(asker(familiar=1))
    full = await stands(turns, asker(familiar=1))
    assert not waits.done()
    turns.release(asker(familiar=1))
    await full
    assert not waits.done()
    turns.release(asker())
    await waits


async def test_others_have_a_turn_now_and_then_however_many_are_familiar() -> None:
    turns = VerificationQueue()
    await turns.acquire(asker(familiar=1))
    other = await stands(turns, asker())
    known = [await stands(turns, asker(familiar=1)) for _ in range(10)]
    given_turns = 1
    while not other.done():
        turns.release(asker(familiar=1))
        await asyncio.sleep(0)
        given_turns += 1
    assert given_turns == IN_A_ROW + 1
    for each in known:
        each.cancel()


async def test_only_so_many_wait_and_the_worst_is_turned_away() -> None:
    turns = VerificationQueue(most=3)
    await turns.acquire(asker())
    guesser = await stands(turns, asker(wrong=2))
    others = [await stands(turns, asker()) for _ in range(2)]
    others.append(await stands(turns, asker()))
    with pytest.raises(TooManyPendingError):
        await guesser
    assert turns.waiting == 3
    with pytest.raises(TooManyPendingError):
        await turns.acquire(asker(wrong=1))
    for each in others:
        each.cancel()


async def test_who_leaves_leaves_the_queue_and_takes_no_turn_along() -> None:
    turns = VerificationQueue()
    await turns.acquire(asker())
    first, second = await stands(turns, asker()), await stands(turns, asker())
    second.cancel()  # it would be next
    turns.release(asker())
    await first
    third, fourth = await stands(turns, asker()), await stands(turns, asker())
    turns.release(asker())
    fourth.cancel()  # it has just become its turn
    await third
    assert turns.waiting == 0


async def test_a_password_is_looked_at_by_one_core_with_all_lanes_of_its_hash() -> None:
    if not hasattr(os, "sched_getaffinity"):
        return
    passwords = PasswordVerifier()
    loop = asyncio.get_running_loop()
    cores = await loop.run_in_executor(passwords._threads, os.sched_getaffinity, 0)
    assert len(cores) == 1
    assert len(os.sched_getaffinity(0)) >= len(cores)
    passwords.close()


def test_a_reputation_outlives_the_process_and_ends_with_the_tenant(tmp_path: Path) -> None:
    file, now = tmp_path / "reputation.json", [1e9]

    def known() -> AddressReputation:
        return AddressReputation(file, lambda: now[0])

    reputation = known()
    reputation.record_success(ACME, HOME)
    reputation.record_success(BETA, HOME)
    reputation.record_attempt(NEW)
    reputation.record_failure(None, NEW)
    reputation.keep()
    assert PASSWORD not in file.read_text()
    assert known().standing_of(ACME, HOME) == Reputation(familiar=True)
    assert known().standing_of(ACME, NEW) == Reputation(wrong=1, asked=1)
    assert known().standing_of(None, HOME) == Reputation()
    reputation = known()
    reputation.forget_others(lambda who: who == BETA)
    reputation.keep()
    assert not known().standing_of(ACME, HOME).familiar
    assert known().standing_of(BETA, HOME).familiar
    assert str(ACME) not in file.read_text()
    now[0] += FORGOTTEN_AFTER_SECONDS
    assert known().standing_of(BETA, NEW) == Reputation()
    now[0] += FAMILIAR_DAYS * 86_400
    assert not known().standing_of(BETA, HOME).familiar


def test_who_is_familiar_and_guesses_is_so_no_more_until_right_again() -> None:
    reputation = AddressReputation()
    reputation.record_success(ACME, HOME)
    for _ in range(FREE_FAILURES - 1):
        reputation.record_failure(ACME, HOME)
    assert reputation.standing_of(ACME, HOME).familiar
    reputation.record_failure(ACME, HOME)
    assert not reputation.standing_of(ACME, HOME).familiar
    reputation.record_success(ACME, HOME)
    assert reputation.standing_of(ACME, HOME).familiar


def test_who_was_right_has_not_asked_for_anything_but_what_was_wrong_stays() -> None:
    reputation = AddressReputation()
    for _ in range(3):
        reputation.record_attempt(HOME)
    reputation.record_failure(ACME, HOME)
    assert reputation.standing_of(ACME, HOME) == Reputation(wrong=1, asked=3, wrong_around=1)
    reputation.record_success(ACME, HOME)
    assert reputation.standing_of(ACME, HOME) == Reputation(familiar=True, wrong=1, wrong_around=1)


def test_an_address_of_version_6_stands_for_its_network() -> None:
    reputation = AddressReputation()
    reputation.record_success(ACME, "2001:db8:1:2::1")
    reputation.record_failure(None, "2001:db8:1:3::1")
    assert reputation.standing_of(ACME, "2001:db8:1:2:ffff::9") == Reputation(
        familiar=True, wrong_around=1
    )
    assert reputation.standing_of(ACME, "2001:db8:1:4::1") == Reputation(wrong_around=1)
    assert reputation.standing_of(ACME, "2001:db8:2::1") == Reputation()
    assert client_network("::ffff:192.0.2.1") == "192.0.2.1"


@pytest.mark.parametrize("damage", ["", "{", '{"familiar": {"x y": 1}}', '{"familiar": 7}'])
def test_a_reputation_that_is_damaged_or_cannot_be_kept_costs_nothing_but_itself(
    tmp_path: Path, damage: str
) -> None:
    file = tmp_path / "reputation.json"
    file.write_text(damage)
    with capture_logs():
        reputation = AddressReputation(file)
        assert reputation.standing_of(ACME, HOME) == Reputation()
        reputation.record_success(ACME, HOME)
        file.unlink()
        file.mkdir()
        (file / "in the way").touch()
        reputation.keep()
    assert reputation.standing_of(ACME, HOME).familiar


class SlowCheck:
    """Looks at passwords when it is told to; who was looked at, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looked_at: list[str] = []
        self._may = asyncio.Semaphore(0)
        self._looking = asyncio.Event()
        is_right = PasswordVerifier.verify

        async def slow(check: PasswordVerifier, hashes: tuple[str, ...], password: str) -> str:
            self.looked_at.append(password)
            self._looking.set()
            await self._may.acquire()
            return await is_right(check, hashes, password)

        monkeypatch.setattr(PasswordVerifier, "verify", slow)

    async def looks(self) -> None:
        """Wait until a password is looked at."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._looking.wait()

    def let(self, looks: int) -> None:
        """So many looks may come to an end."""
        for _ in range(looks):
            self._may.release()


@pytest.fixture
async def slow_check(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlowCheck]:
    check = SlowCheck(monkeypatch)
    yield check
    check.let(10_000)


async def queued(machine: Machine, count: int) -> None:
    """Wait until so many passwords wait to be looked at."""
    turns = machine.authorizer._authenticator._passwords.turns
    await until_async(lambda: turns.waiting == count)


@pytest.mark.parametrize("name", ["acme", "nobody", "name{}"])
async def test_who_is_right_comes_in_while_many_addresses_guess(
    machine: Machine, client: Client, port: int, slow_check: SlowCheck, name: str
) -> None:
    slow_check.let(1)
    assert (await client.connect(port, REPO, source=HOME)).status == 200
    await machine.leave()  # nothing is remembered but from where the tenant came
    await machine.start()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    guesses = [
        asyncio.create_task(
            client.connect(
                port, REPO, f"{name.format(number)}:wrong", source=f"127.8.{number % 5}.{number}"
            )
        )
        for number in range(1, 41)
    ]
    await queued(machine, len(guesses) - 1)
    new = asyncio.create_task(client.connect(port, REPO, source=NEW))
    await queued(machine, len(guesses))
    home = asyncio.create_task(client.connect(port, REPO, source=HOME))
    await queued(machine, len(guesses) + 1)
    before = len(slow_check.looked_at)
    slow_check.let(3)
    assert (await home).status == 200
    assert (await new).status == 200
    assert slow_check.looked_at[before : before + 2] == [PASSWORD, PASSWORD]
    for each in guesses:
        each.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)


async def test_a_password_whose_request_is_over_is_not_looked_at(
    machine: Machine, client: Client, port: int, slow_check: SlowCheck
) -> None:
    asking = []
    for number in range(1, 9):
        asking.append(
            asyncio.create_task(
                client.connect(port, REPO, f"acme:wrong{number}", source=f"127.8.1.{number}")
            )
        )
        await slow_check.looks()  # at the first one
        await queued(machine, number - 1)
    for each in asking[1:-1]:
        each.cancel()
    await queued(machine, 1)
    slow_check.let(2)
    assert (await asking[0]).status == 407
    assert (await asking[-1]).status == 407
    assert slow_check.looked_at == ["wrong1", "wrong8"]


async def test_a_password_that_is_changed_while_it_waits_lets_nobody_in(
    machine: Machine, client: Client, port: int, repository_port: int, slow_check: SlowCheck
) -> None:
    asked = asyncio.create_task(client.connect(port, REPO, source=NEW))
    await slow_check.looks()
    machine.know(tenant(repository_port, password_hash=""))
    slow_check.let(1)
    assert (await asked).status == 407


async def test_many_tenants_behind_one_address_do_not_wait_for_its_guesser(
    machine: Machine, repository_port: int
) -> None:
    logins = Authenticator(machine.directory)
    machine.know(tenant(repository_port), tenant(repository_port, tenant_id=BETA, name="Beta"))
    logins.reputation.record_success(BETA, HOME)
    guesses = []
    for number in range(FREE_FAILURES + 3):  # the last of them waits before it is looked at
        wrong = "Basic " + b64encode(f"acme:wrong{number}".encode()).decode()
        guesses.append(asyncio.create_task(logins.authenticate(wrong, HOME)))
    right = "Basic " + b64encode(f"beta:{PASSWORD}".encode()).decode()
    assert (await logins.authenticate(right, HOME)).proven
    assert not all(each.done() for each in guesses)
    logins.close()
    for each in guesses:
        each.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)
