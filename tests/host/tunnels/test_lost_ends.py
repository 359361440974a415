"""Is a tunnel whose last line was lost over, and none that lives?"""

import json
import os
import socket
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.host.access_log.record import RecordType
from cloudgate.host.access_log.tail import MOST_BYTES
from cloudgate.host.access_log.tunnel_metadata import TunnelMetadata
from cloudgate.host.envoy.log_rotation import Rotation
from cloudgate.host.envoy.process import ProcessRecord
from cloudgate.host.envoy.process_set import EnvoyProcesses, ProcessSet
from cloudgate.host.envoy.unix_endpoints import UnixEndpoints
from cloudgate.host.platform import started_at
from cloudgate.host.state.conditions import Conditions
from cloudgate.host.state.paths import state_paths
from cloudgate.host.tunnels.accounting import MOST_LOST, Tunnel, TunnelTable
from cloudgate.host.tunnels.closer import TunnelCloser
from cloudgate.host.tunnels.lost_ends import SILENT_SECONDS, LostEndFinder, connected
from cloudgate.host.tunnels.slots import TunnelSlots
from cloudgate.host.tunnels.tracker import MOST_READS, TunnelTracker
from tests.support.running.machine import Machine
from tests.support.running.tenant_program import Client
from tests.support.waiting import until_async

BOTH_WAYS = True
ACME = UUID(int=1)
REPO = "repo.example:443"
MARK = "envoy"
BEGUN, GOING_ON, ENDED = RecordType.BEGUN, RecordType.GOING_ON, RecordType.ENDED


@dataclass
class Connections:
    """What a tunnel consists of, in this process, which is the Envoy of the test."""

    client: str
    from_address: str
    held: list[socket.socket] = field(default_factory=list)

    def end(self) -> None:
        """Let go of both."""
        for each in self.held:
            each.close()


class Gate:
    """A host service's parts of which this process is the Envoy; time is the test's."""

    def __init__(
        self, folder: Path, look: Callable[[int, Collection[str]], Collection[str]] = connected
    ) -> None:
        self._stack = ExitStack()
        self.paths = state_paths(folder)
        self.paths.make_folders()
        self.log = self.paths.access_log
        self.now_seconds = 1000.0
        self.conditions = Conditions()
        self._look = look
        self._peer = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.start()

    def start(self) -> None:
        """As the host service begins, with what was written down."""
        envoys = EnvoyProcesses(self.paths, UnixEndpoints(self.paths))
        ours = ProcessRecord(pid=os.getpid(), started=started_at(os.getpid()) or "", mark=MARK)
        envoys.known = ProcessSet(current=ours)
        self.envoys = envoys
        self.slots = TunnelSlots()
        self.tracker = TunnelTracker(
            self.paths,
            envoys,
            slots=self.slots,
            closer=TunnelCloser(envoys),
            clock_seconds=lambda: self.now_seconds,
        )
        self.finder = LostEndFinder(envoys, self.tracker, self.conditions, look=self._look)

    def tunnel(self) -> Connections:
        """A tunnel's connections, by the ends that no other has."""
        held = []
        for _ in range(2):
            held.append(socket.create_connection(self._peer.getsockname()))
            held.append(self._peer.accept()[0])
        for each in held:
            self._stack.enter_context(each)
        client, from_address = (f"127.0.0.1:{each.getsockname()[1]}" for each in held[::2])
        return Connections(client, from_address, held)

    def write(
        self, kind: RecordType, name: str, of: Connections, up: int = 0, log: Path | None = None
    ) -> None:
        """Have a line in the access log."""
        said = {
            "time": "2026-01-01T00:00:00.000Z",
            "type": kind,
            "tunnel": name,
            "envoy": MARK,
            "pass": str(TunnelMetadata(f"slot-{name}", ACME)),
            "target": REPO,
            "client": of.client,
            "from_address": of.from_address,
            "protocol": "HTTP/1.1",
            "status": 200,
            "bytes_up": up,
            "bytes_down": 0,
        }
        with (log or self.log).open("a") as file:
            file.write(json.dumps(said, separators=(",", ":")) + "\n")

    async def passes(self, seconds: float = SILENT_SECONDS) -> None:
        """Read what there is, let time go by, and look."""
        self.tracker.poll()
        self.now_seconds += seconds
        await self.finder.review()

    @property
    def live(self) -> list[str]:
        """Who is taken for live."""
        return [each.tunnel for each in self.tracker.live]

    def used(self) -> tuple[int, int]:
        """Tunnels, and bytes up, that were counted and not told yet."""
        told = self.tracker.usage.next_batch()[1]
        self.tracker.usage.acknowledge()
        return sum(each.tunnels for each in told), sum(each.bytes_up for each in told)

    def close(self) -> None:
        """Let go of all connections."""
        self._stack.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    made = Gate(tmp_path / "state")
    yield made
    made.close()


@pytest.mark.anyio
async def test_a_tunnel_that_ended_while_the_log_was_taken_away_gives_its_slot_back(
    gate: Gate,
) -> None:
    ended, lives = gate.tunnel(), gate.tunnel()
    gate.write(BEGUN, "ended", ended, 5)
    gate.write(BEGUN, "lives", lives)
    gate.tracker.poll()
    gate.log.rename(gate.log.with_name("taken away"))
    gate.write(ENDED, "ended", ended, 7, gate.log.with_name("taken away"))
    ended.end()
    gate.write(GOING_ON, "lives", lives, 1)
    await gate.passes(SILENT_SECONDS - 1)
    assert gate.live == ["ended", "lives"]
    await gate.passes(1)
    assert gate.live == ["lives"]
    assert gate.slots.in_use(ACME) == 1
    assert gate.tracker.take_ended() == ([], ["slot-ended"])
    assert gate.used() == (2, 6)


@pytest.mark.anyio
async def test_while_no_line_can_be_written_none_is_over_whose_connections_are_there(
    gate: Gate,
) -> None:
    all_of_them = [gate.tunnel() for _ in range(3)]
    for number, each in enumerate(all_of_them):
        gate.write(BEGUN, str(number), each)
    for _ in range(10):
        await gate.passes()
    assert gate.live == ["0", "1", "2"]
    all_of_them[1].held[0].close()  # its target has not closed yet
    all_of_them[1].held[1].close()
    all_of_them[2].end()
    await gate.passes()
    assert gate.live == ["0", "1"]


@pytest.mark.anyio
async def test_the_last_tunnel_of_an_envoy_that_listens_no_more_is_over_though_nothing_is_said(
    gate: Gate,
) -> None:
    gate.envoys.known = ProcessSet(retired=gate.envoys.known.all)
    only = gate.tunnel()
    gate.write(BEGUN, "only", only)
    only.end()
    await gate.passes()
    assert gate.live == []


@pytest.mark.anyio
async def test_a_connection_that_has_another_tunnel_by_now_keeps_none_that_is_over(
    gate: Gate,
) -> None:
    ended, lives = gate.tunnel(), gate.tunnel()
    later = Connections(ended.client, gate.tunnel().from_address)
    for name, of in (("ended", ended), ("lives", lives), ("later", later)):
        gate.write(BEGUN, name, of)
    for each in ended.held[2:]:
        each.close()
    await gate.passes(SILENT_SECONDS / 2)
    gate.write(GOING_ON, "later", later)
    await gate.passes(SILENT_SECONDS / 2)
    assert gate.live == ["lives", "later"]


@pytest.mark.anyio
async def test_where_connections_cannot_be_seen_who_is_silent_stays_and_the_operator_is_told(
    tmp_path: Path,
) -> None:
    unseen = [True]

    def look(pid: int, names: Collection[str]) -> Collection[str]:
        if unseen:
            raise UnavailableError("Nobody may look.")
        return connected(pid, names)

    with closing(Gate(tmp_path / "state", look)) as gate:
        ended = gate.tunnel()
        gate.write(BEGUN, "ended", ended)
        ended.end()
        await gate.passes(SILENT_SECONDS - 1)
        assert gate.conditions.text == ""
        await gate.passes(100 * SILENT_SECONDS)
        assert gate.live == ["ended"]
        assert "(1), keep their slots: Nobody may look." in gate.conditions.text
        unseen.clear()
        await gate.passes(0)
        assert gate.live == []
        assert gate.conditions.text == ""


@pytest.mark.anyio
async def test_a_tunnel_of_which_no_connection_is_known_stays(gate: Gate) -> None:
    gate.write(BEGUN, "t", Connections("", ""))
    await gate.passes()
    assert gate.live == ["t"]


@pytest.mark.anyio
async def test_while_the_log_cannot_be_read_nobody_is_over(gate: Gate) -> None:
    of = gate.tunnel()
    gate.write(BEGUN, "t", of)
    gate.tracker.poll()
    of.end()
    gate.log.rename(gate.log.with_name("aside"))
    gate.log.mkdir()  # which no program can read
    await gate.passes()
    assert gate.live == ["t"]


@pytest.mark.anyio
async def test_nobody_is_over_whose_line_may_not_be_read_yet(gate: Gate) -> None:
    of = gate.tunnel()
    gate.write(BEGUN, "t", of)
    gate.tracker.poll()
    of.end()
    with gate.log.open("a") as file:
        file.write(("x" * (MOST_BYTES - 1) + "\n") * 3 * MOST_READS)
    gate.write(ENDED, "t", of, 9)
    gate.now_seconds += SILENT_SECONDS
    await gate.finder.review()
    assert gate.live == ["t"]
    while gate.live:
        gate.tracker.poll()
    assert gate.used() == (1, 9)
    assert not gate.tracker._tunnels.lost


@pytest.mark.anyio
async def test_a_host_service_that_begins_gives_all_of_them_the_time_to_have_a_line(
    gate: Gate,
) -> None:
    of = gate.tunnel()
    gate.write(BEGUN, "t", of)
    of.end()
    gate.tracker.poll()
    assert gate.tracker.checkpoint()
    gate.now_seconds += SILENT_SECONDS
    gate.start()
    await gate.passes(0)
    assert gate.live == ["t"]
    await gate.passes()
    assert gate.live == []


@pytest.mark.anyio
@pytest.mark.parametrize("restarts", [False, True])
async def test_what_is_heard_late_of_one_that_was_over_is_counted_on_and_not_again(
    gate: Gate, restarts: bool
) -> None:
    of = gate.tunnel()
    gate.write(BEGUN, "t", of)
    gate.write(GOING_ON, "t", of, 100)
    of.end()
    await gate.passes()
    assert gate.live == []
    assert gate.used() == (1, 100)
    if restarts:
        assert gate.tracker.checkpoint()
        gate.start()
    gate.write(GOING_ON, "t", of, 101)
    gate.tracker.poll()
    assert gate.live == ["t"]
    assert gate.slots.in_use(ACME) == 1
    gate.write(ENDED, "t", of, 103)
    gate.tracker.poll()
    assert gate.live == []
    assert gate.slots.in_use(ACME) == 0
    assert gate.used() == (0, 3)


def test_no_more_are_remembered_than_there_is_room_for() -> None:
    of = {"envoy": MARK, "tenant_id": ACME, "user_id": None, "target": REPO, "client": "c:1"}
    more = {"started_at": "2026-01-01T00:00:00Z", "from_address": ""}
    many = [Tunnel(tunnel=str(number), **of, **more) for number in range(MOST_LOST + 2)]  # type: ignore[arg-type]
    table = TunnelTable(many)
    table.end_lost([each.tunnel for each in many])
    assert table.live == ()
    assert list(table.lost) == [each.tunnel for each in many[2:]]


@pytest.mark.anyio
async def test_a_tunnel_that_ends_while_no_log_is_there_is_live_no_more_and_the_others_go_on(
    machine: Machine, client: Client, port: int
) -> None:
    ended, goes_on = await client.connect(port, REPO), await client.connect(port, REPO)
    assert await ended.echoes()
    await machine.hears_of(2)
    log, ahead = machine.paths.access_log, [0.0]
    machine.tracker._clock_seconds = lambda: time.monotonic() + ahead[0]
    with log.open() as taken_away:
        log.unlink()
        ended.close()
        found: list[str] = []

        def has_ended() -> bool:
            found.append(taken_away.read())
            return f'"type":"{ENDED}"' in "".join(found)

        await until_async(has_ended)
    await Rotation(log, machine.envoy)._attempt()
    await until_async(log.exists)
    assert len(machine.tracker.live) == 2
    ahead[0] = SILENT_SECONDS + 1
    finder = LostEndFinder(machine.envoys, machine.tracker, Conditions())
    await finder.review()
    assert len(machine.tracker.live) == 1
    assert machine.admissions.slots.in_use(ACME) == 1
    assert await goes_on.echoes()
    goes_on.close()
    await until_async(lambda: not machine.tracker.live)
    assert machine.admissions.slots.in_use(ACME) == 0
