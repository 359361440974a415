"""Are tunnels as fast as was sold, however rarely reviews come, whatever failed before?"""

from collections.abc import Mapping
from uuid import UUID

import pytest

from cloudgate.errors import UnavailableError
from cloudgate.host.platform import Pacing
from cloudgate.host.shaping.congestion import CongestionMonitor
from cloudgate.host.shaping.fair_share import FairShare
from cloudgate.host.shaping.shaper import FIRST_SECONDS, TrafficShaper
from cloudgate.protocol import GatewayState
from tests.support.ports import free_port
from tests.support.running.machine import Machine
from tests.support.running.tenant import tenant
from tests.support.running.tenant_program import Client, Tunnel

REPO = "repo.example:443"
LIMIT_BYTES = 200_000
OTHER = UUID(int=2)
RARELY_SECONDS = 4.0
"""Between two reviews, as with very many tunnels."""
pytestmark = pytest.mark.anyio


class Reviewed:
    """A tunnel whose speed is reviewed when the test says so, by the test's clock."""

    def __init__(self, machine: Machine, tunnel: Tunnel, repository_port: int) -> None:
        self.machine = machine
        self.tunnel = tunnel
        self._repository_port = repository_port
        self._now_seconds = 1000.0
        self.shaper = self.another_shaper()

    def another_shaper(
        self, *, capacity_bytes: int | None = None, load: CongestionMonitor | None = None
    ) -> TrafficShaper:
        """As a host service makes it that is started now."""
        self.shaper = TrafficShaper(
            self.machine.envoys,
            self.machine.directory,
            self.machine.tracker,
            self.machine.allowances,
            fairness=FairShare(capacity_bytes),
            starts=self.machine.admissions.starts,
            load=load,
            clock_seconds=lambda: self._now_seconds,
        )
        return self.shaper

    def sell(self, limit_bytes: int | None) -> None:
        self.machine.know(tenant(self._repository_port, speed_limit_bytes=limit_bytes))

    def review(self, after_seconds: float = RARELY_SECONDS) -> None:
        self._now_seconds += after_seconds
        self.machine.tracker.poll()
        self.shaper.review()

    @property
    def rates(self) -> list[int | None]:
        """What each of its connections may send each second, as the kernel says."""
        (live,) = self.machine.tracker.live
        names = (live.client, live.from_address)
        sent = self._pacing.sent_by(names)
        return [sent[name].rate_bytes for name in names]

    def slow(self, rate_bytes: int) -> None:
        """As a host service did that is no more."""
        (live,) = self.machine.tracker.live
        self._pacing.set(dict.fromkeys((live.client, live.from_address), rate_bytes))

    @property
    def _pacing(self) -> Pacing:
        assert self.machine.envoys.pid is not None
        return Pacing(self.machine.envoys.pid)


@pytest.fixture
async def reviewed(machine: Machine, client: Client, repository_port: int) -> Reviewed:
    port = free_port()
    await machine.bring(machine.gateway(port), GatewayState.LISTENING)
    tunnel = await client.connect(port, REPO)
    await machine.hears_of(1)
    await machine.end_work()
    return Reviewed(machine, tunnel, repository_port)


async def test_who_keeps_to_its_limit_has_all_of_it_though_reviews_are_rare(
    reviewed: Reviewed,
) -> None:
    reviewed.sell(LIMIT_BYTES)
    for _ in range(3):
        assert await reviewed.tunnel.echoes(bytes(LIMIT_BYTES // 4))
        reviewed.review()
    # In both directions together a quarter of a second's speed went through in four seconds.
    assert sum(each or 0 for each in reviewed.rates) >= LIMIT_BYTES


async def test_for_whom_a_full_gateway_waits_is_made_room_though_reviews_are_rare(
    reviewed: Reviewed,
) -> None:
    reviewed.another_shaper(capacity_bytes=LIMIT_BYTES)
    for _ in range(3):
        reviewed.review()
    assert reviewed.rates == [None, None]
    reviewed.shaper.make_room(OTHER)
    reviewed.review()
    assert all(each is not None and each < LIMIT_BYTES for each in reviewed.rates)
    reviewed.review()
    assert reviewed.rates == [None, None]


async def test_who_was_slowed_before_a_restart_is_freed_however_late_the_first_review_is(
    reviewed: Reviewed,
) -> None:
    reviewed.slow(LIMIT_BYTES)
    reviewed.another_shaper()
    reviewed.review(after_seconds=3 * FIRST_SECONDS)
    assert reviewed.rates == [None, None]


class FailingOnce(CongestionMonitor):
    """Cannot be asked the first time."""

    has_failed = False

    def sample(self) -> None:
        if not self.has_failed:
            self.has_failed = True
            raise UnavailableError("It cannot be seen.")
        super().sample()


async def test_who_was_slowed_before_a_restart_is_freed_though_the_first_review_fails(
    reviewed: Reviewed,
) -> None:
    reviewed.slow(LIMIT_BYTES)
    reviewed.another_shaper(load=FailingOnce())
    with pytest.raises(UnavailableError):
        reviewed.review()
    reviewed.review(after_seconds=3 * FIRST_SECONDS)
    assert reviewed.rates == [None, None]


async def test_who_was_slowed_by_a_review_that_failed_is_freed_by_the_next(
    reviewed: Reviewed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        reviewed.review()
    set_rates = Pacing.set

    def set_and_fail(pacing: Pacing, rates: Mapping[str, int | None]) -> None:
        set_rates(pacing, rates)
        raise UnavailableError("Of another Envoy they cannot be set.")

    monkeypatch.setattr(Pacing, "set", set_and_fail)
    reviewed.sell(LIMIT_BYTES)
    with pytest.raises(UnavailableError):
        reviewed.review()
    assert None not in reviewed.rates
    monkeypatch.undo()
    reviewed.sell(None)
    reviewed.review()
    assert reviewed.rates == [None, None]
