"""Load: who makes it? Processes of their own: what they cost is not counted."""

import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from ctypes import Array, c_uint64
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier, Event
from typing import Any

from bench.testbed import repository
from bench.testbed.machine import LOAD_CORES
from bench.testbed.tunnels import (
    DOWNLOAD,
    EXACTLY,
    LENGTH,
    PATIENCE_SECONDS,
    SEGMENT_BYTES,
    UPLOAD,
    Way,
    client_context,
    open_tunnel,
    ping,
)
from tests.support.machine.long_line import enter

MOST_CONNECTIONS = 256
"""That data flow through at once."""
CLIENTS = 16
"""Processes that make the load; each carries its part of the connections in threads."""
LONGEST_FLOW_SECONDS = 120.0
"""When a load generator gives up by itself, should nobody end it."""

_BLOCK_BYTES = 256 * 1024
_LOOK_AGAIN_SECONDS = 0.002

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["bench.testbed.load"])


@dataclass(frozen=True)
class _Work:
    """What each of several tunnels has to do."""

    way: Way
    direction: bytes
    share_bytes: int
    ready: Barrier
    over: Event
    counts: "Array[c_uint64]"
    """Of what arrives: the repository's, then that of each tunnel."""


class Load:
    """A running repository, and the clients that are sent to it."""

    def __init__(self, port: int, counts: "Array[c_uint64]") -> None:
        self.port = port
        """Of the repository."""
        self._counts = counts

    def transferred_bytes(self) -> int:
        """What has arrived so far at clients and repository."""
        return sum(self._counts)

    @contextmanager
    def flowing(
        self, way: Way, direction: bytes, connections: int, *, clients: int = CLIENTS
    ) -> Iterator[None]:
        """Meanwhile data flow as fast as they can, from at most so many clients."""
        ready = _processes.Barrier(connections + 1)
        slots = range(1, 1 + connections)  # the first one is the repository's
        arguments = [
            (way, direction, slots[client::clients], ready, self._counts)
            for client in range(min(connections, clients))
        ]
        with _running(_flow, arguments):
            ready.wait(PATIENCE_SECONDS)
            yield

    @contextmanager
    def about_to_move(
        self, way: Way, direction: bytes, connections: int, volume_bytes: int
    ) -> Iterator[Callable[[], int]]:
        """Tunnels that wait for their share of a volume to be moved.

        Who calls what this gives has all of it moved, and gets the number of bytes once the last
        has arrived. What lies in buffers when one looks in between has cost something and is
        counted nowhere; with hundreds of tunnels that is more than arrives within seconds.
        """
        share = max(volume_bytes // connections // _BLOCK_BYTES, 1) * _BLOCK_BYTES
        ready, over = _processes.Barrier(connections + 1), _processes.Event()
        slots = range(1, 1 + connections)
        work = _Work(way, direction, share, ready, over, self._counts)
        arguments = [(work, slots[client::CLIENTS]) for client in range(min(connections, CLIENTS))]

        def move() -> int:
            wanted = self.transferred_bytes() + share * connections
            ready.wait(LONGEST_FLOW_SECONDS)
            self._wait_for(wanted)
            return share * connections

        with _running(_move, arguments) as clients:
            while ready.n_waiting < connections:  # once they are open, that costs nothing more
                if not all(client.is_alive() for client in clients):
                    raise ConnectionError(f"{connections} tunnels cannot be opened.")
                time.sleep(_LOOK_AGAIN_SECONDS)
            yield move
            over.set()

    def _wait_for(self, wanted_bytes: int) -> None:
        until = time.monotonic() + LONGEST_FLOW_SECONDS
        while (arrived := self.transferred_bytes()) < wanted_bytes:
            if time.monotonic() > until:
                raise TimeoutError(f"{wanted_bytes - arrived} bytes did not arrive.")
            time.sleep(_LOOK_AGAIN_SECONDS)

    def open_one_by_one(self, way: Way, tunnels: int, at_once: int) -> list[float]:
        """Open tunnels and close each when the repository has answered: seconds that each took."""
        with _processes.Pool(at_once) as pool:
            pool.map(_open_one_by_one, [(way, 1)] * at_once, chunksize=1)
            shares = [(way, tunnels // at_once)] * at_once
            taken = pool.map_async(_open_one_by_one, shares, chunksize=1)
            return [each for share in taken.get(LONGEST_FLOW_SECONDS) for each in share]

    @contextmanager
    def holding(self, way: Way, tunnels: int) -> Iterator[None]:
        """Meanwhile so many tunnels are open and idle. Each was used once."""
        ready, over = _processes.Event(), _processes.Event()
        with _running(_hold, [(way, tunnels, ready, over)]) as (client,):
            while not ready.wait(0.1):
                if not client.is_alive():
                    raise ConnectionError(f"{tunnels} tunnels cannot be opened.")
            yield
            over.set()
            client.join(PATIENCE_SECONDS)


@contextmanager
def load() -> Iterator[Load]:
    """A repository on a port of its own."""
    counts: Array[c_uint64] = _processes.RawArray(c_uint64, 1 + MOST_CONNECTIONS)
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
        port = int(listener.getsockname()[1])
        with _running(repository.serve, [(listener, counts)]):
            yield Load(port, counts)


@contextmanager
def _running(
    work: Callable[..., None], arguments: list[tuple[Any, ...]]
) -> Iterator[list[BaseProcess]]:
    processes: list[BaseProcess] = [
        _processes.Process(target=work, args=each, daemon=True) for each in arguments
    ]
    started: list[BaseProcess] = []
    try:
        for process in processes:
            process.start()
            started.append(process)
        yield started
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.join(PATIENCE_SECONDS)


def _flow(
    way: Way, direction: bytes, slots: range, ready: Barrier, counts: "Array[c_uint64]"
) -> None:
    os.sched_setaffinity(0, LOAD_CORES)
    if way.network:
        enter(way.network)
    with ThreadPoolExecutor(len(slots)) as threads:
        for done in [threads.submit(_carry, way, direction, ready, counts, s) for s in slots]:
            done.result()


def _carry(
    way: Way, direction: bytes, ready: Barrier, counts: "Array[c_uint64]", slot: int
) -> None:
    if direction == UPLOAD:
        _upload(way, ready)  # the repository counts what arrives
    else:
        _download(way, ready, counts, slot)


def _upload(way: Way, ready: Barrier) -> None:
    block = bytes(_BLOCK_BYTES)
    with open_tunnel(way, client_context()) as tunnel:
        tunnel.sendall(UPLOAD)
        ready.wait(PATIENCE_SECONDS)
        until = time.monotonic() + LONGEST_FLOW_SECONDS
        while time.monotonic() < until:
            tunnel.sendall(block)


def _download(way: Way, ready: Barrier, counts: "Array[c_uint64]", slot: int) -> None:
    block = bytearray(_BLOCK_BYTES)
    with open_tunnel(way, client_context()) as tunnel:
        tunnel.sendall(DOWNLOAD)
        ready.wait(PATIENCE_SECONDS)
        until = time.monotonic() + LONGEST_FLOW_SECONDS
        while time.monotonic() < until:
            counts[slot] += tunnel.recv_into(block)


def _move(work: _Work, slots: range) -> None:
    os.sched_setaffinity(0, LOAD_CORES)
    with ThreadPoolExecutor(len(slots)) as threads:
        for done in [threads.submit(_move_one, work, slot) for slot in slots]:
            done.result()


def _move_one(work: _Work, slot: int) -> None:
    with open_tunnel(work.way, client_context()) as tunnel:
        tunnel.settimeout(LONGEST_FLOW_SECONDS)
        work.ready.wait(LONGEST_FLOW_SECONDS)
        if work.direction == UPLOAD:
            _send(tunnel, work.share_bytes)
        else:
            _receive(tunnel, work, slot)
        work.over.wait(LONGEST_FLOW_SECONDS)  # the end of a tunnel is not measured


def _send(tunnel: socket.socket, share_bytes: int) -> None:
    block = bytes(_BLOCK_BYTES)
    tunnel.sendall(UPLOAD)
    for _ in range(share_bytes // _BLOCK_BYTES):
        tunnel.sendall(block)


def _receive(tunnel: socket.socket, work: _Work, slot: int) -> None:
    room, left = bytearray(_BLOCK_BYTES), work.share_bytes
    tunnel.sendall(EXACTLY + LENGTH.pack(left))
    while left and (count := tunnel.recv_into(room)):
        work.counts[slot] += count
        left -= count


def _open_one_by_one(task: tuple[Way, int]) -> list[float]:
    os.sched_setaffinity(0, LOAD_CORES)
    way, tunnels = task
    context = client_context()
    return [_seconds_to_open(way, context) for _ in range(tunnels)]


def _seconds_to_open(way: Way, context: Any) -> float:
    start = time.perf_counter()
    with open_tunnel(way, context) as tunnel:
        ping(tunnel)
        return time.perf_counter() - start


def _hold(way: Way, tunnels: int, ready: Event, over: Event) -> None:
    os.sched_setaffinity(0, LOAD_CORES)
    context = client_context()
    held = [open_tunnel(way, context) for _ in range(tunnels)]
    for tunnel in held:
        ping(tunnel)
    ready.set()
    over.wait(LONGEST_FLOW_SECONDS)
