"""Ports: which can a test take, with others at work beside it, and what does one say to who comes?

It takes none of those that the system gives to connections: these come and go all the time. Each
process of the tests has a range of its own.
"""

import asyncio
import itertools
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests.support.waiting import within

_FIRST, _OF_EACH, _PROCESSES = 10_000, 1_000, 20


def _ports_of_this_process() -> range:
    number = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")
    place = int(number) if number.isdigit() else 10 + os.getpid() % (_PROCESSES - 10)
    first = _FIRST + place * _OF_EACH
    return range(first, first + _OF_EACH)


def _begun_anywhere(ports: range) -> "itertools.cycle[int]":
    """All ports, over and over; runs of other checkouts on this machine begin with others."""
    begin = os.getpid() * 37 % len(ports)
    return itertools.cycle([*ports[begin:], *ports[:begin]])


_ports = _begun_anywhere(_ports_of_this_process())


def free_port() -> int:
    """A TCP port of this machine that nobody uses right now, and no other test will take."""
    for port in itertools.islice(_ports, _OF_EACH):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise AssertionError("No port is free.")


async def refuses(port: int) -> bool:
    """Whether nobody listens on the port."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


async def closes(port: int) -> None:
    """Wait until nobody listens: Envoy's workers close a port a moment after Envoy says so."""
    await asyncio.to_thread(within, 5, lambda: asyncio.run(refuses(port)))


@contextmanager
def silent(address: str, port: int) -> Iterator[None]:
    """A port from which nothing comes back at all: its queue is full."""
    with ExitStack() as held:
        listening = held.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((address, port))
        yield
