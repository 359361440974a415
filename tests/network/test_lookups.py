"""Do lookups whose name server is silent hold up other names, other work, or the end?"""

import asyncio
import os
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import uvloop

from cloudgate.network.happy_eyeballs import connect, find_best_address
from cloudgate.network.lookups import Lookups, nobody_answers
from tests.support.waiting import PATIENCE_SECONDS, until, until_async

Runs = Callable[[Coroutine[Any, Any, Any]], Any]
DEFAULT_THREADS = min(32, (os.cpu_count() or 1) + 4)
"""Of an event loop of asyncio."""


class NameServer:
    """Says the same address of all names; of those in `silent.example` not before it may."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.may_answer = threading.Event()

    def find(self, host: str, _port: int) -> list[str]:
        self.asked[host] += 1
        if host.endswith("silent.example"):
            self.may_answer.wait()
        return ["192.0.2.1"]

    def getaddrinfo(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        """As `socket` has it."""
        found = [host] if host[0].isdigit() else self.find(host, port)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]


@pytest.fixture
def names() -> Iterator[NameServer]:
    made = NameServer()
    yield made
    made.may_answer.set()


async def soon(work: Coroutine[Any, Any, Any]) -> Any:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await work


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_names_whose_name_servers_are_silent_take_no_thread_from_anything_else(
    names: NameServer, monkeypatch: pytest.MonkeyPatch, run: Runs
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", names.getaddrinfo)

    async def dial_all() -> None:
        asking = [
            asyncio.create_task(dialling)
            for number in range(DEFAULT_THREADS // 2 + 1)
            for name in [f"name{number}.silent.example"]
            for dialling in (connect(name, 1), find_best_address(f"of.{name}", 1, None))
        ]
        try:
            await until_async(lambda: len(names.asked) == len(asking))
            await soon(asyncio.to_thread(int))
            assert await soon(find_best_address("well.example", 1, None)) == "192.0.2.1"
        finally:
            for each in asking:
                each.cancel()
            names.may_answer.set()

    run(dial_all())


def test_a_name_is_looked_up_once_at_a_time_for_all_event_loops(names: NameServer) -> None:
    lookups = Lookups(find=names.find)

    async def ask() -> list[str]:
        given_up = asyncio.create_task(lookups.look_up("silent.example", 1))
        asking = asyncio.create_task(lookups.look_up("silent.example", 1))
        await asyncio.sleep(0)
        given_up.cancel()
        all_ask.wait()
        return await asking

    all_ask = threading.Barrier(3, action=names.may_answer.set)
    with ThreadPoolExecutor(3) as threads:
        found = list(threads.map(lambda _: asyncio.run(soon(ask())), range(3)))
    assert found == [["192.0.2.1"]] * 3
    assert names.asked == {"silent.example": 1}
    asyncio.run(soon(lookups.look_up("silent.example", 1)))
    assert names.asked == {"silent.example": 2}, "what was said once is not kept"


def test_no_more_are_looked_up_at_a_time_than_may_and_none_that_nobody_waits_for(
    names: NameServer,
) -> None:
    lookups = Lookups(2, names.find)

    async def ask() -> None:
        first, second, third, last = (
            asyncio.create_task(lookups.look_up(f"name{number}.silent.example", 1))
            for number in range(4)
        )
        assert await lookups.look_up("192.0.2.1", 1) == ["192.0.2.1"], "an address waits for none"
        await until_async(lambda: len(names.asked) == 3)
        third.cancel()
        await asyncio.sleep(0)
        names.may_answer.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = [await each for each in (first, second, last)]
        assert found == [["192.0.2.1"]] * 3

    asyncio.run(ask())
    assert set(names.asked) - {"192.0.2.1"} == {f"name{n}.silent.example" for n in (0, 1, 3)}
    until(lambda: not lookups._threads)
    assert not lookups._under_way


def test_what_a_lookup_raises_is_raised_where_somebody_waits() -> None:
    problem = socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    def find(_host: str, _port: int) -> list[str]:
        raise problem

    lookups = Lookups(find=find)
    for _ in range(2):
        with pytest.raises(socket.gaierror) as caught:
            asyncio.run(lookups.look_up("name.example", 1))
        assert caught.value is problem
        assert nobody_answers(caught.value)


def test_where_no_thread_can_be_begun_it_is_said_and_the_next_may(
    monkeypatch: pytest.MonkeyPatch, names: NameServer
) -> None:
    lookups = Lookups(find=names.find)

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(threading.Thread, "start", refuse)
        with pytest.raises(OSError, match="start new thread"):
            asyncio.run(lookups.look_up("well.example", 1))
    assert asyncio.run(soon(lookups.look_up("well.example", 1))) == ["192.0.2.1"]


ENDING = """
import asyncio, socket, threading

asked = threading.Event()

def silent(*_, **__):
    asked.set()
    threading.Event().wait()

socket.getaddrinfo = silent

from cloudgate.host.authorization.resolver import Resolver
from cloudgate.network.happy_eyeballs import connect

async def give_up(work):
    asking = asyncio.create_task(work)
    while not asked.is_set():
        await asyncio.sleep(0.01)
    asked.clear()
    asking.cancel()

async def main():
    resolver = Resolver()
    await give_up(connect("gateway.example", 443))
    await give_up(resolver.resolve("target.example:443"))
    resolver.close()

asyncio.run(main())
print("over")
"""


def test_a_process_ends_though_a_lookup_does_not() -> None:
    command = [sys.executable, "-c", ENDING]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True
    )
    assert (ended.stdout, ended.stderr) == ("over\n", "")
