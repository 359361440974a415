"""Fair semaphore: does a turn that nobody took up, or that was cancelled, go to the next one?"""

import asyncio

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudgate.api.connections.fair_queue import FairQueue, Waiter
from cloudgate.api.connections.fair_semaphore import FairSemaphore, SemaphoreClosedError

CROWD, OTHER = "192.0.2.1", "192.0.2.2"


class Clients:
    """Some who want turns, each a task that keeps its turn until it is told that it is over."""

    def __init__(self, at_once: int) -> None:
        self.semaphore = FairSemaphore(at_once, FairQueue())
        self.at_work: list[asyncio.Event] = []
        """Of each that has its turn, what ends it."""
        self.all: list[asyncio.Task[None]] = []

    @property
    def under_way(self) -> list[asyncio.Task[None]]:
        """Those that wait or have their turn."""
        return [each for each in self.all if not each.done()]

    def come(self, address: str) -> asyncio.Task[None]:
        task = asyncio.create_task(self._have_a_turn(Waiter(address)))
        self.all.append(task)
        return task

    async def _have_a_turn(self, waiter: Waiter) -> None:
        async with self.semaphore.held(waiter):
            over = asyncio.Event()
            self.at_work.append(over)
            try:
                await over.wait()
            finally:
                self.at_work.remove(over)


async def settle() -> None:
    """Let all that can go on go on: what one does wakes the next, no more than a few times."""
    for _ in range(10):
        await asyncio.sleep(0)


STEPS = st.one_of(
    st.tuples(st.just("come"), st.integers(0, 3)),
    st.tuples(st.just("end"), st.integers(0, 3)),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.sampled_from([("pass", 0), ("settle", 0)]),
)


@given(at_once=st.integers(1, 3), steps=st.lists(STEPS, max_size=40))
@example(
    at_once=1,
    steps=[*[("come", 0)] * 3, ("pass", 0), ("end", 0), ("pass", 0), ("cancel", 0)],
)
def test_whatever_comes_ends_or_is_cancelled_no_turn_is_lost_and_none_is_too_many(
    at_once: int, steps: list[tuple[str, int]]
) -> None:
    async def try_it() -> None:
        clients = Clients(at_once)
        for step, number in [*steps, ("settle", 0)]:
            if step == "come":
                clients.come(f"192.0.2.{number}")
            elif step == "end" and clients.at_work:
                clients.at_work[number % len(clients.at_work)].set()
            elif step == "cancel" and clients.under_way:
                clients.under_way[number % len(clients.under_way)].cancel()
            elif step == "pass":
                await asyncio.sleep(0)
            elif step == "settle":
                await settle()
                assert len(clients.at_work) == min(at_once, len(clients.under_way))
            assert len(clients.at_work) <= at_once
        while clients.under_way:
            clients.at_work[0].set()
            await settle()

    asyncio.run(try_it())


def test_who_is_called_and_cancelled_at_one_moment_leaves_its_turn_to_the_next() -> None:
    async def try_it() -> None:
        clients = Clients(1)
        first = clients.come(CROWD)
        called = clients.come(CROWD)
        last = clients.come(CROWD)
        await settle()
        clients.at_work[0].set()
        await asyncio.sleep(0)
        assert first.done()
        called.cancel()
        await settle()
        assert called.cancelled()
        assert len(clients.at_work) == 1
        clients.at_work[0].set()
        await last

    asyncio.run(try_it())


def test_an_address_with_one_client_does_not_wait_for_all_of_another_one() -> None:
    async def try_it() -> None:
        clients = Clients(1)
        for _ in range(20):
            clients.come(CROWD)
        await settle()
        other = clients.come(OTHER)
        ended = 0
        while not other.done():
            clients.at_work[0].set()
            ended += 1
            await settle()
        assert ended <= 3
        for each in clients.under_way:
            each.cancel()
        await settle()

    asyncio.run(try_it())


def test_closed_it_sends_those_who_wait_and_those_who_come_away() -> None:
    async def try_it() -> None:
        clients = Clients(1)
        at_work, waiting = clients.come(CROWD), clients.come(OTHER)
        await settle()
        clients.semaphore.close()
        with pytest.raises(SemaphoreClosedError):
            await waiting
        with pytest.raises(SemaphoreClosedError):
            await clients.come(OTHER)
        clients.at_work[0].set()
        await at_work

    asyncio.run(try_it())
