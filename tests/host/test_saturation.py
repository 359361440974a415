"""Is the operator told what is used up, with the figure, and for as long as it is so?"""

import errno
import os
import resource
import ssl
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from cloudgate.host import saturation
from cloudgate.host.envoy import launcher
from cloudgate.host.platform.resource_limits import Capacity
from cloudgate.host.saturation import (
    REVIEW_SECONDS,
    TOLD_AGAIN_SECONDS,
    SaturationMonitor,
    connections,
    disk,
    files,
    machine_levels,
    open_files_limit,
)
from cloudgate.host.state.conditions import Conditions
from cloudgate.protocol import GatewayState
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant_program import Client

pytestmark = pytest.mark.anyio
REPO = "repo.example:443"
GIBIBYTE = 1024**3


class Told:
    """What the operator is told, at times that the test says."""

    def __init__(self) -> None:
        self.conditions, self.times, self.now = Conditions(), 0, 0.0
        self.saturation = SaturationMonitor(self.conditions, self._told, lambda: self.now)

    def _told(self) -> None:
        self.times += 1

    def take(self, *levels: saturation.ResourceLevel) -> str:
        """Look."""
        self.now += REVIEW_SECONDS
        with capture_logs():
            self.saturation.sample(levels)
        return self.conditions.text


def own_files() -> int:
    """How many this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def envoys_files(used: int) -> saturation.ResourceLevel:
    return files("files of Envoy", "Envoy", used, 100)


def test_what_is_used_up_is_told_with_its_figure_until_there_is_room_again() -> None:
    told = Told()
    assert told.take(envoys_files(89)) == ""
    assert "Envoy has 90 of the 100 files open" in told.take(envoys_files(90))
    assert told.take(envoys_files(86)), "not before there is some room"
    assert told.take(), "what cannot be seen is not over"
    assert told.take(envoys_files(84)) == ""
    assert told.times == 2


def test_a_figure_that_changes_is_told_once_a_minute() -> None:
    told = Told()
    told.take(envoys_files(91))
    assert "91 of" in told.take(envoys_files(95))
    told.now += TOLD_AGAIN_SECONDS
    assert "96 of" in told.take(envoys_files(96))
    assert told.times == 2


def test_several_kinds_are_told_at_once_and_end_one_by_one() -> None:
    told = Told()
    both = told.take(envoys_files(100), disk("/state", 5 * 1024**2, GIBIBYTE, in_bytes=True))
    assert "100 of the 100 files" in both
    assert "room for 5 of 1,024 MiB" in both
    assert told.take(envoys_files(1)).startswith("The disk of /state")


@pytest.mark.parametrize(
    ("level", "is_full"),
    [
        (disk("/", 2 * GIBIBYTE, 1000 * GIBIBYTE, in_bytes=True), False),
        (disk("/", GIBIBYTE // 2, 1000 * GIBIBYTE, in_bytes=True), True),
        (disk("/", 0, 16 * 1024**2, in_bytes=True), True),
        (disk("/", 1, 1000, in_bytes=False), True),
        (disk("/", 20_000, 10_000_000, in_bytes=False), False),
        (connections(10, 100, 0), False),
        (connections(95, 100, 0), True),
        (connections(10, 100, 3), True),
        (saturation.heap(84), False),
        (saturation.heap(85), True),
        (saturation.memory(95, 100), True),
    ],
)
def test_each_kind_has_its_own_measure(level: saturation.ResourceLevel, is_full: bool) -> None:
    assert (level.part >= level.full) is is_full


def test_this_machine_can_be_seen(tmp_path: Path) -> None:
    kinds = {each.kind: each for each in machine_levels(tmp_path, {"mark": os.getppid()})}
    assert set(kinds) >= {
        "files of Envoy",
        "files of the host service",
        "files of the system",
        "memory",
        "disk",
    }
    assert kinds["files of the host service"].used == pytest.approx(own_files(), abs=3)
    assert 0 < kinds["memory"].part < 1


def test_a_process_that_is_gone_is_unknown_and_not_full(tmp_path: Path) -> None:
    kinds = {each.kind for each in machine_levels(tmp_path, {"mark": 2**22 + 1})}
    assert "files of Envoy" not in kinds


def _open_all(held: list[int]) -> None:
    """How many that takes depends on which numbers this process has given back."""
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))


def test_who_has_not_even_a_file_left_to_look_says_so(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = own_files()
    held: list[int] = []
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (used + 5, hard))
        with pytest.raises(OSError, match=os.strerror(errno.EMFILE)):
            _open_all(held)
        found = machine_levels(tmp_path, {})
    finally:
        for each in held:
            os.close(each)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    (own,) = (each for each in found if each.kind == "files of the host service")
    assert own.part >= saturation.FULL
    assert f"of the {used + 5:,} files open" in own.words


def test_the_limit_is_read_as_the_kernel_writes_it() -> None:
    head = "Limit                     Soft Limit           Hard Limit           Units     \n"
    line = "Max open files            1024                 524288               files     \n"
    assert open_files_limit(head + line) == 1024
    assert open_files_limit(head + line.replace("1024     ", "unlimited")) is None
    assert open_files_limit("") is None


async def test_an_envoy_without_files_is_seen_and_when_it_has_some_again(
    machine: Machine, client: Client
) -> None:
    await machine.bring(machine.gateway(free_port()), GatewayState.LISTENING)
    pid = machine.envoys.pid
    assert pid is not None

    def level() -> saturation.ResourceLevel:
        found = machine_levels(machine.paths.state, {"mark": pid})
        return next(each for each in found if each.kind == "files of Envoy")

    assert level().part < saturation.OVER
    used = int(level().used)
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[1]))
    assert level().part == 1
    assert f"Envoy has {used} of the {used} files open" in level().words
    resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    assert level().part < saturation.OVER


async def test_a_full_gateway_is_told_and_how_many_it_turned_away(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (launcher, saturation):
        monkeypatch.setattr(module, "capacity", lambda: Capacity(4, 2**30))
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    told = SaturationMonitor(Conditions(), lambda: None)

    async def level() -> saturation.ResourceLevel:
        found = await told._of_envoy(machine.envoys, machine.admin)
        return next(each for each in found if each.kind == "connections")

    tunnels = [await client.connect(port, REPO) for _ in range(2)]
    assert (await level()).part == 0.5
    tunnels += [await client.connect(port, REPO) for _ in range(2)]
    for _ in range(3):
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await client.connect(port, REPO)
    assert "4 of the 4 connections" in (await level()).words
    assert (await level()).part == 1
    for each in tunnels:
        each.close()


async def test_tenants_that_were_turned_away_are_told_of_once(
    machine: Machine, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (launcher, saturation):
        monkeypatch.setattr(module, "capacity", lambda: Capacity(2, 2**30))
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    told = SaturationMonitor(Conditions(), lambda: None)
    await told._of_envoy(machine.envoys, machine.admin)
    for _ in range(2):
        await client.connect(port, REPO)
    with pytest.raises((ConnectionError, ssl.SSLError)):
        await client.connect(port, REPO)
    first, again = [
        (await told._of_envoy(machine.envoys, machine.admin))[0].words for _ in range(2)
    ]
    assert "1 were turned away just now" in first
    assert "turned away just now" not in again
