"""Repository: what stands behind the proxies? It takes, gives, or answers, as it is asked."""

import asyncio
import math
import os
import socket
from ctypes import Array, c_uint64
from typing import cast

import uvloop

from bench.testbed.machine import LOAD_CORES
from bench.testbed.tunnels import DOWNLOAD, EXACTLY, LENGTH, PING, PONG, UPLOAD

_BLOCK = bytes(1024 * 1024)
_ROOM = memoryview(bytearray(1024 * 1024))
"""Received bytes go here, those of all connections: nobody reads them."""


class _Connection(asyncio.BufferedProtocol):
    def __init__(self, received: "Array[c_uint64]") -> None:
        self._received = received
        self._asked = b""
        self._left_bytes = math.inf
        self._may_write = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        del sizehint
        return _ROOM

    def buffer_updated(self, nbytes: int) -> None:
        if self._asked:
            self._received[0] += nbytes
            return
        self._asked = bytes(_ROOM[:1])
        if self._asked == UPLOAD:
            self._received[0] += nbytes - 1
        if self._asked == PING:
            self._transport.write(PONG)
            self._asked = b""
        if self._asked == EXACTLY:  # its nine bytes are one record of TLS: they come together
            (self._left_bytes,) = LENGTH.unpack(_ROOM[1:nbytes])
        if self._asked in {DOWNLOAD, EXACTLY}:
            self._give()

    def pause_writing(self) -> None:
        self._may_write = False

    def resume_writing(self) -> None:
        self._may_write = True
        self._give()

    def _give(self) -> None:
        while self._left_bytes > 0 and self._may_write and not self._transport.is_closing():
            block = _BLOCK if self._left_bytes >= len(_BLOCK) else _BLOCK[: int(self._left_bytes)]
            self._left_bytes -= len(block)
            self._transport.write(block)


def serve(listener: socket.socket, received: "Array[c_uint64]") -> None:
    """Serve until the process is ended, and count the uploaded bytes in `received[0]`."""
    os.sched_setaffinity(0, LOAD_CORES)
    uvloop.run(_serve(listener, received))


async def _serve(listener: socket.socket, received: "Array[c_uint64]") -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(received), sock=listener, backlog=4096)
    await server.serve_forever()
