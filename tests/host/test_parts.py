"""Do the small parts keep their promises: reasons, facts, pauses, reports, password memory?"""

import asyncio
import errno
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import argon2
import pytest

from cloudgate.errors import NotAuthenticatedError, UnavailableError
from cloudgate.host.authorization.password_verifier import PasswordVerifier
from cloudgate.host.authorization.singleflight import SingleFlight
from cloudgate.host.envoy.log_rotation import rotate
from cloudgate.host.manager_link.manager_connection import (
    LONGEST_PAUSE_SECONDS,
    REVOKED_PAUSE_SECONDS,
    Backoff,
)
from cloudgate.host.manager_link.reporter import Reporter
from cloudgate.host.platform.addresses import in_order, local_ipv4, local_ipv6
from cloudgate.host.platform.port_owner import Owner, explain, listening_inodes, taken_port
from cloudgate.host.reconciler import ReconcileResult
from cloudgate.host.state.conditions import Conditions, said_of
from cloudgate.host.state.disk_reserve import RESERVE_BYTES, DiskReserve
from cloudgate.host.state.manager_clock import ManagerClock
from cloudgate.host.state.paths import StatePaths
from cloudgate.host.tunnels.drain import Drain
from cloudgate.protocol import GatewayState, HostFacts
from tests.support.running.tenant import PASSWORD, PASSWORD_HASH

FACTS = HostFacts(
    host_name="h", addresses=(), platform="Linux", version="1", envoy_version="1",
    public_key_pem="",
)  # fmt: skip


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        (
            "cannot bind '[::]:6180': Address already in use",
            "Port 6180 at [::] is taken by process nginx (id 7). Stop it or choose another port.",
        ),
        (
            "cannot bind '192.0.2.7:6180': Cannot assign requested address",
            "192.0.2.7 is not an address of this host. Choose one of its own addresses.",
        ),
        (
            "cannot bind '0.0.0.0:443': Permission denied",
            "Port 443 at 0.0.0.0 may not be opened by this user. Choose one above 1023.",
        ),
        ("no such cluster", "Envoy rejects the gateway: no such cluster"),
    ],
)
def test_a_reason_says_what_to_do(details: str, reason: str) -> None:
    assert explain(details, Owner(7, "nginx")) == reason


def test_only_a_taken_port_has_an_owner() -> None:
    assert taken_port("cannot bind '[::]:6180': Address already in use") == 6180
    assert taken_port("cannot bind '[::]:6180': Permission denied") is None


def test_listening_sockets_are_found_by_port() -> None:
    table = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
        "   0: 00000000:1824 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1\n"
        "   1: 0100007F:1824 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 4712 1\n"
    )
    assert list(listening_inodes(table, 6180)) == ["4711"]


def test_addresses_come_in_the_order_of_use() -> None:
    found = in_order(
        ["192.0.2.2", "fd00::2"], ["127.0.0.1", "10.0.0.1", "fe80::1", "::1", "fd00::2", "10.0.0.1"]
    )
    assert found == ("192.0.2.2", "fd00::2", "10.0.0.1", "127.0.0.1", "::1")


def test_the_kernels_tables_are_read() -> None:
    trie = "  |-- 127.0.0.0\n   /8 host LOCAL\n  |-- 10.0.0.1\n     /32 host LOCAL\n"
    assert local_ipv4(trie) == ["10.0.0.1"]
    assert local_ipv6("00000000000000000000000000000001 01 80 10 80       lo\n") == ["::1"]


def test_pauses_grow_to_a_limit_and_start_anew() -> None:
    backoff = Backoff(chance=lambda: 1.0)
    pauses = [backoff.pause_seconds(UnavailableError("away")) for _ in range(8)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    assert backoff.success()
    assert not backoff.success()
    assert backoff.pause_seconds(UnavailableError("away")) == pauses[0]
    assert backoff.pause_seconds(NotAuthenticatedError("revoked")) == REVOKED_PAUSE_SECONDS


@pytest.mark.anyio
async def test_a_report_is_due_once_and_again_after_a_reconnect() -> None:
    now = [0.0]
    outbox = Reporter(lambda: FACTS, [lambda: {"directory_revision": 3}], lambda: now[0])
    outbox.observe(ReconcileResult(1, GatewayState.DRAINING, live_tunnels=2))
    first = await outbox.next_report()
    assert (first.facts, first.live_tunnels, first.directory_revision) == (FACTS, 2, 3)
    outbox.acknowledge(first)
    outbox.observe(ReconcileResult(1, GatewayState.DRAINING, live_tunnels=2))
    now[0] = 5.0
    assert (await outbox.next_report()).facts is None
    outbox.resync()
    on_its_way = await outbox.next_report()
    outbox.resync()
    outbox.acknowledge(on_its_way)
    assert await outbox.next_report() == on_its_way == first


@pytest.mark.anyio
async def test_a_report_that_could_not_be_made_is_still_due_and_comes_without_what_is_unseen() -> (
    None
):
    unseen = False

    def facts() -> HostFacts:
        if unseen:
            raise UnavailableError("gateway-key.pem cannot be read: Too many open files.")
        return FACTS

    outbox = Reporter(facts, [lambda: {"directory_revision": 3}])
    unseen = True
    outbox.observe(ReconcileResult(1, GatewayState.LISTENING))
    with pytest.raises(UnavailableError):
        await outbox.next_report()
    unseen = False
    report = await outbox.next_report()
    assert report.facts == FACTS
    outbox.acknowledge(report)
    unseen = True
    outbox.observe(ReconcileResult(1, GatewayState.FAILED, reason="Its key cannot be read."))
    report = await outbox.next_report()
    assert (report.facts, report.reason) == (None, "Its key cannot be read.")
    assert report.machine == FACTS.machine


@pytest.mark.anyio
async def test_of_an_open_gateway_the_count_alone_can_wait() -> None:
    now = [0.0]
    outbox = Reporter(lambda: FACTS, [lambda: {"directory_revision": 3}], lambda: now[0])
    outbox.observe(ReconcileResult(1, GatewayState.LISTENING, live_tunnels=1))
    outbox.acknowledge(await outbox.next_report())
    outbox.observe(ReconcileResult(1, GatewayState.LISTENING, live_tunnels=2))
    due = asyncio.create_task(outbox.next_report())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not due.done()
    now[0] = 30.0
    outbox.observe(ReconcileResult(1, GatewayState.LISTENING, live_tunnels=2))
    assert (await due).live_tunnels == 2


def test_a_wrong_clock_is_told_and_the_managers_is_used() -> None:
    own, monotonic = [datetime(2026, 5, 2, tzinfo=UTC)], [100.0]
    clock = ManagerClock(lambda: own[0], lambda: monotonic[0])
    assert (clock(), clock.trouble) == (own[0], "")
    clock.sync(own[0] - timedelta(seconds=3))
    assert (clock(), clock.trouble) == (own[0], "")
    clock.sync(own[0] - timedelta(days=1))
    assert clock() == own[0] - timedelta(days=1)
    assert clock.trouble == "Its clock is 24 hours ahead of the manager's. Set it right."
    own[0] += timedelta(seconds=60)
    monotonic[0] += 60
    assert clock() == own[0] - timedelta(days=1)
    own[0] -= timedelta(days=1)  # somebody sets it right
    assert (clock(), clock.trouble) == (own[0], "")
    own[0] -= timedelta(minutes=5)
    assert clock.trouble == "Its clock is 5 minutes behind the manager's. Set it right."


def test_troubles_are_told_once_and_end() -> None:
    conditions = Conditions()
    for kind in ("state", "usage"):
        conditions.set_write_failure(kind, OSError(errno.ENOSPC, "No space left on device"))
    assert conditions.text.count("No space left on device") == 1
    conditions.set("state", "")
    conditions.set("usage", "")
    assert conditions.text == ""


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Make room on its disk, for bytes and for files."),
        (errno.EROFS, "Have its disk mounted for writing."),
        (errno.EACCES, "Let the user of the host service write there."),
        (errno.EMFILE, "Raise LimitNOFILE of its service."),
        (errno.ENAMETOOLONG, "Mend that."),
    ],
)
def test_what_cannot_be_written_is_said_with_what_to_do(number: int, advice: str) -> None:
    conditions, why = Conditions(), OSError(number, "as the library says it")
    conditions.set_write_failure("state", why)
    told = f"{os.strerror(number)}. {advice}"
    assert f"Its disk does not take what has to be kept: {told} Until then" in conditions.text
    where = Path("/var/lib/cloudgate/host")
    assert said_of(why, where).startswith(f"The host service cannot use {where}: {told} It is")
    why.filename = "/elsewhere"
    assert f"cannot use /elsewhere: {told}" in said_of(why, where)


def test_a_large_log_is_moved_away_and_the_oldest_forgotten(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    assert not rotate(log, 2)
    for number in range(7):
        log.write_text(f"line {number}")
        assert not rotate(log, 100)
        assert rotate(log, 2)
    assert not log.exists()
    kept = sorted(each.name for each in tmp_path.iterdir())
    assert kept == [f"access.log.{number}" for number in range(1, 6)]
    assert (tmp_path / "access.log.1").read_text() == "line 6"


@pytest.mark.anyio
async def test_a_right_password_is_remembered_until_it_changes() -> None:
    passwords = PasswordVerifier(remembered=1)
    other = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
    assert await passwords.verify((PASSWORD_HASH,), PASSWORD) == PASSWORD_HASH
    assert list(passwords._right) == [passwords.cache_key((PASSWORD_HASH,), PASSWORD)]
    assert not await passwords.verify((PASSWORD_HASH,), PASSWORD + "x")
    assert not await passwords.verify(("",), PASSWORD)
    assert not await passwords.verify((), PASSWORD)
    assert not await passwords.verify(("broken",), PASSWORD)
    assert await passwords.verify(("broken", other), PASSWORD) == other
    assert len(passwords._right) == 1
    passwords.close()


def test_the_deadline_of_a_drain_holds_over_restarts(tmp_path: Path) -> None:
    now = [100.0]
    paths = StatePaths(tmp_path, tmp_path)
    Drain(paths, lambda: now[0]).begin(5)
    now[0] = 150.0
    later = Drain(paths, lambda: now[0])
    later.begin(4)
    assert later.seconds_left(60) == 10
    later.note_closed(2)
    assert Drain(paths, lambda: now[0]).result(live_tunnels=1) == (2, 2)
    later.forget()
    assert Drain(paths, lambda: now[0]).seconds_left(60) == 60
    assert Drain(paths, lambda: now[0]).result(live_tunnels=1) == (0, 0)


def test_another_drain_begins_anew_and_one_of_before_a_reboot_is_none(tmp_path: Path) -> None:
    now = [1000.0]
    paths = StatePaths(tmp_path, tmp_path)
    drain = Drain(paths, lambda: now[0])
    drain.begin(5, "first")
    now[0] = 1100.0
    assert drain.result(2, "second") == (0, 0)
    drain.begin(3, "second")
    assert drain.seconds_left(60) == 60
    assert drain.result(1, "second") == (2, 0)
    drain.begin(0, "third")
    drain.begin(2, "third")
    assert drain.result(0, "third") == (2, 0), "who had asked before came in since"
    now[0] = 5.0
    assert Drain(paths, lambda: now[0]).seconds_left(60) == 60


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe", b'{"started_seconds": ', b"[]"])
def test_a_damaged_file_of_a_drain_stops_nothing(tmp_path: Path, damage: bytes) -> None:
    paths = StatePaths(tmp_path, tmp_path)
    paths.drain.write_bytes(damage)
    assert Drain(paths).seconds_left(60) == 60


def test_room_that_was_kept_is_given_up_for_what_a_full_disk_keeps_from_starting(
    tmp_path: Path,
) -> None:
    kept = tmp_path / "reserve"
    reserve = DiskReserve(kept)
    reserve.allocate()
    assert kept.stat().st_size == RESERVE_BYTES

    def start() -> str:
        if kept.exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        return "started"

    assert reserve.release_for(start) == "started"
    reserve.allocate()
    assert kept.exists()

    def fail() -> None:
        raise OSError(errno.EACCES, "Permission denied")

    with pytest.raises(PermissionError):
        reserve.release_for(fail)
    assert kept.exists()


@pytest.mark.anyio
@pytest.mark.parametrize("goes_on", [True, False])
async def test_what_nobody_waits_for_any_more_goes_on_or_is_given_up(*, goes_on: bool) -> None:
    together: SingleFlight[str, int] = SingleFlight(goes_on=goes_on)
    may_end, done = asyncio.Event(), []

    async def work(number: int) -> int:
        await may_end.wait()
        done.append(number)
        return number

    first = [asyncio.create_task(together.do("a", lambda: work(1))) for _ in range(2)]
    await asyncio.sleep(0)
    for each in first:
        each.cancel()
    await asyncio.gather(*first, return_exceptions=True)
    second = asyncio.create_task(together.do("a", lambda: work(2)))
    other = asyncio.create_task(together.do("b", lambda: work(3)))
    await asyncio.sleep(0)
    may_end.set()
    assert await second == (1 if goes_on else 2)
    assert await other == 3
    assert sorted(done) == ([1, 3] if goes_on else [2, 3])


@pytest.mark.anyio
async def test_what_a_part_contributes_and_no_report_has_is_not_left_out_without_a_word() -> None:
    reporter = Reporter(lambda: FACTS, [lambda: {"directory_revision": 3, "free_bytes": 4}])
    reporter.observe(ReconcileResult(1, GatewayState.ABSENT))
    with pytest.raises(TypeError, match="a report has no free_bytes"):
        await reporter.next_report()
