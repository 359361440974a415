"""A disk takes nothing: what was taken away holds at once and over restarts; the rest waits."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudgate.host.authorization.policy import Denial, RequestContext, evaluate
from cloudgate.host.state import withdrawal_journal as journals
from cloudgate.host.state.paths import state_paths
from cloudgate.host.state.principal import Principal
from cloudgate.host.state.site import SiteStore
from cloudgate.host.state.tenant_directory import TenantDirectory
from cloudgate.host.state.withdrawal import left_of, left_of_all
from cloudgate.host.state.withdrawal_journal import HALF_BYTES, TooLongError, WithdrawalJournal
from cloudgate.protocol import (
    DirectoryChange,
    GatewayState,
    Maintenance,
    Site,
    Target,
    Tenant,
    User,
)
from tests.support.certificates.authority import Authority
from tests.support.machine.disks import (
    FAULTS,
    FILLINGS,
    make_room,
    make_unreadable,
    needs_mounts,
    small_disk,
    take_bytes,
)
from tests.support.ports import closes, free_port
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant import PASSWORD, PASSWORD_HASH, tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until_async

REPO = "repo.example:443"
NOW = datetime(2026, 11, 28, tzinfo=UTC)
GOLD = UUID(int=71)


class KilledError(BaseException):
    """As by a kill."""


# What a decision sees of a right, for a tenant that is known so and told otherwise.

endpoints = st.sampled_from(["a.example:1", "b.example:1", "c.example:1"])
targets = st.lists(endpoints, unique=True, max_size=3).map(
    lambda found: tuple(Target(endpoint=each, address=each) for each in found)
)
hashes = st.sampled_from(["", "one", "two"])
users = st.lists(st.integers(1, 3), unique=True, max_size=3).flatmap(
    lambda ids: st.tuples(
        *(
            st.builds(
                User,
                user_id=st.just(UUID(int=each)),
                name=st.just(f"u{each}"),
                password_hash=hashes,
                enabled=st.booleans(),
                targets=targets,
            )
            for each in ids
        )
    )
)
anyone = st.builds(
    Tenant,
    tenant_id=st.just(UUID(int=1)),
    name=st.just("Acme"),
    password_hash=hashes,
    enabled=st.booleans(),
    expires_at=st.sampled_from([None, NOW - timedelta(1), NOW + timedelta(1), NOW + timedelta(2)]),
    targets=targets,
    users=users,
    speed_limit_bytes=st.sampled_from([None, 10, 20]),
    concurrent_tunnels=st.sampled_from([None, 1, 2]),
    tunnels_end_before=st.sampled_from([None, NOW, NOW + timedelta(1)]),
)


def lets_in(whose: Tenant, user: UUID | None, endpoint: str) -> bool:
    """Whether somebody gets a tunnel, whatever the password is."""
    found = next((each for each in whose.users if each.user_id == user), None)
    if user is not None and found is None:
        return False
    login = Principal(whose, found)
    decided = evaluate(login, endpoint, is_proven=True, context=RequestContext(NOW))
    return not isinstance(decided, Denial)


@given(anyone, anyone, st.sampled_from([None, *map(UUID, [f"{1:032}"])]), endpoints)
def test_nothing_is_left_that_was_taken_away_and_nothing_comes_that_was_not_there(
    known: Tenant, told: Tenant, user: UUID | None, endpoint: str
) -> None:
    left = left_of(known, told)
    if lets_in(left, user, endpoint):
        assert lets_in(told, user, endpoint)
        knew_password = known.password_hash if user is None else "x"
        assert lets_in(known, user, endpoint) or not knew_password or _had_no_hash(known, user)
    if lets_in(known, user, endpoint) and lets_in(told, user, endpoint):
        assert lets_in(left, user, endpoint)
    for name in ("speed_limit_bytes", "concurrent_tunnels"):
        limits = [each for each in (getattr(known, name), getattr(told, name)) if each]
        assert getattr(left, name) == min(limits, default=None)
    assert left.password_hash == told.password_hash
    assert left.tunnels_end_before == told.tunnels_end_before
    assert left_of(left, told) == left


def _had_no_hash(known: Tenant, user: UUID | None) -> bool:
    """A first password comes with what it replaces: none."""
    return any(each.user_id == user and not each.password_hash for each in known.users)


def test_tenants_that_are_new_wait_and_those_that_are_gone_are_gone() -> None:
    one, other = (Tenant(tenant_id=UUID(int=n), name=str(n), password_hash="") for n in (1, 2))
    assert left_of_all({one.tenant_id: one}, {other.tenant_id: other}) == {}


# The journal.


def test_a_journal_that_was_killed_in_the_middle_of_a_write_has_what_was_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "withdrawals"
    journal = WithdrawalJournal(path)
    journal.put("a", [1])
    journal.put("a", [2])
    data = path.read_bytes()
    assert len(data) == 2 * HALF_BYTES
    halves = (data[:HALF_BYTES], data[HALF_BYTES:])
    for half in (0, 1):
        torn = [*halves]
        torn[half] = torn[half][:60] + b"\0" * (HALF_BYTES - 60)
        path.write_bytes(b"".join(torn))
        assert WithdrawalJournal(path).get("a") in ([1], [2])
    path.write_bytes(data)
    assert WithdrawalJournal(path).is_certain


@pytest.mark.parametrize(
    "lose",
    [
        Path.unlink,
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"nothing of the kind"),
        lambda path: path.write_bytes(bytes(2 * HALF_BYTES)),
        make_unreadable,
    ],
    ids=["gone", "empty", "another", "zeros", "unreadable"],
)
def test_a_journal_that_is_lost_lets_nobody_in_until_the_manager_says_who_may(
    tmp_path: Path, lose: Callable[[Path], object]
) -> None:
    path, kept = tmp_path / "withdrawals", tmp_path / "directory.json"
    whole = DirectoryChange(from_revision=0, revision=5, tenants=many(1))
    journal = WithdrawalJournal(path)
    journal.keep()
    TenantDirectory(kept, journal).apply(whole)
    journal.put("a", [1])
    assert TenantDirectory(kept, WithdrawalJournal(path)).is_certain
    lose(path)
    again = TenantDirectory(kept, WithdrawalJournal(path))
    assert not again.is_certain
    assert again.revision == 0  # the manager is asked for all
    again.apply(whole)
    assert again.is_certain


def test_a_journal_that_was_removed_is_made_again_with_what_it_said(tmp_path: Path) -> None:
    path = tmp_path / "withdrawals"
    journal = WithdrawalJournal(path)
    journal.keep()
    journal.put("a", [1])
    path.unlink()
    journal.keep()
    again = WithdrawalJournal(path)
    assert again.is_certain
    assert again.get("a") == [1]
    assert path.stat().st_size == 2 * HALF_BYTES


def test_a_journal_is_never_there_without_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "withdrawals"

    def kill(*_: object) -> None:
        raise KilledError

    journal = WithdrawalJournal(path)
    journal.put("a", [1])
    path.unlink()
    with monkeypatch.context() as once:
        once.setattr(os, "pwrite", kill)
        with pytest.raises(KilledError):
            journal.keep()
    again = WithdrawalJournal(path)
    assert again.is_certain
    assert again.get("a") == [1]


def test_what_is_not_certain_is_not_by_another_start_but_by_the_manager(tmp_path: Path) -> None:
    path, kept = tmp_path / "withdrawals", tmp_path / "directory.json"
    whole = DirectoryChange(from_revision=0, revision=5, tenants=many(1))
    journal = WithdrawalJournal(path)
    journal.keep()
    TenantDirectory(kept, journal).apply(whole)
    path.unlink()
    for _ in range(2):
        journal = WithdrawalJournal(path)
        journal.keep()
        journal.put("a", [1])
        again = TenantDirectory(kept, journal)
        assert not again.is_certain
    again.apply(whole)
    assert again.is_certain
    assert TenantDirectory(kept, WithdrawalJournal(path)).is_certain


@needs_mounts
def test_a_host_service_that_began_on_a_full_disk_is_not_certain_once_there_is_room_either(
    disk: Path, fault: Callable[[Path], None]
) -> None:
    kept = disk / "directory.json"
    whole = DirectoryChange(from_revision=0, revision=1, tenants=many(1))
    TenantDirectory(kept).apply(whole)
    fault(disk)
    journal = WithdrawalJournal(disk / "withdrawals")
    assert not journal.is_certain
    make_room(disk)
    journal.keep()
    again = TenantDirectory(kept, WithdrawalJournal(disk / "withdrawals"))
    assert not again.is_certain
    again.apply(whole)
    assert TenantDirectory(kept, WithdrawalJournal(disk / "withdrawals")).is_certain


def test_what_is_in_a_journal_outlives_the_loss_of_either_half(tmp_path: Path) -> None:
    path = tmp_path / "withdrawals"
    journal = WithdrawalJournal(path)
    for number in range(3):
        journal.put("a", [number])
    data = path.read_bytes()
    for half in (0, 1):
        damaged = bytearray(data)
        damaged[half * HALF_BYTES : half * HALF_BYTES + 100] = bytes(100)
        path.write_bytes(damaged)
        assert WithdrawalJournal(path).get("a") == [2]


def test_a_site_that_is_lost_is_not_one_where_no_work_is_done(tmp_path: Path) -> None:
    journal, path = WithdrawalJournal(tmp_path / "withdrawals"), tmp_path / "site.json"
    site = SiteStore(path, journal)
    assert site.is_certain  # nobody has said anything yet: nobody is known either
    site.replace(Site(revision=3, maintenance=Maintenance(message="at work", restores=False)))
    again = SiteStore(path, WithdrawalJournal(tmp_path / "withdrawals"))
    assert again.maintenance is not None
    for each in tmp_path.glob("*site.json*"):
        each.unlink()
    lost = SiteStore(path, WithdrawalJournal(tmp_path / "withdrawals"))
    assert not lost.is_certain
    assert lost.revision == 0  # the manager is asked
    lost.replace(Site(revision=4))
    assert lost.is_certain


def test_a_journal_takes_no_more_than_its_room(tmp_path: Path) -> None:
    journal = WithdrawalJournal(tmp_path / "withdrawals")
    with pytest.raises(TooLongError):
        journal.put("a", "x" * HALF_BYTES)
    assert WithdrawalJournal(tmp_path / "withdrawals").get("a") is None
    assert (tmp_path / "withdrawals").stat().st_size == 2 * HALF_BYTES
    assert (tmp_path / "withdrawals").stat().st_mode & 0o077 == 0


# What the host service knows, on a disk that is really full.


@pytest.fixture(params=FILLINGS)
def fill(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    return FILLINGS[request.param]


@pytest.fixture(params=FAULTS)
def fault(request: pytest.FixtureRequest) -> Callable[[Path], None]:
    return FAULTS[request.param]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "state", size="16m") as made:
        yield made


def many(count: int, **changes: object) -> tuple[Tenant, ...]:
    like = tenant(1, **changes)
    return tuple(
        like.model_copy(update={"tenant_id": UUID(int=each + 1), "name": f"t{each}"})
        for each in range(count)
    )


TAKEN_AWAY: tuple[dict[str, object] | None, ...] = (
    {"enabled": False},
    {"targets": ()},
    {"expires_at": NOW - timedelta(days=1)},
    None,
)


def taken_away(change: dict[str, object] | None) -> str:
    return next(iter(change)) if change else "removed"


@needs_mounts
@pytest.mark.parametrize(
    ("change", "count"),
    [
        *((change, count) for change in TAKEN_AWAY for count in (1, 500)),
        # How many fit where there is room left depends on the number, and not on what was taken.
        ({"enabled": False}, 3000),
        (None, 3000),
    ],
    ids=lambda value: value if isinstance(value, int) else taken_away(value),
)
def test_what_was_taken_away_from_any_number_is_taken_away_after_a_restart(
    disk: Path, fault: Callable[[Path], None], change: dict[str, object] | None, count: int
) -> None:
    def open_directory() -> TenantDirectory:
        return TenantDirectory(disk / "directory.json", WithdrawalJournal(disk / "withdrawals"))

    directory = open_directory()
    before, other = many(count), tenant(1, tenant_id=UUID(int=9000), name="other")
    directory.apply(DirectoryChange(from_revision=0, revision=5, tenants=(*before, other)))
    fault(disk)
    after = () if change is None else many(count, **change)
    gone = () if change else tuple(each.tenant_id for each in before)
    told = DirectoryChange(from_revision=5, revision=6, tenants=after, removed=gone)
    directory.apply(told)
    for known in (directory, open_directory()):
        assert known.by_id(other.tenant_id) == other
        for each in before:
            found = known.by_id(each.tenant_id)
            is_shut = found is None or not lets_in(found, None, REPO)
            assert is_shut or not known.is_certain
    assert directory.is_certain
    assert directory.revision == 6  # nothing waits: all of it is in force
    again = open_directory()
    assert again.revision in (0, 5, 6)
    again.apply(told.model_copy(update={"from_revision": again.revision or 5}))
    if not again.is_certain:
        whole = DirectoryChange(from_revision=0, revision=6, tenants=(*after, other))
        again.apply(whole)
    assert again.is_certain
    make_room(disk)
    again.keep()
    assert again.problem is None
    assert open_directory().revision == 6


@needs_mounts
def test_what_is_given_waits_for_the_disk_and_what_is_given_back_comes_back(
    disk: Path, fault: Callable[[Path], None]
) -> None:
    directory = TenantDirectory(disk / "directory.json", WithdrawalJournal(disk / "withdrawals"))
    acme, beta = many(2)
    directory.apply(DirectoryChange(from_revision=0, revision=1, tenants=(acme,)))
    fault(disk)
    disabled = acme.model_copy(update={"enabled": False})
    directory.apply(
        DirectoryChange(from_revision=1, revision=2, tenants=(disabled, beta), removed=())
    )
    assert directory.is_behind
    assert directory.revision == 1
    assert directory.by_id(beta.tenant_id) is None
    assert directory.by_id(acme.tenant_id) == disabled
    directory.apply(DirectoryChange(from_revision=1, revision=3, tenants=(acme, beta)))
    assert directory.by_id(acme.tenant_id) == acme
    make_room(disk)
    directory.keep()
    assert not directory.is_behind
    assert directory.revision == 3
    assert directory.by_id(beta.tenant_id) == beta
    assert (
        TenantDirectory(disk / "directory.json", WithdrawalJournal(disk / "withdrawals")).revision
        == 3
    )


@needs_mounts
def test_a_host_service_that_starts_where_nothing_can_be_written_is_not_certain_of_anybody(
    disk: Path, fault: Callable[[Path], None]
) -> None:
    TenantDirectory(disk / "directory.json").apply(
        DirectoryChange(from_revision=0, revision=1, tenants=many(1))
    )
    fault(disk)
    journal = WithdrawalJournal(
        disk / "withdrawals"
    )  # of the release before: its room was never taken
    directory = TenantDirectory(disk / "directory.json", journal)
    assert not directory.is_certain
    assert directory.revision == 0
    directory.apply(DirectoryChange(from_revision=0, revision=1, tenants=many(1)))
    assert directory.is_certain


# A gateway with an Envoy.


@asynccontextmanager
async def restarted(machine: Machine, authority: Authority) -> AsyncIterator[Machine]:
    """The host service is killed, and comes back on the same disk."""
    await machine.leave()
    # Who is killed leaves a socket behind, in whose place the next one comes. Here both are one
    # process, which still holds the old one, so that its place is made free otherwise.
    (machine.paths.state / "fillers" / "0").unlink(missing_ok=True)
    again = Machine(state_paths(machine.paths.state), authority)
    await again.start()
    try:
        yield again
    finally:
        await again.stop()
        machine.envoy = again.envoy


@pytest.fixture
async def machine(disk: Path, authority: Authority, repository_port: int) -> AsyncIterator[Machine]:
    async with running_machine(disk, authority) as started:
        started.know(tenant(repository_port))
        yield started


CHANGES: dict[str, dict[str, object] | None] = {
    "disabled": {"enabled": False},
    "lease over": {"expires_at": datetime.now(UTC) - timedelta(seconds=1)},
    "tunnels ended": {"tunnels_end_before": datetime.now(UTC) + timedelta(days=1)},
    "removed": None,
}


@needs_mounts
@pytest.mark.anyio
@pytest.mark.parametrize(
    "filled_and_changed",
    [(fill, change) for fill in FILLINGS.values() for change in CHANGES.values()],
    ids=[f"{fill}-{change}" for fill in FILLINGS for change in CHANGES],
)
async def test_a_tenant_that_loses_its_rights_on_a_full_disk_loses_its_tunnels_and_stays_out(
    machine: Machine,
    client: Client,
    authority: Authority,
    filled_and_changed: tuple[Callable[[Path], None], dict[str, object] | None],
) -> None:
    fill, change = filled_and_changed
    port = free_port()
    (acme,) = machine.directory._tenants.by_id.values()
    repository_port = int(acme.targets[0].address.rpartition(":")[2])
    other = tenant(repository_port, tenant_id=UUID(int=2), name="Other")
    machine.know(acme, other)
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    ours = [await client.connect(port, REPO) for _ in range(2)]
    theirs = await client.connect(port, REPO, f"other:{PASSWORD}")
    await machine.hears_of(3)
    fill(machine.paths.state)
    machine.know(*(() if change is None else (acme.model_copy(update=change),)), other)
    async with asyncio.timeout(PATIENCE_SECONDS):
        for each in ours:
            assert await each.is_cut()
    stays_out = change is None or "tunnels_end_before" not in change
    assert ((await client.connect(port, REPO)).status == 200) != stays_out
    assert await theirs.echoes()
    async with restarted(machine, authority) as again:
        assert again.envoys.is_running
        assert ((await client.connect(port, REPO)).status == 200) != stays_out
        assert (await client.connect(port, REPO, f"other:{PASSWORD}")).status == 200
        assert await theirs.echoes()


@needs_mounts
@pytest.mark.anyio
async def test_tunnels_that_began_while_nothing_could_be_logged_end_with_their_tenants_rights(
    machine: Machine, client: Client, repository_port: int
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    take_bytes(machine.paths.state)
    # A page of the log that was begun before may still take some lines.
    tunnels = [await client.connect(port, REPO) for _ in range(20)]
    await until_async(lambda: machine.admissions.slots.unlogged)
    machine.know(tenant(repository_port, enabled=False))
    async with asyncio.timeout(PATIENCE_SECONDS):
        for each in tunnels:
            assert await each.is_cut()


@needs_mounts
@pytest.mark.anyio
async def test_a_gateway_that_is_taken_away_on_a_full_disk_takes_nobody_in_and_closes_its_port(
    machine: Machine, client: Client, authority: Authority, fill: Callable[[Path], None]
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    live = await client.connect(port, REPO)
    fill(machine.paths.state)
    await machine.bring(machine.gateway(port, accepting=False), GatewayState.DRAINING, 3600)
    await closes(port)
    assert await live.echoes()
    async with restarted(machine, authority) as again:
        outcome = await again.outcomes.get()
        assert outcome.state is GatewayState.DRAINING
        assert await live.echoes()
        # The deadline, too, holds on a full disk.
        await again.bring(again.gateway(port, accepting=False), GatewayState.CLOSED, 0.0)
        assert await live.is_cut()


@needs_mounts
@pytest.mark.anyio
async def test_maintenance_that_begins_on_a_full_disk_holds_at_once_and_after_a_restart(
    machine: Machine, client: Client, authority: Authority, fill: Callable[[Path], None]
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    fill(machine.paths.state)
    shut = Maintenance(message="We are at work.", restores=False)
    machine.site.replace(Site(revision=7, maintenance=shut))
    assert (await client.connect(port, REPO)).status == 503
    async with restarted(machine, authority) as again:
        assert again.site.maintenance == shut
        assert (await client.connect(port, REPO)).status == 503
        again.site.replace(Site(revision=8))
        assert (await client.connect(port, REPO)).status == 200


@needs_mounts
@pytest.mark.anyio
async def test_where_nobody_knows_what_was_taken_away_nobody_is_let_in_until_the_manager_says(
    machine: Machine,
    client: Client,
    authority: Authority,
    repository_port: int,
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    live = await client.connect(port, REPO)
    machine.paths.withdrawals.unlink()
    machine.paths.reserve.unlink()
    take_bytes(machine.paths.state)
    async with restarted(machine, authority) as again:
        refused = await client.connect(port, REPO)
        assert refused.status == 503
        assert "not certain" in refused.body
        assert await live.echoes()
        again.know(tenant(repository_port))
        assert (await client.connect(port, REPO)).status == 200
        assert await live.echoes()


def test_the_room_of_a_journal_is_what_the_documents_say() -> None:
    assert 2 * journals.HALF_BYTES == 128 * 1024
    assert PASSWORD_HASH
