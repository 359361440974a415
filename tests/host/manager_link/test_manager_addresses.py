"""Does a host spread over managers, go on to another one, and come back?"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass

from cloudgate.host.manager_link.addresses import LONGEST_STAY_SECONDS, ManagerAddresses

ONE, TWO, THREE = (f"https://{each}.example:9398" for each in ("one", "two", "three"))


@dataclass
class Clock:
    seconds: float = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_hosts_begin_with_each_manager_about_equally_often() -> None:
    chosen = Counter(
        ManagerAddresses(random.Random(number)).choose((ONE, TWO, THREE)) for number in range(300)
    )
    assert min(chosen.values()) > 70


def test_one_that_does_not_answer_is_left_for_each_other_one_in_turn() -> None:
    known = ManagerAddresses(random.Random(1))
    seen = []
    for _ in range(3):
        url = known.choose((ONE, TWO, THREE))
        seen.append(url)
        known.failed(url)
        known.failed(url)  # other connections of the host find out, too
    assert sorted(seen) == sorted((ONE, TWO, THREE))


def test_a_manager_that_is_new_is_no_reason_to_leave_the_one_in_use() -> None:
    known = ManagerAddresses(random.Random(1))
    assert known.choose((ONE,)) == ONE
    assert not known.are_several
    assert known.choose((ONE, TWO, THREE, ONE)) == ONE
    assert known.are_several
    assert known.choose((TWO, THREE)) in (TWO, THREE)


def test_after_a_while_chance_decides_anew() -> None:
    clock, stayed = Clock(), Counter[bool]()
    for number in range(200):
        known = ManagerAddresses(random.Random(number), clock)
        before = known.choose((ONE, TWO))
        known.stay()
        assert known.choose((ONE, TWO)) == before
        clock.seconds += LONGEST_STAY_SECONDS
        known.stay()
        stayed[known.choose((ONE, TWO)) == before] += 1
    assert min(stayed[True], stayed[False]) > 70


def test_a_host_with_one_manager_stays_whatever_happens() -> None:
    known = ManagerAddresses()
    known.choose((ONE,))
    known.failed(ONE)
    known.stay()
    assert known.choose((ONE,)) == ONE


def test_who_waits_hears_that_another_one_is_spoken_with() -> None:
    async def wait() -> None:
        known = ManagerAddresses(random.Random(1))
        url = known.choose((ONE, TWO))
        leaving = asyncio.create_task(known.left(url))
        await asyncio.sleep(0)
        assert not leaving.done()
        known.failed(url)
        await asyncio.wait_for(leaving, 10)

    asyncio.run(wait())
