"""Is every byte counted once, whoever is killed?"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.api.host_protocol.messages import BODY_LIMIT_BYTES
from cloudgate.host.access_log.record import (
    JSON_FORMAT,
    ReleasedSlot,
    parse_record,
    released_slot,
)
from cloudgate.host.access_log.tail import (
    MOST_BYTES,
    ROTATION_GRACE_SECONDS,
    LogPosition,
    LogTail,
)
from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata
from cloudgate.host.envoy.log_rotation import Rotation, rotate
from cloudgate.host.envoy.process_set import EnvoyProcesses
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.state.paths import StatePaths, state_paths
from cloudgate.host.tunnels.accounting import (
    Tunnel,
    TunnelTable,
)
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.host.tunnels.tracker import MOST_READS, TUNNELS_AT_ONCE, TunnelTracker
from cloudgate.host.tunnels.usage_outbox import MAX_USAGE_BATCH
from cloudgate.protocol import GatewayState, Usage, UsageBatch
from tests.support.certificates.authority import Authority
from tests.support.ports import free_port
from tests.support.running.machine import Machine, running_machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client
from tests.support.waiting import PATIENCE_SECONDS, until_async

BOTH_WAYS = True
REPO = "repo.example:443"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_batch_is_never_larger_than_the_manager_takes(paths: StatePaths) -> None:
    many = 2 * MAX_USAGE_BATCH + 1
    used = tuple(
        Usage(
            minute=NOW + timedelta(minutes=number),
            tenant_id=UUID(int=number),
            target=REPO,
            tunnels=1,
            bytes_up=1,
            bytes_down=0,
        )
        for number in range(many)
    )
    tracker = quiet_tracker(paths, TunnelTable(used=used))
    told = 0
    while batch := tracker.usage.next_batch()[1]:
        told += sum(each.bytes_up for each in batch)
        message = UsageBatch(batch="b", usage=batch).model_dump_json()
        assert len(message) < BODY_LIMIT_BYTES / 8
        tracker.usage.acknowledge()
    assert told == many


def test_a_line_of_the_release_before_says_the_same_as_one_of_this() -> None:
    line = {
        "time": "2026-01-01T00:00:00.000Z",
        "type": "DownstreamEnd",
        "tunnel": "t",
        "tenant": "acme",
        "pass": str(TunnelMetadata("p", UUID(int=1))),
        "target": REPO,
        "client": "192.0.2.1:5",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes_up": 1,
        "bytes_down": 2,
        "duration_ms": 3,
        "flags": "-",
    }
    left_out = dict.fromkeys(("reason", "address_failure", "address", "from_address", "envoy"))
    now = {**line, "timestamp": "2026-01-01T00:00:00.004Z", "level": "info", "event": "tunnel"}
    assert set(left_out | now) <= JSON_FORMAT.keys()
    before, after = (parse_record(json.dumps(each)) for each in (line | left_out, now))
    assert before == after is not None
    released = ReleasedSlot("p", "192.0.2.1:5")
    assert released_slot(json.dumps(now, separators=(",", ":"))) == released


def test_the_ends_that_a_line_says_are_those_that_the_kernel_says() -> None:
    line = {
        "time": "2026-01-01T00:00:00.000Z",
        "type": "DownstreamPeriodic",
        "tunnel": "t",
        "pass": str(TunnelMetadata("p", UUID(int=1))),
        "target": REPO,
        "client": "192.0.2.1:5",
        "status": 200,
        "bytes_up": 1,
        "bytes_down": 2,
    }

    def ends(**said: str) -> tuple[str, str]:
        record = parse_record(json.dumps(line | said))
        assert record is not None
        return record.gateway_address, record.target_address

    assert ends() == ("", "")
    assert ends(gateway_address="192.0.2.8:443", address="[2001:db8::1]:6180") == (
        "192.0.2.8:443",
        "[2001:db8::1]:6180",
    )
    mapped = ends(gateway_address="[::ffff:192.0.2.8]:443", address="[::ffff:192.0.2.9]:6180")
    assert mapped == ("192.0.2.8:443", "192.0.2.9:6180"), "though targets are called as configured"


def test_lines_that_are_not_read_yet_begin_no_tunnel_again(paths: StatePaths) -> None:
    began = {"type": "DownstreamTunnelSuccessfullyEstablished", "bytes_up": 0}
    line = {
        "time": "2026-01-01T00:00:00.000Z",
        "tunnel": "t",
        "pass": str(TunnelMetadata("p", UUID(int=1))),
        "envoy": "gone",
        "target": REPO,
        "client": "192.0.2.1:5",
        "status": 200,
        "bytes_down": 0,
        "from_address": None,
    }
    going = line | {"type": "DownstreamPeriodic", "bytes_up": 10, "filler": "x" * MOST_BYTES}
    ended = line | {"type": "DownstreamEnd", "bytes_up": 20}
    paths.access_log.parent.mkdir(parents=True, exist_ok=True)
    lines = [line | began, *[going] * 2 * MOST_READS, ended]
    paths.usage.write_text("{}")
    paths.access_log.write_text("".join(json.dumps(each) + "\n" for each in lines))
    tracker = quiet_tracker(paths, TunnelTable())
    for _ in range(4):
        tracker.poll()
    ((_, used),) = [tracker.usage.next_batch()]
    assert sum(each.bytes_up for each in used) == 20
    assert sum(each.tunnels for each in used) == 1
    assert tracker.live == ()


class EndingEnvoy(EnvoyProcesses):
    """One Envoy: it says something, and ends right after the log was read."""

    def __init__(self, paths: StatePaths) -> None:
        super().__init__(paths, UnixEndpoints(paths))
        self.runs = True

    @property
    def labels(self) -> set[str]:
        return {"e"} if self.runs else set()


def test_an_envoy_that_ends_between_the_log_and_the_look_who_runs_is_billed_once(
    paths: StatePaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = {
        "time": "2026-01-01T00:00:00.000Z",
        "tunnel": "t",
        "pass": str(TunnelMetadata("p", UUID(int=1))),
        "envoy": "e",
        "target": REPO,
        "client": "192.0.2.1:5",
        "status": 200,
        "bytes_down": 0,
        "from_address": None,
    }
    paths.access_log.parent.mkdir(parents=True, exist_ok=True)
    paths.usage.write_text("{}")
    envoys = EndingEnvoy(paths)
    tracker = TunnelTracker(paths, envoys, slots=TunnelSlots(), closer=TunnelCloser(envoys))

    def say(**more: object) -> None:
        with paths.access_log.open("a") as log:
            log.write(json.dumps(line | more) + "\n")

    say(type="DownstreamPeriodic", bytes_up=10**12)
    tracker.poll()
    read = LogTail.read

    def read_and_end(tail: LogTail) -> list[str]:
        lines = read(tail)
        monkeypatch.undo()
        say(type="DownstreamEnd", bytes_up=10**12 + 5)
        envoys.runs = False
        return lines

    monkeypatch.setattr(LogTail, "read", read_and_end)
    for _ in range(3):
        tracker.poll()
    _, used = tracker.usage.next_batch()
    assert sum(each.bytes_up for each in used) == 10**12 + 5
    assert sum(each.tunnels for each in used) == 1
    assert tracker.live == ()


@pytest.mark.parametrize("many", [1, TUNNELS_AT_ONCE, TUNNELS_AT_ONCE + 1])
def test_all_live_tunnels_are_known_to_the_next_one_however_many_they_are(
    paths: StatePaths, many: int
) -> None:
    live = tuple(
        Tunnel(
            tunnel=f"t{each}",
            slot_id=f"p{each}",
            envoy="live",
            started_at=NOW,
            tenant_id=UUID(int=1),
            user_id=None,
            target=REPO,
            client=f"192.0.2.1:{each}",
            from_address="",
        )
        for each in range(many)
    )
    paths.usage.parent.mkdir(parents=True, exist_ok=True)
    assert quiet_tracker(paths, TunnelTable(live)).checkpoint()
    assert new_tracker(paths).live == live


def test_lines_are_read_once_over_rotations(tmp_path: Path) -> None:
    log, now = tmp_path / "access.log", [0.0]
    follower = LogTail(log, clock_seconds=lambda: now[0])
    assert follower.read() == []
    log.write_text("one\ntwo\nthr")
    assert follower.read() == ["one", "two"]
    with log.open("a") as more:
        more.write("ee\n")
    rotate(log, 1)
    with (tmp_path / "access.log.1").open("a") as late:
        late.write("late\n")
    log.write_text("four\n")
    assert follower.read() == ["three", "late"]
    assert follower.read() == []
    now[0] = ROTATION_GRACE_SECONDS + 1
    position = follower.position
    assert follower.read() == ["four"]
    again = LogTail(log, position, lambda: now[0])
    assert again.read() == []
    now[0] += ROTATION_GRACE_SECONDS + 1
    assert again.read() == ["four"]


def test_a_log_that_was_taken_away_is_followed_by_the_next_and_by_none_before(
    tmp_path: Path,
) -> None:
    log = tmp_path / "access.log"
    (tmp_path / "access.log.1").write_text("read before\n")
    follower = LogTail(log, LogPosition(inode=1, offset_bytes=99))
    assert follower.read() == []
    log.write_text("one\n")
    assert follower.read() == ["one"]


def test_a_log_that_was_emptied_is_read_from_its_beginning(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text("one\ntwo\n")
    follower = LogTail(log)
    assert follower.read() == ["one", "two"]
    log.write_text("three\n")
    assert follower.read() == ["three"]


@pytest.fixture
def paths(tmp_path: Path) -> StatePaths:
    made = state_paths(tmp_path / "state")
    made.make_folders()
    return made


def quiet_tracker(paths: StatePaths, tunnels: TunnelTable) -> TunnelTracker:
    """The tracker of a machine on which no Envoy runs."""
    tracker = new_tracker(paths)
    tracker._tunnels = tracker.usage._tunnels = tunnels
    return tracker


def new_tracker(paths: StatePaths) -> TunnelTracker:
    """A tracker of what was written down before."""
    envoys = EnvoyProcesses(paths, UnixEndpoints(paths))
    return TunnelTracker(paths, envoys, slots=TunnelSlots(), closer=TunnelCloser(envoys))


async def used(tracker: TunnelTracker, bytes_up: int) -> list[Usage]:
    """Wait until so much was used, delivering batch by batch."""
    found: list[Usage] = []

    def all_is_delivered() -> bool:
        found.extend(tracker.usage.next_batch()[1])
        tracker.usage.acknowledge()
        return sum(each.bytes_up for each in found) >= bytes_up

    await until_async(all_is_delivered, PATIENCE_SECONDS + 20, said=lambda: found)
    return found


@pytest.mark.anyio
async def test_bytes_are_counted_exactly_though_the_host_service_is_killed_between(
    tmp_path: Path, authority: Authority, client: Client, repository_port: int
) -> None:
    port = free_port()
    async with running_machine(tmp_path / "state", authority) as before:
        before.know(tenant(repository_port))
        await before.bring(before.gateway(port), GatewayState.LISTENING)
        going, ended = await client.connect(port, REPO), await client.connect(port, REPO)
        assert await going.echoes(bytes(100_000))
        assert await ended.echoes(bytes(50_000))
        ended.close()
        first = await used(before.tracker, 50_000)
        kept = before.paths.usage.read_text()
        assert await going.echoes(bytes(7))
        await before.leave()
        # Killed, it would not have written down what it counted last.
        before.paths.usage.write_text(kept)
        async with running_machine(tmp_path / "state", authority) as after:
            await after.found(GatewayState.LISTENING)
            going.close()
            rest = await used(after.tracker, 100_007)
    everything = [*first, *rest]
    assert sum(each.bytes_up for each in everything) == 150_007
    assert sum(each.bytes_down for each in everything) == 150_007
    assert sum(each.tunnels for each in everything) == 2
    assert {each.target for each in everything} == {REPO}


@pytest.mark.anyio
async def test_live_tunnels_are_written_down_in_the_words_that_every_release_reads(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    await machine.hears_of(1)
    assert machine.tracker.checkpoint()
    (live,) = json.loads(machine.paths.usage.read_text())["live"]
    assert live["place"]
    assert "era" in live
    tunnel.close()


@pytest.mark.anyio
async def test_a_batch_stays_the_same_until_it_was_delivered(
    machine: Machine, client: Client
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    assert await tunnel.echoes()
    tunnel.close()

    def has_bytes() -> bool:
        if any(each.bytes_up for each in machine.tracker.usage.next_batch()[1]):
            return True
        machine.tracker.usage.acknowledge()
        return False

    await until_async(has_bytes)
    name, batch = machine.tracker.usage.next_batch()
    assert machine.tracker.usage.next_batch() == (name, batch)
    kept = json.loads(machine.paths.usage.read_text())
    assert kept["batch"] == name
    machine.tracker.usage.acknowledge()
    assert json.loads(machine.paths.usage.read_text())["batched"] == []


@pytest.mark.anyio
async def test_nothing_is_billed_twice_when_what_was_counted_is_lost_and_who_is_in_stays_known(
    tmp_path: Path, authority: Authority, client: Client, repository_port: int
) -> None:
    port = free_port()
    async with running_machine(tmp_path / "state", authority) as before:
        before.know(tenant(repository_port))
        await before.bring(before.gateway(port), GatewayState.LISTENING)
        going, ended = await client.connect(port, REPO), await client.connect(port, REPO)
        assert await going.echoes(bytes(100_000))
        assert await ended.echoes(bytes(50_000))
        ended.close()
        await used(before.tracker, 50_000)
        await before.leave()
        for each in before.paths.state.glob("*usage.json*"):
            each.unlink()
        async with running_machine(tmp_path / "state", authority) as after:
            await after.found(GatewayState.LISTENING)
            await until_async(after.tracker.checkpoint)
            assert len(after.tracker.live) == 1
            new = await client.connect(port, REPO)
            assert await new.echoes(bytes(7))
            new.close()
            rest = await used(after.tracker, 7)
            assert sum(each.bytes_up for each in rest) == 7
            after.know()
            assert await going.is_cut()


@pytest.mark.anyio
@pytest.mark.parametrize("empty", [False, True])
async def test_use_is_counted_on_when_somebody_makes_room_by_the_access_log(
    machine: Machine, client: Client, empty: bool
) -> None:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    going, ended = await client.connect(port, REPO), await client.connect(port, REPO)
    assert await ended.echoes(bytes(50_000))
    ended.close()
    found = await used(machine.tracker, 50_000)
    log = machine.paths.access_log
    log.write_text("") if empty else log.unlink()
    await Rotation(log, machine.envoy)._attempt()
    assert await going.echoes(bytes(7))
    going.close()
    found += await used(machine.tracker, 7)
    assert sum(each.bytes_up for each in found) == 50_007
    assert sum(each.tunnels for each in found) == 2
